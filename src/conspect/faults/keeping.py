"""Judged cases of one network in a file, so that a long fit goes on where it was stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.evidence import FEATURES
from conspect.analysis.diagnosis.images import ImageEvidence
from conspect.faults.cases import Part, Series
from conspect.faults.informed import VersionJudgement
from conspect.faults.judging import JudgedCase

FORMAT = 2
IMAGE_ARRAYS = ("label_suspect", "repaired", "visible")
ARRAYS = ("blind", "reported", "labels", "truth", "outputs", "sound")


def write_cases(path: Path, cases: Sequence[JudgedCase]) -> None:
    """Writes beside and renames."""
    arrays: dict[str, NDArray[np.generic]] = {}
    about = []
    for number, case in enumerate(cases):
        arrays |= {f"{number}.{name}": getattr(case, name) for name in ARRAYS}
        arrays |= {f"{number}.{name}": getattr(case.images, name) for name in IMAGE_ARRAYS}
        arrays[f"{number}.blames"] = case.informed.blames
        about.append(
            {
                "network": case.network,
                "kind": case.kind,
                "part": case.part.value,
                "drop": case.drop,
                "series": case.series.value,
                "traced": case.traced,
                "informed": case.informed.broken,
                "order": None if case.order is None else case.order.tolist(),
            }
        )
    header = json.dumps({"format": FORMAT, "features": FEATURES, "cases": about}).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    with beside.open("wb") as file:
        np.savez(file, allow_pickle=False, about=np.frombuffer(header, dtype=np.uint8), **arrays)
    os.replace(beside, path)


def read_cases(path: Path) -> list[JudgedCase] | None:
    """What `write_cases` wrote; None where there is nothing, or evidence of other features."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        header = json.loads(stored["about"].tobytes())
        if header.get("format") != FORMAT or tuple(header["features"]) != FEATURES:
            return None
        return [
            JudgedCase(
                network=about["network"],
                kind=about["kind"],
                part=Part(about["part"]),
                drop=about["drop"],
                series=Series(about["series"]),
                traced=about["traced"],
                order=None if about["order"] is None else np.asarray(about["order"], dtype=np.float64),
                images=ImageEvidence(*(stored[f"{number}.{name}"] for name in IMAGE_ARRAYS)),
                informed=VersionJudgement(tuple(about["informed"]), stored[f"{number}.blames"]),
                **{name: stored[f"{number}.{name}"] for name in ARRAYS},
            )
            for number, about in enumerate(header["cases"])
        ]
