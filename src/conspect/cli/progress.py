"""Progress bars on standard error: rate and time left; silent when it is not a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

from tqdm import tqdm

MOST_STEPS = 12


def terminal_bar(stage: str, total: int) -> Callable[[int], None]:
    """A bar for a stage of `total` steps; call the result with the number of new ones."""
    unit = "step" if total <= MOST_STEPS else "proof" if stage == "verification" else "img"
    bar = tqdm(total=total, desc=f"{stage:<24}", unit=unit, disable=not sys.stderr.isatty(), leave=True, delay=0.5)

    def advance(rows: int) -> None:
        bar.update(rows)
        if bar.n >= total:
            bar.close()

    return advance
