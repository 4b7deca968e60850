"""Judged cases of one network in a folder, a file each, so that a long collection goes on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.evidence import FEATURES
from conspect.analysis.diagnosis.images import ImageEvidence
from conspect.core.files import replacing
from conspect.faults.judgement.informed import VersionJudgement
from conspect.faults.judgement.judging import JudgedCase
from conspect.faults.planting.cases import Part, Series
from conspect.faults.planting.strengths import Strengths

FORMAT = 3
ARRAYS = ("blind", "reported", "labels", "truth", "outputs", "sound")


@dataclass(frozen=True)
class CaseFolder:
    """Cases of one network in one series: `000.npz`, `001.npz`, ..., and the strengths that they were planted at."""

    path: Path
    strengths: Strengths = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "strengths", Strengths(self.path / "strengths.json"))

    def read(self, place: int, kind: str) -> JudgedCase | None:
        """The case at this place; None where there is none, one of another kind, or evidence of other features."""
        case = read_case(self.path / f"{place:03d}.npz")
        return case if case is not None and case.kind == kind else None

    def write(self, place: int, case: JudgedCase) -> None:
        """Writes beside and renames."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_case(self.path / f"{place:03d}.npz", case)

    def cases(self) -> list[JudgedCase]:
        """All that can be read, in order."""
        kept = (read_case(path) for path in sorted(self.path.glob("*.npz")))
        return [case for case in kept if case is not None]


def write_case(path: Path, case: JudgedCase) -> None:
    """Writes beside and renames."""
    header = {
        "format": FORMAT,
        "features": FEATURES,
        "network": case.network,
        "kind": case.kind,
        "part": case.part.value,
        "drop": case.drop,
        "series": case.series.value,
        "traced": case.traced,
        "too_close": case.too_close,
        "informed": case.informed.broken,
        "order": None if case.order is None else case.order.tolist(),
    }
    arrays: dict[str, NDArray[np.generic]] = {name: getattr(case, name) for name in ARRAYS}
    arrays |= {"label_suspect": case.images.label_suspect, "odds": case.images.odds.astype(np.float32)}
    arrays |= {"blames": case.informed.blames, "about": np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)}
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_case(path: Path) -> JudgedCase | None:
    """What `write_case` wrote; None where there is nothing, or evidence of other features."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        about = json.loads(stored["about"].tobytes())
        if about.get("format") != FORMAT or tuple(about["features"]) != FEATURES:
            return None
        odds = np.asarray(stored["odds"], dtype=np.float64)
        return JudgedCase(
            network=about["network"],
            kind=about["kind"],
            part=Part(about["part"]),
            drop=about["drop"],
            series=Series(about["series"]),
            traced=about["traced"],
            too_close=about["too_close"],
            order=None if about["order"] is None else np.asarray(about["order"], dtype=np.float64),
            images=ImageEvidence(stored["label_suspect"], odds),
            informed=VersionJudgement(tuple(about["informed"]), stored["blames"]),
            **{name: stored[name] for name in ARRAYS},
        )
