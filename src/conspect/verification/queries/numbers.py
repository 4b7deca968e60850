"""Numbers that regions can be estimated from, and formulas decided at."""

from __future__ import annotations

import numpy as np

from conspect.core.diagnostics import UserError, user_error
from conspect.core.spaces import Floats


def require_finite(values: Floats, what: str) -> None:
    """VERIFY012 for numbers that are not finite."""
    if not np.isfinite(values).all():
        raise _unusable(f"{what} hold a number that is not finite")


def require_squarable(values: Floats, what: str) -> None:
    """VERIFY012 for numbers that are not finite, or so large that their squares are not."""
    with np.errstate(all="ignore"):
        total = float(np.square(np.asarray(values, dtype=np.float64)).sum())
    if not np.isfinite(total):
        raise _unusable(f"{what} hold a number that is not finite, or too large to square")


def _unusable(problem: str) -> UserError:
    return user_error("VERIFY012", problem, "look for an overflow in the model, or leave these images out")
