"""The grounds that removals of a concept are planted on: a table of classes each, with the seed of its network and pictures.

Whatever names the concept that was lost is tuned on some and judged on others, none of whose classes the former have.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from conspect.faults.scenes import CLASSES, ClassTable

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


# The third and fourth were judged on once, before 41 and 51 were.
GROUNDS = (
    Ground(Purpose.TUNED, CLASSES, 7),
    Ground(Purpose.TUNED, SECOND, 11),
    Ground(Purpose.TUNED, THIRD, 21),
    Ground(Purpose.TUNED, FOURTH, 31),
    Ground(Purpose.JUDGED, FIFTH, 41),
    Ground(Purpose.JUDGED, SIXTH, 51),
)
