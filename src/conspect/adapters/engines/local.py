"""The engine that does all work here and now. The default; needs nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from conspect.core.protocols import Progress, Result, Task, unseen


class LocalEngine:
    """One task after the other, in this process."""

    def map(
        self, function: Callable[[Task, Progress], Result], tasks: Iterable[Task], progress: Progress = unseen
    ) -> Iterator[Result]:
        """`function(task, progress)` of every task, one at a time, as results are taken."""
        for task in tasks:
            yield function(task, progress)
