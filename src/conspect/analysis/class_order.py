"""Whether a model's classes are named in another order than the data's: the commonest mistake that looks like a broken head.

Right outputs under wrong names make a confusion matrix whose large cells lie beside the diagonal, one in each row and in each
column. The one-to-one assignment of outputs to labels that makes most images right is found; it counts only where the images
themselves show it, since for a weak model some assignment always fits a little better than the names do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.percentages import percent
from conspect.statistics.assignment import best_assignment
from conspect.statistics.testing import sign_test

# Chance that a sound model is called misnamed, over all classes together.
ERROR = 1e-3
# So large a part of the classes that were moved together must show it; the rest may be classes of poor accuracy.
SHOWN_BY = 0.8
# A group of classes that takes part in showing it together leans to the other names at this level.
LEANING = 0.05
NAMED = 4


@dataclass(frozen=True)
class ClassOrder:
    """What the images say of the order of a model's classes.

    `moved`: pairs (label, output): images of class `label` get output `output`, whose name is therefore wrong; empty where
    the order holds. `accuracy` as the names stand, `assigned_accuracy` with the moved classes renamed: shares of all images.
    `shift`: output minus label where that is the same for all that moved, counted in a circle, as for labels off by one.
    """

    moved: tuple[tuple[int, int], ...]
    accuracy: float
    assigned_accuracy: float
    shift: int | None = None

    @property
    def looks_wrong(self) -> bool:
        """True when classes moved."""
        return bool(self.moved)

    def sentence(self, class_names: Sequence[str]) -> str | None:
        """What to tell whoever named the classes; None when the order holds."""
        if not self.moved:
            return None
        pairs = [f"{class_names[label]!r} is called {class_names[output]!r}" for label, output in self.moved[:NAMED]]
        more = f" and {len(self.moved) - NAMED} more" if len(self.moved) > NAMED else ""
        off = f"; every label is off by {abs(self.shift)}" if self.shift is not None else ""
        return (
            f"your class order looks wrong: what is {', '.join(pairs)}{more}{off}. Accuracy {percent(self.accuracy)} would be "
            f"{percent(self.assigned_accuracy)} with the names in the order that fits"
        )


def class_order(labels: NDArray[np.int64], outputs: NDArray[np.int64], classes: int) -> ClassOrder:
    """Compares `labels [image]` with the model's `outputs [image]`, both indices into the same `classes` names.

    Classes without an image take part only as names that others may have. Raises nothing; without images the order holds.
    """
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (labels, outputs), 1)
    return order_in(confusion)


def order_in(confusion: NDArray[np.int64]) -> ClassOrder:
    """The same of images counted by label and output, `confusion [label, output]`."""
    classes = len(confusion)
    right = int(np.trace(confusion))
    images = max(int(confusion.sum()), 1)
    groups = list(_moved_together(confusion))
    shown = [group for group in groups if _is_shown(confusion, group, classes)] or _shown_together(confusion, groups)
    moved = sorted(pair for group in shown for pair in group)
    if not moved:
        return ClassOrder((), right / images, right / images)
    gained = sum(int(confusion[label, output] - confusion[label, label]) for label, output in moved)
    # The last class's name is the first one's where labels are off by one in a circle.
    shifts = {(output - label + classes // 2) % classes - classes // 2 for label, output in moved}
    shift = shifts.pop() if len(shifts) == 1 and len(moved) > 2 else None
    return ClassOrder(tuple(moved), right / images, (right + gained) / images, shift)


def _moved_together(confusion: NDArray[np.int64]) -> Iterator[list[tuple[int, int]]]:
    """The pairs (label, output) that leave the diagonal, grouped by cycle of the assignment; labels without images left out."""
    target = best_assignment(confusion).tolist()
    seen: set[int] = set()
    for start in range(len(target)):
        cycle, label = [], start
        while label not in seen:
            seen.add(label)
            cycle.append(label)
            label = target[label]
        pairs = [(member, target[member]) for member in cycle if target[member] != member and confusion[member].any()]
        if pairs:
            yield pairs


def _is_shown(confusion: NDArray[np.int64], pairs: Sequence[tuple[int, int]], classes: int) -> bool:
    """Whether two or more classes each have the other name significantly more often than their own (sign test).

    One class alone whose images go to another is a confusion, not a wrong name: the other class keeps its own.
    """
    shown = [sign_test(confusion[label, output], confusion[label, label]) < ERROR / classes for label, output in pairs]
    return sum(shown) > 1 and sum(shown) >= SHOWN_BY * len(pairs)


def _shown_together(
    confusion: NDArray[np.int64], groups: Sequence[list[tuple[int, int]]]
) -> list[list[tuple[int, int]]]:
    """The groups that lean towards other names, if together they show it, where classes have too few images to show it alone.

    The assignment was chosen among as many as there are orders of the classes, which the test is corrected for.
    """
    leaning = [group for group in groups if len(group) > 1 and _sign(confusion, group) < LEANING]
    together = _sign(confusion, [pair for group in leaning for pair in group])
    orders = math.lgamma(len(confusion) + 1)
    return leaning if math.log(max(together, 1e-300)) + orders < math.log(ERROR) else []


def _sign(confusion: NDArray[np.int64], pairs: Sequence[tuple[int, int]]) -> float:
    """The sign test of all images of the pairs' labels: other name against own."""
    moved = sum(int(confusion[label, output]) for label, output in pairs)
    return sign_test(moved, sum(int(confusion[label, label]) for label, _ in pairs))
