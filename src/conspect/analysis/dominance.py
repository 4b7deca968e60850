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
# At most 255, so that a block's counts fit into uint8; fewer, so that it stays in the cache.
BLOCK_ROWS = 192


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
        upper = np.zeros((columns, columns), dtype=np.int64)
        others = np.zeros((columns, columns), dtype=np.int64)
        distinct_rows = 0
        for start in share:
            distinct_rows += _add_block(values[start : start + BLOCK_ROWS], upper, others, block_kernel)
        # In rows without ties, what is not greater is smaller: the upper triangle says it all.
        return others + np.triu(upper, 1) + np.tril(distinct_rows - upper.T, -1)

    if threads == 1:
        return work(shares[0])
    with ThreadPoolExecutor(threads) as pool:
        return np.asarray(np.sum(list(pool.map(work, shares)), axis=0), dtype=np.int64)


def count_agreeing_reference(first: Strengths, second: Strengths) -> Counts:
    """`counts[i, j]` = number of rows in which both arrays put columns i and j in the same order, equality included."""
    orders = [np.sign(values[:, :, None] - values[:, None, :]) for values in (first, second)]
    return np.asarray((orders[0] == orders[1]).sum(axis=0), dtype=np.int64)


def count_agreeing(
    first: Strengths, second: Strengths, *, kernel: Literal["auto", "numpy", "numba"] = "auto"
) -> Counts:
    """Equal to `count_agreeing_reference` to the bit, in the memory of a few `[column, column]` arrays.

    `first` and `second [row, column]`, finite: strengths of the same images by two ways of reading them.
    """
    columns = first.shape[1]
    compiled = kernel == "numba" or (kernel == "auto" and has_numba())
    block_kernel = _compiled_agreement() if compiled else _numpy_agreement
    upper = np.zeros((columns, columns), dtype=np.int64)
    for start in range(0, len(first), BLOCK_ROWS):
        first_rows, second_rows = first[start : start + BLOCK_ROWS], second[start : start + BLOCK_ROWS]
        distinct = _distinct(first_rows) & _distinct(second_rows)
        tally = np.zeros((columns, columns), dtype=np.uint8)
        block_kernel(np.ascontiguousarray(first_rows[distinct]), np.ascontiguousarray(second_rows[distinct]), tally)
        upper += tally
        # Rows with ties are rare, and dear: three orders are possible, not two.
        for a, b in zip(first_rows[~distinct], second_rows[~distinct], strict=True):
            upper += np.triu(np.sign(a[:, None] - a) == np.sign(b[:, None] - b), 1)
    return upper + upper.T + len(first) * np.eye(columns, dtype=np.int64)


def has_numba() -> bool:
    """True when the compiled kernel can be used."""
    return find_spec("numba") is not None


BlockKernel = Callable[[Strengths, NDArray[np.uint8]], None]
AgreementKernel = Callable[[Strengths, Strengths, NDArray[np.uint8]], None]


def _add_block(block: Strengths, upper: Counts, others: Counts, kernel: BlockKernel) -> int:
    """Adds one block: rows with ties or NaN to `others`, the rest's upper triangle to `upper`; returns the rest's number."""
    strict = _distinct(block)
    distinct = np.ascontiguousarray(block if strict.all() else block[strict])
    tally = np.zeros(upper.shape, dtype=np.uint8)
    if len(distinct):
        kernel(distinct, tally)
        upper += tally
    for row in block[~strict]:
        others += row[:, None] > row[None, :]
    return len(distinct)


def _distinct(block: Strengths) -> NDArray[np.bool_]:
    """Rows `[row]` without ties and without NaN."""
    ordered = np.sort(block, axis=1)
    return np.asarray((ordered[:, :-1] < ordered[:, 1:]).all(axis=1))


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


def _numpy_agreement(first: Strengths, second: Strengths, upper: NDArray[np.uint8]) -> None:
    for i in range(first.shape[1] - 1):
        orders = [values[:, i, None] > values[:, i + 1 :] for values in (first, second)]
        np.add.reduce((orders[0] == orders[1]).view(np.uint8), axis=0, dtype=np.uint8, out=upper[i, i + 1 :])


@cache
def _compiled_agreement() -> AgreementKernel:
    from numba import njit

    @njit(nogil=True, cache=True)
    def kernel(first: Strengths, second: Strengths, upper: NDArray[np.uint8]) -> None:
        rows, columns = first.shape
        for i in range(columns - 1):
            tally = upper[i, i + 1 :]
            for row in range(rows):
                a, b = first[row, i], second[row, i]
                others_a, others_b = first[row, i + 1 :], second[row, i + 1 :]
                for j in range(tally.shape[0]):
                    tally[j] += np.uint8((a > others_a[j]) == (b > others_b[j]))

    return kernel
