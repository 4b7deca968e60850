import pytest

from conspect.bench.recording import Record, joined, page, regressions
from conspect.bench.rows import Machine, Row, row

MACHINE: Machine = {"cpu": "a", "cores": 2, "system": "Linux 6", "python": "3.11", "numpy": "2.0"}


def record(*rows: Row, bench: str = "align") -> Record:
    return {"bench": bench, "day": "2026-11-27", "machine": MACHINE, "seconds": 1.5, "rows": list(rows)}


FAST = row("speed-up", 30.0, "times", (">=", 20))
OVERHEAD = row("overhead", 0.5, "ratio", ("<=", 2))


@pytest.mark.parametrize(
    ("old", "value", "worse"),
    [(FAST, 24.1, False), (FAST, 23.9, True), (FAST, 90.0, False), (OVERHEAD, 0.59, False), (OVERHEAD, 0.61, True)],
)
def test_a_ratio_may_be_worse_by_a_fifth(old: Row, value: float, worse: bool) -> None:
    new: Row = {**old, "value": value, "met": True}
    assert bool(regressions([record(old)], [record(new)])) is worse


def test_times_are_not_compared_but_their_targets_are() -> None:
    old, slower = row("all", 1.0, "s", ("<=", 5)), row("all", 4.0, "s", ("<=", 5))
    assert regressions([record(old)], [record(slower)]) == []
    assert regressions([record(old)], [record(row("all", 6.0, "s", ("<=", 5)))]) == [
        "align: all: 6 s misses its target 5"
    ]


def test_what_is_gone_is_named() -> None:
    assert regressions([record(FAST)], [record()]) == ["align: speed-up: no longer measured"]
    assert regressions([record(FAST)], [record(FAST, bench="embed")]) == ["align: was not run"]
    assert regressions([record(FAST)], [record(row("speed-up", None, "not installed", (">=", 20)))]) == []


def test_the_page_has_every_row() -> None:
    text = page([record(FAST, row("a|b", None, "no package"), row("slow", 3.0, "s", ("<=", 1)))])
    assert "| speed-up | 30 times | at least 20 | met |" in text
    assert "| a\\|b | not measured no package |  |  |" in text
    assert "| slow | 3 s | at most 1 | **missed** |" in text
    assert (
        "`conspect bench align`, 2 s, on 2026-11-27. Machine: cpu a, cores 2, system Linux 6, python 3.11, numpy 2.0."
        in text
    )


def test_a_benchmark_that_is_run_again_replaces_its_record_and_no_other() -> None:
    slow = record(OVERHEAD, bench="embed")
    records = joined([slow, record(OVERHEAD)], [record(FAST)])
    assert records == [record(FAST), slow]
