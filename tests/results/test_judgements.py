"""What a record says of itself beyond its fields, by value."""

import pytest

from conspect.results.monitor import DetectorDifference
from conspect.results.verification import ShapeCoverage, ShapeRow


@pytest.mark.parametrize(
    ("low", "high", "decided"),
    [(0.01, 0.02, True), (-0.02, -0.01, True), (-0.01, 0.02, False), (0.0, 0.02, False), (-0.02, 0.0, False)],
)
def test_a_difference_is_decided_where_its_interval_lies_on_one_side_of_0(
    low: float, high: float, decided: bool
) -> None:
    gap = DetectorDifference(
        defect="blur", detector="a", baseline="b", metric="auroc", better_by=(low + high) / 2, low=low, high=high
    )
    assert gap.decided is decided


def test_what_is_proved_over_a_coverage_is_read_off_its_row_alone() -> None:
    rows = tuple(ShapeRow(coverage=share, proved=n, share=n / 3) for share, n in ((0.5, 3), (0.9, 2)))
    curve = ShapeCoverage(rows=rows, median=0.9, measured_median=None)
    assert (curve.proved_over(0.5), curve.proved_over(0.9)) == (3, 2)
    with pytest.raises(StopIteration):
        curve.proved_over(0.7)
