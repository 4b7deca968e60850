from conspect.adapters.engines.local import LocalEngine


def double(task: int, progress) -> int:
    progress(task)
    return 2 * task


def test_tasks_are_done_in_order_as_their_results_are_taken() -> None:
    steps: list[int] = []
    results = LocalEngine().map(double, range(1, 4), steps.append)
    assert steps == []
    assert next(results) == 2
    assert steps == [1]
    assert list(results) == [4, 6]
    assert steps == [1, 2, 3]
