"""Fits the weights of the evidence, "what is broken?", on faults planted in networks of several kinds, and judges them strictly.

    nice -n 10 python training/fit_diagnosis.py collect --study DIR [--networks training/kept/networks] [--only NAME ...]
    python training/fit_diagnosis.py record
    python training/fit_diagnosis.py fit
    python training/fit_diagnosis.py judge
    python training/fit_diagnosis.py collect --study DIR --series fifth [...]
    python training/fit_diagnosis.py judge-held-back

`--study` is a study of CIFAR-10 (out/demo), whose images, VLM and model are used; networks come from
training/train_fault_networks.py. `collect` plants every kind of fault of the first three series in every network and keeps each
case in a file of training/kept/cases (it goes on at the next case after a kill; several may run side by side with other
`--only`). `record` writes what weights are fitted on to training/diagnosis_cases.csv and diagnosis_failures.npz, which are in
the repository: `fit` makes src/conspect/assets/diagnosis.json of these two alone, the same to the last digit. `judge` writes
training/diagnosis.log: what is said of each case by weights that saw neither its kind of fault nor its network. Only then the
fifth series is planted, and `judge-held-back` writes what the shipped weights say of it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from conspect.analysis.diagnosis.blame import BlameWeights, DiagnosisTable
from conspect.analysis.diagnosis.weighing import EvidenceWeights
from conspect.cli.progress import terminal_bar
from conspect.faults.judgement.case_folder import CaseFolder
from conspect.faults.judgement.case_tables import (
    failures_of,
    read_cases,
    read_failures,
    table_of,
    write_cases,
    write_failures,
)
from conspect.faults.judgement.judging import CHANGED_IMAGES, JudgedCase, judged_cases
from conspect.faults.judgement.left_out import Judgement, by_shipped, left_out
from conspect.faults.judgement.scoring import score_images, score_informed, score_models
from conspect.faults.planting.cases import Series
from conspect.faults.subjects.sound_network import SoundNetwork
from conspect.faults.subjects.subject_sources import subjects
from conspect.study.diagnosing.record import ASSET

FITTED = (Series.FIRST, Series.SECOND, Series.THIRD)
ROOT = Path(__file__).resolve().parent.parent
KEPT, CASES, FAILURES, LOG, HELD_BACK_LOG = (
    ROOT / "training" / name
    for name in (
        "kept/cases",
        "diagnosis_cases.csv",
        "diagnosis_failures.npz",
        "diagnosis.log",
        "diagnosis_held_back.log",
    )
)
# The study's own model takes no part in the fit: what is said of it is said by weights that never saw it.
ASIDE = "demo-resnet on CIFAR-10"
WEIGHTS = ROOT / "src/conspect/assets" / ASSET


def collect(networks: Sequence[tuple[int, SoundNetwork]], kept: Path, planted: Sequence[Series], changed: int) -> None:
    """Plants, gathers the evidence, keeps each case; what is kept already is left alone."""
    for number, network in networks:
        for series in planted:
            done, folder = (
                terminal_bar(f"cases of {network.name}", 65),
                CaseFolder(kept / short(network) / series.value),
            )
            cases = list(judged_cases(network, number, done, series=series, changed=changed, kept=folder))
            print(f"{network.name}, {series.value}: {len(cases)} cases kept", flush=True)


def short(network: SoundNetwork) -> str:
    """Its name in a path."""
    return network.name.replace(" ", "-")


def kept_cases(kept: Path, *planted: Series) -> list[JudgedCase]:
    """All cases of these series that were collected."""
    folders = sorted(path for series in planted for path in kept.glob(f"*/{series.value}"))
    return [case for folder in folders for case in CaseFolder(folder).cases()]


def lines(cases: Sequence[JudgedCase], blind: Sequence[Judgement], reported: Sequence[Judgement]) -> list[str]:
    """A line of JSON for each case, and one with the scores."""
    said = [
        {
            "network": case.network,
            "kind": case.kind,
            "series": case.series.value,
            "part": case.part.value,
            "drop": round(case.drop, 3),
            "named": [suspect.value for suspect in of_case.answer.named],
            "posterior": of_case.answer.posterior.round(3).tolist(),
            "named_with_reported_accuracy": [suspect.value for suspect in informed.answer.named],
            "named_with_fingerprint": list(case.informed.broken),
        }
        for case, of_case, informed in zip(cases, blind, reported, strict=True)
    ]
    for title, judged in (("blind", blind), ("with the reported accuracy", reported)):
        models = score_models(cases, [of_case.answer for of_case in judged])
        images = score_images(cases, [of_case.causes for of_case in judged])
        said.append(
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
                "images_blamed": images.blamed.tolist(),
                "images_undecided": round(images.undecided / max(images.undecided + int(images.blamed.sum()), 1), 4),
                "old_failures": images.old,
                "old_failures_blamed": round(images.old_blamed / max(images.old, 1), 4),
            }
        )
    with_fingerprint = score_informed(cases)
    said.append(
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
    return [json.dumps(line) for line in said]


def main() -> None:
    """Runs one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("collect", "record", "fit", "judge", "judge-held-back"))
    parser.add_argument("--study", type=Path)
    parser.add_argument("--networks", type=Path, default=ROOT / "training/kept/networks")
    parser.add_argument("--kept", type=Path, default=KEPT, help="folder of the cases, a file each")
    parser.add_argument("--series", nargs="*", type=Series, default=list(FITTED), choices=list(Series))
    parser.add_argument(
        "--changed", type=int, default=CHANGED_IMAGES, help="pictures that changes of the input are tried on"
    )
    parser.add_argument("--only", nargs="*", default=[], help="names of networks, with hyphens for spaces")
    options = parser.parse_args()
    if options.step == "collect":
        if options.study is None:
            parser.error("collect needs --study")
        every = enumerate(subjects(options.networks, options.study, terminal_bar))
        chosen = [(n, network) for n, network in every if not options.only or short(network) in options.only]
        collect(chosen, options.kept, options.series, options.changed)
    elif options.step == "record":
        cases = [case for case in kept_cases(options.kept, *FITTED) if case.network != ASIDE]
        write_cases(CASES, cases)
        write_failures(FAILURES, failures_of(cases))
        print(f"{len(cases)} cases")
    elif options.step == "fit":
        table = table_of(read_cases(CASES), read_failures(FAILURES))
        WEIGHTS.write_text(json.dumps(asdict(table), indent=1) + "\n", encoding="utf-8")
    elif options.step == "judge":
        cases = [case for case in kept_cases(options.kept, *FITTED) if case.network != ASIDE]
        written(LOG, cases, [left_out(cases, failures_of(cases), reported=known) for known in (False, True)])
    else:
        cases = kept_cases(options.kept, Series.FIFTH)
        shipped = msgspec.json.decode(WEIGHTS.read_bytes(), type=DiagnosisTable)
        model, failures = EvidenceWeights.from_table(shipped.model), BlameWeights.from_table(shipped.failures)
        written(HELD_BACK_LOG, cases, [by_shipped(cases, model, failures, reported=known) for known in (False, True)])


def written(log: Path, cases: Sequence[JudgedCase], judged: Sequence[Sequence[Judgement]]) -> None:
    """Writes the log and shows its scores."""
    said = lines(cases, *judged)
    log.write_text("".join(line + "\n" for line in said), encoding="utf-8")
    print(*said[-3:], sep="\n")


if __name__ == "__main__":
    main()
