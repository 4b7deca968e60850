"""The study as it is now: opened again when a run has finished underneath, and told apart from one that is stale."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread

from conspect.core.diagnostics import ConspectError, user_error
from conspect.results.exploration import CurrentState, StudyState
from conspect.study.config import read_config
from conspect.study.exploration.opening import OpenedStudy
from conspect.study.running import is_running
from conspect.study.study import CONFIG_FILE, MANIFEST_FILE, RESULTS_FILE, Study

# What lies on disk is looked at so often, at most.
SECONDS = 1.0
Stamp = tuple[tuple[int, int] | None, ...]


class Current:
    """Whoever asks gets the last finished run that could be opened; nothing of an older one is lost while a newer one opens."""

    def __init__(self, folder: Path, opener: Callable[[], OpenedStudy], opened: OpenedStudy | None = None) -> None:
        """`opener`: opens what lies in `folder`; `opened`: what it gave just now, None while the first run is under way."""
        self._folder, self._opener, self._opened = folder, opener, opened
        self._state, self._message = StudyState.FINISHED, ""
        self._looked_at = 0.0
        # The tables of concepts that study.toml names, as it was when it had this stamp.
        self._named: tuple[tuple[int, int] | None, tuple[str, ...]] = (None, ())
        self._stamp: Stamp | None = self._stamped() if opened is not None else None
        self._opening = False
        self._lock = Lock()

    def study(self) -> OpenedStudy:
        """The study to ask. Raises UserError EXPLORE011 while there is none."""
        self._look()
        if self._opened is None:
            problem = self._message or "the first run of this study is under way"
            raise user_error("EXPLORE011", problem, "wait: the page opens by itself when the run is done")
        return self._opened

    def state(self) -> CurrentState:
        """Whether what is shown is the last word."""
        self._look()
        digest = "" if self._opened is None else self._opened.exploration.digest
        return CurrentState(self._state, digest, self._message)

    def _look(self) -> None:
        with self._lock:
            now = time.monotonic()
            if self._opening or now - self._looked_at < SECONDS:
                return
            self._looked_at = now
            under_way = is_running(self._folder / CONFIG_FILE)
            stamp = self._stamped()
            if stamp == self._stamp:
                settled = self._state if self._state is StudyState.STALE else StudyState.FINISHED
                self._become(StudyState.RUNNING if under_way else settled, "" if under_way else self._message)
                return
            try:
                Study.open(self._folder).results()
            except ConspectError as error:
                first = error.diagnostics[0]
                if under_way:
                    self._become(StudyState.RUNNING, "")
                else:
                    self._become(StudyState.STALE, f"{first.problem}; {first.fix}")
                    self._stamp = stamp if self._opened is not None else None
                return
            self._opening = True
        Thread(target=self._open_again, args=(stamp,), daemon=True).start()

    def _become(self, state: StudyState, message: str) -> None:
        self._state, self._message = state, message
        if self._opened is not None:
            self._opened.exploration.state = state

    def _open_again(self, stamp: Stamp) -> None:
        try:
            opened = self._opener()
        except ConspectError as error:
            with self._lock:
                first = error.diagnostics[0]
                self._become(StudyState.STALE, f"{first.problem}; {first.fix}")
                self._stamp, self._opening = stamp, False
            return
        with self._lock:
            self._opened, self._stamp, self._opening = opened, stamp, False
            self._become(StudyState.FINISHED, "")

    def _stamped(self) -> Stamp:
        """Time and size of the files that tell one run from another."""
        config = _stamp_of(self._folder / CONFIG_FILE)
        if self._named[0] != config:
            self._named = config, _concept_files(self._folder)
        names = (RESULTS_FILE, MANIFEST_FILE, *self._named[1])
        return (config, *(_stamp_of(self._folder / name) for name in names))


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_mtime_ns, known.st_size


def _concept_files(folder: Path) -> tuple[str, ...]:
    """The files of concepts that study.toml names; none where it cannot be read."""
    try:
        concepts = read_config(folder / CONFIG_FILE).concepts
    except ConspectError:
        return ()
    return tuple(name for name in (concepts.file, concepts.class_attributes) if name is not None)
