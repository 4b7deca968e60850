"""Small fits on one thread: with a few hundred columns, threads of a matrix product wait for each other longer than they work.

And their sums then do not depend on how many threads there are.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager[object]:
    """In its block, linear algebra takes one thread; for the whole process."""
    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits
