"""Progress on standard error: bars with rate and time left on a terminal, else a line every ten seconds."""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress

from tqdm import tqdm

MOST_STEPS = 12
# Of stages whose steps are no images.
UNITS = {"verification": "proof", "files": "file", "seconds of waiting": "s"}
SECONDS_A_LINE, SECONDS_A_BEAT = 10.0, 1.0


def terminal_bar(stage: str, total: int) -> Callable[[int], None]:
    """A bar for a stage of `total` steps; call the result with the number of new ones."""
    if not sys.stderr.isatty():
        return _lines(stage, total)
    unit = UNITS.get(stage) or ("step" if total <= MOST_STEPS else "img")
    bar = tqdm(total=total, desc=f"{stage:<24}", unit=unit, leave=True, delay=0.5)

    def advance(rows: int) -> None:
        bar.update(rows)
        if bar.n >= total:
            bar.close()

    return advance


class _Stage:
    """How far a stage is; says so in a line when ten seconds have passed since the last one."""

    def __init__(self, name: str, total: int) -> None:
        self.name, self.total, self.done = name, total, 0
        self.start = self.said = time.monotonic()
        self._lock = threading.Lock()

    def advance(self, steps: int) -> None:
        """So many steps more are done."""
        with self._lock:
            self.done += steps
        self.say_if_due()

    def say_if_due(self) -> None:
        """Nothing of a stage that is quick, else how far it is and what is left at its present rate."""
        with self._lock:
            now = time.monotonic()
            if now - self.said < SECONDS_A_LINE or self.done >= self.total or sys.stderr is None:
                return
            self.said, spent = now, now - self.start
        left = (
            f"about {spent / self.done * (self.total - self.done):,.0f} s left"
            if self.done
            else f"after {spent:,.0f} s"
        )
        with suppress(OSError, ValueError):  # nobody reads standard error any more
            print(f"{self.name}: {self.done:,} of {self.total:,}, {left}", file=sys.stderr, flush=True)


class _Pulse:
    """Asks the present stage every second, so that it says how far it is also when no step of it ends for minutes."""

    def __init__(self) -> None:
        # Weak: a stage that was left before its end, and that nobody advances any more, has nothing to say.
        self._present: weakref.ref[_Stage] | None = None
        self._thread: threading.Thread | None = None

    def watch(self, stage: _Stage) -> None:
        """From now on this stage is the present one."""
        self._present = weakref.ref(stage)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._beat, daemon=True, name="progress")
            self._thread.start()

    def _beat(self) -> None:
        while True:
            time.sleep(SECONDS_A_BEAT)
            stage = None if self._present is None else self._present()
            if stage is not None:
                stage.say_if_due()
            del stage


_PULSE = _Pulse()


def _lines(name: str, total: int) -> Callable[[int], None]:
    stage = _Stage(name, total)
    _PULSE.watch(stage)
    return stage.advance
