"""Fits the weights of the evidence, "what is broken?", on faults planted in networks of several kinds, and judges them strictly.

    nice -n 10 python training/fit_diagnosis.py collect --study DIR [--networks training/kept/networks] [--only NAME ...]
    python training/fit_diagnosis.py fit
    python training/fit_diagnosis.py collect --study DIR --series fourth [...]
    python training/fit_diagnosis.py judge-held-back

`--study` is a study of CIFAR-10 (out/demo), whose images, VLM and model are used; networks come from
training/train_fault_networks.py. `collect` plants every kind of fault of the first three series in every network and keeps the
evidence of each network in training/kept/cases (five to ten minutes a network on one core; it goes on at the next network
after a kill; several may run side by side with other `--only`). `fit` writes src/conspect/assets/diagnosis.json, fitted on
all of these but those of the study's own model, and training/diagnosis.log: what is said of each case by weights that saw
neither its kind of fault nor its network. Only then the fourth series is planted, and `judge-held-back` writes what the
shipped weights say of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from conspect.analysis.diagnosis.weighing import Answer, EvidenceWeights, WeightsTable
from conspect.cli.progress import terminal_bar
from conspect.faults.cases import Series
from conspect.faults.judging import CHANGED_IMAGES, JudgedCase, judged_cases, kinds_left_out, weights_of
from conspect.faults.keeping import read_cases, write_cases
from conspect.faults.scoring import score_images, score_informed, score_models
from conspect.faults.subject_sources import subjects
from conspect.study.diagnosing.record import ASSET

FITTED = (Series.FIRST, Series.SECOND, Series.THIRD)
ROOT = Path(__file__).resolve().parent.parent
KEPT, LOG, HELD_BACK_LOG = (
    ROOT / name for name in ("training/kept/cases", "training/diagnosis.log", "training/diagnosis_held_back.log")
)
# The study's own model takes no part in the fit: what is said of it is said by weights that never saw it.
ASIDE = "demo-resnet on CIFAR-10"
WEIGHTS = ROOT / "src/conspect/assets" / ASSET


def collect(study: Path, networks: Path, only: Sequence[str], planted: Sequence[Series], changed: int) -> None:
    """Plants, gathers the evidence, keeps it; what is kept already is left alone."""
    for number, subject in enumerate(subjects(networks, study, terminal_bar)):
        short = subject.name.replace(" ", "-")
        if only and short not in only:
            continue
        for series in planted:
            path = KEPT / f"{short}-{series.value}.npz"
            if read_cases(path) is None:
                done = terminal_bar(f"cases of {subject.name}", 65)
                write_cases(path, list(judged_cases(subject, number, done, series=series, changed=changed)))
            print(f"{path.name}: kept", flush=True)


def kept(*planted: Series) -> list[JudgedCase]:
    """All cases of these series that were collected."""
    cases: list[JudgedCase] = []
    for series in planted:
        for path in sorted(KEPT.glob(f"*-{series.value}.npz")):
            cases += read_cases(path) or []
    return cases


def lines(cases: Sequence[JudgedCase], blind: Sequence[Answer], reported: Sequence[Answer]) -> list[str]:
    """A line of JSON for each case, and one with the scores."""
    found = [
        {
            "network": case.network,
            "kind": case.kind,
            "series": case.series.value,
            "part": case.part.value,
            "drop": round(case.drop, 3),
            "named": [suspect.value for suspect in answer.named],
            "posterior": answer.posterior.round(3).tolist(),
            "named_with_reported_accuracy": [suspect.value for suspect in informed.named],
            "named_with_fingerprint": list(case.informed.broken),
        }
        for case, answer, informed in zip(cases, blind, reported, strict=True)
    ]
    for title, said in (("blind", blind), ("with the reported accuracy", reported)):
        models, images = score_models(cases, said), score_images(cases, said)
        found.append(
            {
                "scores": title,
                "cases": len(cases),
                "networks": sorted({case.network for case in cases}),
                "balanced_accuracy": round(models.balanced_accuracy, 4),
                "accuracy": round(models.accuracy, 4),
                "undecided": round(models.undecided, 4),
                "false_alarms": round(models.false_alarms, 4),
                "by_part": {
                    part.value: [models.right[part], models.decided[part], number]
                    for part, number in models.cases.items()
                },
                "images_balanced_accuracy": round(images.balanced_accuracy, 4),
                "images_undecided": round(images.undecided / max(images.undecided + int(images.blamed.sum()), 1), 4),
                "old_failures_blamed": round(images.old_blamed / max(images.old, 1), 4),
            }
        )
    with_fingerprint = score_informed(cases)
    found.append(
        {
            "scores": "with the fingerprint of the sound network",
            "balanced_accuracy": round(with_fingerprint.balanced_accuracy, 4),
            "by_part": {
                part.value: [with_fingerprint.named[part], number] for part, number in with_fingerprint.cases.items()
            },
            "images_balanced_accuracy": round(with_fingerprint.images_balanced_accuracy, 4),
            "images_blamed": with_fingerprint.blamed.tolist(),
            "images_undecided": with_fingerprint.undecided,
        }
    )
    return [json.dumps(line) for line in found]


def main() -> None:
    """Runs one of the three steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "fit", "judge-held-back"))
    parser.add_argument("--study", type=Path)
    parser.add_argument("--networks", type=Path, default=ROOT / "training/kept/networks")
    parser.add_argument("--series", nargs="*", type=Series, default=list(FITTED), choices=list(Series))
    parser.add_argument(
        "--changed", type=int, default=CHANGED_IMAGES, help="pictures that changes of the input are tried on"
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of networks, with hyphens for spaces")
    options = parser.parse_args()
    if options.step == "collect":
        if options.study is None:
            parser.error("collect needs --study")
        collect(options.study, options.networks, options.only, options.series, options.changed)
        return
    if options.step == "fit":
        cases = [case for case in kept(*FITTED) if case.network != ASIDE]
        said = [kinds_left_out(cases, reported=known) for known in (False, True)]
        WEIGHTS.write_text(json.dumps(asdict(weights_of(cases).table()), indent=1) + "\n", encoding="utf-8")
        log = LOG
    else:
        cases = kept(Series.FOURTH)
        weights = EvidenceWeights.from_table(msgspec.json.decode(WEIGHTS.read_bytes(), type=WeightsTable))
        said = [[case.answer(weights, reported=known) for case in cases] for known in (False, True)]
        log = HELD_BACK_LOG
    written = lines(cases, *said)
    log.write_text("".join(line + "\n" for line in written), encoding="utf-8")
    print(*written[-3:], sep="\n")


if __name__ == "__main__":
    main()
