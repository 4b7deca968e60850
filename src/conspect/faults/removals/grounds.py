"""The grounds that removals of a concept are planted on: a table of classes each, with the seed of its network and pictures.

Whatever names the concept that was lost is tuned on some and judged on others, none of whose classes the former have. Two
grounds take classes of the others of their purpose in another mixture, with another network and other pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from conspect.faults.subjects.scenes import CLASSES, ClassTable

SECOND: ClassTable = (
    ("square", "dotted", "green"), ("triangle", "striped", "blue"), ("cross", "plain", "red"), ("cross", "dotted", "blue"),
    ("disc", "striped", "yellow"), ("square", "plain", "red"), ("triangle", "dotted", "yellow"), ("disc", "plain", "green"),
)  # fmt: skip
THIRD: ClassTable = (
    ("cross", "striped", "green"), ("cross", "dotted", "red"), ("square", "striped", "yellow"), ("disc", "dotted", "green"),
    ("triangle", "plain", "blue"), ("triangle", "striped", "red"), ("disc", "plain", "yellow"), ("square", "dotted", "blue"),
)  # fmt: skip
FOURTH: ClassTable = (
    ("disc", "striped", "blue"), ("square", "striped", "green"), ("triangle", "striped", "yellow"), ("cross", "plain", "blue"),
    ("disc", "dotted", "red"), ("square", "plain", "yellow"), ("triangle", "dotted", "green"), ("cross", "dotted", "yellow"),
)  # fmt: skip
FIFTH: ClassTable = (
    ("cross", "plain", "green"), ("cross", "striped", "blue"), ("square", "dotted", "yellow"), ("square", "plain", "blue"),
    ("triangle", "plain", "red"), ("disc", "striped", "red"), ("disc", "dotted", "yellow"), ("triangle", "striped", "green"),
)  # fmt: skip
SIXTH: ClassTable = (
    ("cross", "plain", "yellow"), ("cross", "striped", "red"), ("square", "dotted", "red"), ("square", "plain", "green"),
    ("triangle", "plain", "yellow"), ("cross", "dotted", "green"), ("disc", "plain", "blue"), ("triangle", "dotted", "blue"),
)  # fmt: skip


class Purpose(Enum):
    """What a network's removals are for."""

    TUNED = "tuned on"
    JUDGED = "judged on"


@dataclass(frozen=True)
class Ground:
    """A table of classes, and the seed of its network, its pictures and its removals."""

    purpose: Purpose
    classes: ClassTable
    seed: int


def mixed(tables: tuple[ClassTable, ...], seed: int) -> ClassTable:
    """Eight classes of these tables in an order drawn with the seed, no two of the same shape and texture."""
    pool = [words for table in tables for words in table]
    chosen: dict[tuple[str, str], tuple[str, str, str]] = {}
    for place in np.random.default_rng(seed).permutation(len(pool)):
        shape, texture, colour = pool[place]
        chosen.setdefault((shape, texture), (shape, texture, colour))
    return tuple(chosen.values())[:8]


_TO_TUNE, _TO_JUDGE = (CLASSES, SECOND, THIRD, FOURTH), (FIFTH, SIXTH)
# 21 and 31 were judged on once, before 41 and 51 were; these twice with other signs, before 101 was.
GROUNDS = (
    Ground(Purpose.TUNED, CLASSES, 7),
    Ground(Purpose.TUNED, SECOND, 11),
    Ground(Purpose.TUNED, THIRD, 21),
    Ground(Purpose.TUNED, FOURTH, 31),
    Ground(Purpose.TUNED, mixed(_TO_TUNE, 61), 61),
    Ground(Purpose.JUDGED, FIFTH, 41),
    Ground(Purpose.JUDGED, SIXTH, 51),
    Ground(Purpose.JUDGED, mixed(_TO_JUDGE, 101), 101),
)
