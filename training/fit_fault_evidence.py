"""Fits the weights of evidence, "is the head to blame?", on faults planted in both models, and judges them strictly.

    python training/fit_fault_evidence.py --study DIR [--kept out/faults]

Plants every fault in the model of the study and in the network on rendered scenes (half an hour; what is finished is kept in
`--kept`), fits one pair of weights on all of them, writes src/conspect/assets/fault_evidence.json and
training/fault_evidence.log. The log has what weights fitted on the *other* model say, with the judged mutator left
out there too, so that neither the model nor the kind of fault was seen.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from conspect.analysis.fault_evidence import FEATURES
from conspect.analysis.localization import EvidenceWeights, fit_evidence
from conspect.cli.progress import terminal_bar
from conspect.faults.judging import Judgement, evidence_table, judged
from conspect.faults.methods import by_evidence
from conspect.faults.scoring import Judged, score
from conspect.faults.study_subject import study_subject
from conspect.faults.subjects import Subject, scene_subject

ROOT = Path(__file__).resolve().parent.parent
ASSET = ROOT / "src/conspect/assets/fault_evidence.json"
LOG = ROOT / "training/fault_evidence.log"


def strict(found: list[Judgement], others: list[Judgement], *, recorded: bool) -> list[Judged]:
    """Verdicts on each mutant by weights fitted on the other model's mutants of other kinds."""
    kinds = {kind(one): one for one in found}
    weights = {
        name: fit_evidence(*evidence_table([other for other in others if kind(other) != name])) for name in kinds
    }
    return [
        Judged(one.mutant.mutator, one.head_broken, by_evidence(weights[kind(one)], one.evidence, recorded=recorded))
        for one in found
    ]


def kind(one: Judgement) -> str:
    """The mutator's name, without what a blind encoder lost."""
    return (
        one.mutant.mutator.split(" to ")[0]
        if one.mutant.removed or "blind" in one.mutant.mutator
        else one.mutant.mutator
    )


def rounded(weights: EvidenceWeights) -> dict[str, object]:
    """The asset's content."""
    return {"features": list(FEATURES)} | {
        name: {"weight": model.weight.round(6).tolist(), "bias": model.bias.round(6).tolist()}
        for name, model in (("with_record", weights.with_record), ("without_record", weights.without_record))
    }


def main() -> None:
    """Plants, fits, ships the weights, logs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, required=True)
    parser.add_argument("--kept", type=Path, default=ROOT / "out/faults")
    options = parser.parse_args()
    subjects = [study_subject(options.study, terminal_bar), scene_subject()]
    fit(subjects, [judged(subject, options.kept, terminal_bar) for subject in subjects])


def fit(subjects: list[Subject], found: list[list[Judgement]]) -> None:
    """Fits on both subjects' judgements, judges each by the other's, and writes asset and log."""
    lines = []
    for subject, own, other in zip(subjects, found, found[::-1], strict=True):
        for recorded in (True, False):
            result = score(strict(own, other, recorded=recorded))
            accuracy = result.balanced_accuracy
            line = {
                "judged": subject.name,
                "records": recorded,
                "images": result.images,
                "balanced_accuracy": round(accuracy.value, 4),
                "low": round(accuracy.low, 4),
                "high": round(accuracy.high, 4),
                "head": round(result.head.value, 4),
                "encoder": round(result.encoder.value, 4),
                "undecided": round(result.undecided, 4),
                "calibration_error": None if result.calibration_error is None else round(result.calibration_error, 4),
                "brier": None if result.brier is None else round(result.brier, 4),
            }
            lines.append(line)
            print(line)
    weights = fit_evidence(*evidence_table([one for own in found for one in own]))
    ASSET.write_text(json.dumps(rounded(weights), indent=1) + "\n", encoding="utf-8")
    LOG.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
