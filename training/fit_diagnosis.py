"""Fits the weights of the evidence, "what is broken?", on faults planted in networks of several kinds, and judges them strictly.

    python training/fit_diagnosis.py --study DIR [--networks training/kept/networks] [--without-own]

`--study` is a study of CIFAR-10 (out/demo), whose images and VLM are used; networks come from training/train_fault_networks.py.
Writes src/conspect/assets/diagnosis.json (fitted on all cases) and training/diagnosis.log: what is said of each case by
weights that saw neither its kind of fault nor its network. Some ten minutes for each network on one quiet core.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from conspect.cli.progress import terminal_bar
from conspect.faults.judging import JudgedCase, judged_cases, kinds_left_out, score_images, score_models, weights_of
from conspect.faults.subject_sources import subjects
from conspect.study.diagnosing.record import ASSET

ROOT = Path(__file__).resolve().parent.parent
LOG = ROOT / "training/diagnosis.log"


def main() -> None:
    """Plants, judges, fits, ships the weights, logs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--networks", type=Path, default=ROOT / "training/kept/networks")
    parser.add_argument("--without-own", action="store_true", help="leave the study's own model out")
    options = parser.parse_args()
    cases: list[JudgedCase] = []
    found = list(subjects(options.networks, options.study, terminal_bar))
    for number, subject in enumerate(found[:-1] if options.without_own else found):
        cases += judged_cases(subject, number, terminal_bar(f"cases of {subject.name}", 50))
    said = kinds_left_out(cases)
    lines = [
        {
            "network": case.network,
            "kind": case.kind,
            "part": case.part.value,
            "drop": round(case.drop, 3),
            "named": [suspect.value for suspect in diagnosis.named],
            "posterior": diagnosis.posterior.round(3).tolist(),
        }
        for case, diagnosis in zip(cases, said, strict=True)
    ]
    models, images = score_models(cases, said), score_images(cases, said)
    lines.append(
        {
            "cases": len(cases),
            "balanced_accuracy": round(models.balanced_accuracy, 4),
            "accuracy": round(models.accuracy, 4),
            "undecided": round(models.undecided, 4),
            "false_alarms": round(models.false_alarms, 4),
            "images_balanced_accuracy": round(images.balanced_accuracy, 4),
            "old_failures_blamed": round(images.old_blamed / max(images.old, 1), 4),
        }
    )
    LOG.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (ROOT / "src/conspect/assets" / ASSET).write_text(
        json.dumps(weights_of(cases).table(), indent=1) + "\n", encoding="utf-8"
    )
    print(lines[-1])


if __name__ == "__main__":
    main()
