"""What of a picture reaches a model at all: its colours, its fine detail, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

# Below these, colour and detail are lost; above and below these, the picture is enlarged and its border cut off, or shrunk.
LEAST_COLOUR, LEAST_DETAIL, MOST_ENLARGED, LEAST_ENLARGED = 0.1, 0.3, 1.3, 0.8


@dataclass(frozen=True, slots=True)
class Preparation:
    """Of a model's own preparation, found by changing pictures before it.

    `colour`: how differently the three channels answer to one colour, 1 as given, 0 in grey. `detail`: how much of a pattern
    three of the input's pixels long arrives, against a coarse one. `enlarged`: how much larger a side of the middle becomes
    than the whole picture would make it: 1.14 for the usual 224 of 256.
    """

    colour: float
    detail: float
    enlarged: float

    @property
    def lost(self) -> tuple[str, ...]:
        """What does not arrive, each as a clause; none for usual preparations."""
        kinds = []
        if self.colour < LEAST_COLOUR:
            kinds.append("colours do not reach the model (the images are made grey)")
        if self.detail < LEAST_DETAIL:
            kinds.append("fine detail does not reach the model (the images are made small and large again, or blurred)")
        if self.enlarged > MOST_ENLARGED:
            share = 100 / self.enlarged
            kinds.append(f"the border of the images does not reach the model (about {share:.0f} % of each side does)")
        if self.enlarged < LEAST_ENLARGED:
            kinds.append(f"the images reach the model at {100 * self.enlarged:.0f} % of the size that it takes")
        return tuple(kinds)
