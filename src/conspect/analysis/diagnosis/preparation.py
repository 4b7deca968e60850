"""What of a picture reaches a model at all: its colours, its light, its fine detail, and which of its parts, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conspect.core.percentages import percent
from conspect.core.spaces import Float64

# Below these, colour and detail are lost; above and below these, the picture is enlarged and its border cut off, or shrunk.
LEAST_COLOUR, LEAST_DETAIL, LEAST_SHARP, MOST_ENLARGED, LEAST_ENLARGED = 0.1, 0.3, 0.54, 1.3, 0.8
# A colour that arrives with less than this of the strength of the strongest; levels further than this from a straight line.
LEAST_BALANCE, MOST_BENT, MOST_MIXED = 0.5, 0.05, 0.15
# How far from the middle the middle of a picture may arrive, in sides of the input; how many parts may arrive elsewhere; how far
# axes may lean; and how far the same picture may be prepared differently each time, in deviations of what is prepared.
MOST_OFF_CENTRE, MOST_SCATTERED, MOST_LEANING, MOST_VARIED = 0.12, 0.1, 0.1, 1e-3


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the parts of a square picture arrive: at `slope @ (y, x) + start`, all in sides of picture and input, 0..1.

    `scattered`: share of the parts that arrive elsewhere than the others say.
    """

    slope: Float64
    start: Float64
    scattered: float

    @property
    def enlarged(self) -> float:
        """How much larger a side becomes than the whole picture would make it: 1.14 for the usual 224 of 256."""
        return float(np.sqrt(abs(np.linalg.det(self.slope))))

    @property
    def sides(self) -> tuple[float, float]:
        """How long height and width of the picture become, in sides of the input."""
        down, across = np.linalg.norm(self.slope, axis=0)
        return float(down), float(across)

    @property
    def off_centre(self) -> float:
        """How far from the middle of the input the middle of the picture arrives, in sides."""
        return float(np.abs(self.slope @ [0.5, 0.5] + self.start - 0.5).max())

    @property
    def clauses(self) -> Iterator[str]:
        """What is unusual, each as a clause."""
        if self.scattered > MOST_SCATTERED:
            yield f"parts of the images reach the model in other places than they belong ({percent(self.scattered, 0)} of them)"
            return
        yield from self._orientation()
        least, most = min(self.sides), max(self.sides)
        if most > MOST_ENLARGED:
            yield f"the border of the images does not reach the model (about {100 / most:.0f} % of each side does)"
        elif least < LEAST_ENLARGED:
            yield f"the images reach the model at {percent(least, 0)} of the size that it takes"
        if self.off_centre > MOST_OFF_CENTRE:
            yield "the middle of the images does not reach the model in the middle"

    def _orientation(self) -> Iterator[str]:
        straight = self.slope / max(self.sides)
        (down, lean), (other, across) = straight
        if max(abs(down), abs(across)) < MOST_LEANING:
            turned = "are turned by 90 degrees" if lean * other < 0 else "have height and width exchanged"
            yield f"the images {turned} before they reach the model"
        elif max(abs(lean), abs(other)) > MOST_LEANING:
            yield "the images are turned or sheared before they reach the model"
        elif down < 0:
            yield f"the images are {'turned by 180 degrees' if across < 0 else 'upside down'} when they reach the model"
        elif across < 0:
            yield "the images are mirrored before they reach the model"


@dataclass(frozen=True, eq=False)
class Preparation:
    """Of a model's own preparation, found by changing pictures before it.

    `colour`: how differently the three channels answer to one colour, 1 as given, 0 in grey. `detail`: how much of a pattern
    three of the input's pixels long arrives, against a coarse one. `sharp`: how much neighbouring pixels of the input differ,
    against a plain resize. `balance`: strength of the weakest colour over that of the strongest; `mixed`: how much of other
    colours a channel answers to, 0 to 1. `bent`: how far the levels of grey are from a straight line, as part of all of them;
    `inverted`: whether the line falls. `varied`: how differently the same picture is prepared twice, in deviations.
    `placement`: where the parts arrive; None where too few do.
    """

    colour: float
    detail: float
    sharp: float = 1.0
    balance: float = 1.0
    mixed: float = 0.0
    bent: float = 0.0
    inverted: bool = False
    varied: float = 0.0
    placement: Placement | None = None

    @property
    def enlarged(self) -> float:
        """How much larger a side becomes than the whole picture would make it; 1 where that is not known."""
        return 1.0 if self.placement is None else self.placement.enlarged

    @property
    def lost(self) -> tuple[str, ...]:
        """What does not arrive as it was, each as a clause; none for usual preparations."""
        return tuple(self._clauses())

    def _clauses(self) -> Iterator[str]:
        if self.varied > MOST_VARIED:
            yield "the same image is prepared differently each time (augmentation is left on)"
            return  # what else is found would be found by chance
        yield from self._colours()
        if self.detail < LEAST_DETAIL or self.sharp < LEAST_SHARP:
            yield "fine detail does not reach the model (the images are made small and large again, or blurred)"
        if self.placement is not None and not (
            self.detail < LEAST_DETAIL and self.placement.scattered > MOST_SCATTERED
        ):
            yield from self.placement.clauses

    def _colours(self) -> Iterator[str]:
        if self.colour < LEAST_COLOUR:
            yield "colours do not reach the model (the images are made grey)"
        elif self.mixed > MOST_MIXED:
            yield "colours are mixed before they reach the model (a channel answers to more than one of red, green and blue)"
        elif self.balance < LEAST_BALANCE:
            yield f"one colour reaches the model at {percent(self.balance, 0)} of the strength of the others"
        if self.bent > MOST_BENT:
            yield "light and dark do not reach the model evenly (the levels are bent or clipped)"
        if self.inverted:
            yield "light and dark are exchanged before they reach the model"
