"""What a change of a model does to images whose classes are known: those it fixes against those it breaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.statistics.testing import sign_test

Classes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Of `images`, so many became right (`fixes`) and so many became wrong (`breaks`)."""

    fixes: int
    breaks: int
    images: int

    @property
    def net(self) -> float:
        """Gain in accuracy, -1..1; 0 without images."""
        return (self.fixes - self.breaks) / max(self.images, 1)

    @property
    def p_value(self) -> float:
        """That as many fixes against breaks, or more, come by chance where neither is likelier (McNemar, exact, one-sided)."""
        return sign_test(self.fixes, self.breaks)

    @property
    def surprise(self) -> float:
        """(fixes - breaks) / sqrt(fixes + breaks + 1): about normal where neither is likelier, and finite without either."""
        return float((self.fixes - self.breaks) / np.sqrt(self.fixes + self.breaks + 1))


def exchange(labels: Classes, before: Classes, after: Classes) -> Exchange:
    """Of outputs `before` and `after` a change, `[image]` class indices as `labels`."""
    right, now = before == labels, after == labels
    return Exchange(int((~right & now).sum()), int((right & ~now).sum()), len(labels))
