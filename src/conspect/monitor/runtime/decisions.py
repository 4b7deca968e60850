"""What a monitor decides: verdicts by two thresholds, and the reasons for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.percentages import narrow

VerdictName: TypeAlias = Literal["accept", "uncertain", "suspect"]
VERDICTS: tuple[VerdictName, ...] = ("accept", "uncertain", "suspect")
ACCEPT, UNCERTAIN, SUSPECT = range(3)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Accept at or below `accept`, suspect above `suspect`, uncertain between. `accept` <= `suspect`."""

    accept: float
    suspect: float

    def __post_init__(self) -> None:
        if not self.accept <= self.suspect:
            problem = f"the accept threshold {self.accept} lies above the suspect threshold {self.suspect}"
            raise user_error("MONITOR005", problem, "an input cannot be both; lower the accept threshold")

    def verdicts(self, suspicion: NDArray[np.float32]) -> NDArray[np.int8]:
        """Into VERDICTS `[image]`. Written so that a NaN, which satisfies no comparison, ends as suspect."""
        return np.asarray(np.int8(SUSPECT) - (suspicion <= self.suspect) - (suspicion <= self.accept))


@dataclass(frozen=True, eq=False)
class Decisions:
    """`outputs [image]`: class index; `suspicion [image]`: nats, higher = suspect; `verdicts [image]`: into VERDICTS."""

    outputs: NDArray[np.intp]
    suspicion: NDArray[np.float32]
    verdicts: NDArray[np.int8]

    def names(self) -> list[VerdictName]:
        """The verdicts as words."""
        return [VERDICTS[verdict] for verdict in self.verdicts.tolist()]


@dataclass(frozen=True, slots=True)
class Reason:
    """`stronger > weaker` was seen, in the given shares (0..1) of right and of wrong outputs of the class."""

    output: str
    stronger: str
    weaker: str
    among_right: float
    among_wrong: float

    def __str__(self) -> str:
        return (
            f"{self.stronger} is stronger than {self.weaker}: so in {narrow(self.among_right, 0)} of the inputs rightly called "
            f"{self.output} and in {narrow(self.among_wrong, 0)} of those wrongly called so"
        )
