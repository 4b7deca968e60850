"""The heatmap kernel: how often does one column exceed another? Integer counts, so any split of the rows adds up.

Three implementations that return the same integers: `count_reference` (what it means), a blocked NumPy one, and one
compiled by Numba (extra `fast`), chosen when it is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Strengths = NDArray[np.floating]
Counts = NDArray[np.int64]
# A block's counts fit into uint8, which is what makes the inner sums fast.
BLOCK_ROWS = 255


def count_reference(values: Strengths) -> Counts:
    """`counts[i, j]` = number of rows with values[row, i] > values[row, j], `[column, column]`; needs rows x columns^2 bytes."""
    return np.asarray((values[:, :, None] > values[:, None, :]).sum(axis=0), dtype=np.int64)


def count(values: Strengths, *, threads: int = 1, kernel: Literal["auto", "numpy", "numba"] = "auto") -> Counts:
    """`counts[i, j]` = number of rows of `values [row, column]` with values[row, i] > values[row, j], strictly.

    Equal to `count_reference` to the bit for any number of threads; memory of one `[column, column]` array per thread.
    A NaN exceeds nothing and is exceeded by nothing.
    """
    columns = values.shape[1]
    block_kernel = _compiled_kernel() if kernel == "numba" or (kernel == "auto" and has_numba()) else _numpy_kernel
    blocks = range(0, len(values), BLOCK_ROWS)
    shares = [blocks[worker::threads] for worker in range(threads)]

    def work(share: range) -> Counts:
        counts = np.zeros((columns, columns), dtype=np.int64)
        for start in share:
            _add_block(np.ascontiguousarray(values[start : start + BLOCK_ROWS]), counts, block_kernel)
        return counts

    if threads == 1:
        return work(shares[0])
    with ThreadPoolExecutor(threads) as pool:
        return np.asarray(np.sum(list(pool.map(work, shares)), axis=0), dtype=np.int64)


def has_numba() -> bool:
    """True when the compiled kernel can be used."""
    return find_spec("numba") is not None


BlockKernel = Callable[[Strengths, NDArray[np.uint8]], None]


def _add_block(block: Strengths, counts: Counts, kernel: BlockKernel) -> None:
    """Adds one block. Rows without ties need the upper triangle alone: what is not greater is smaller."""
    ordered = np.sort(block, axis=1)
    strict = (ordered[:, :-1] < ordered[:, 1:]).all(axis=1)  # false for ties and for NaN
    distinct = block[strict]
    upper = np.zeros(counts.shape, dtype=np.uint8)
    if len(distinct):
        kernel(distinct, upper)
        above = np.triu(upper, 1).astype(np.int64)
        counts += above
        counts += np.tril(len(distinct) - above.T, -1)
    for row in block[~strict]:
        counts += row[:, None] > row[None, :]


def _numpy_kernel(block: Strengths, upper: NDArray[np.uint8]) -> None:
    for i in range(block.shape[1] - 1):
        greater = block[:, i, None] > block[:, i + 1 :]
        np.add.reduce(greater.view(np.uint8), axis=0, dtype=np.uint8, out=upper[i, i + 1 :])


@cache
def _compiled_kernel() -> BlockKernel:
    from numba import njit

    @njit(nogil=True, cache=True)
    def kernel(block: Strengths, upper: NDArray[np.uint8]) -> None:
        rows, columns = block.shape
        for i in range(columns - 1):
            tally = upper[i, i + 1 :]
            for row in range(rows):
                value = block[row, i]
                others = block[row, i + 1 :]
                for j in range(others.shape[0]):
                    tally[j] += np.uint8(value > others[j])

    return kernel
