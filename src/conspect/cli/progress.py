"""Progress on standard error: bars with rate and time left on a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from tqdm import tqdm

MOST_STEPS = 12
SECONDS_A_LINE = 10.0


def terminal_bar(stage: str, total: int) -> Callable[[int], None]:
    """A bar for a stage of `total` steps; call the result with the number of new ones."""
    if not sys.stderr.isatty():
        return _lines(stage, total)
    unit = "step" if total <= MOST_STEPS else "proof" if stage == "verification" else "img"
    bar = tqdm(total=total, desc=f"{stage:<24}", unit=unit, leave=True, delay=0.5)

    def advance(rows: int) -> None:
        bar.update(rows)
        if bar.n >= total:
            bar.close()

    return advance


def _lines(stage: str, total: int) -> Callable[[int], None]:
    """For logs and pipes: nothing of a stage that is quick, else how far it is and what is left at its present rate."""
    start = said = time.monotonic()
    done = 0

    def advance(steps: int) -> None:
        nonlocal said, done
        done += steps
        now = time.monotonic()
        if steps and now - said >= SECONDS_A_LINE and done < total:
            said = now
            left = (now - start) / done * (total - done)
            print(f"{stage}: {done:,} of {total:,}, about {left:,.0f} s left", file=sys.stderr, flush=True)

    return advance
