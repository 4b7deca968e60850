"""On how many images a monitor is fitted and tried: what is said, else what the study's own number allows."""

import pytest

from conspect.study.config import MonitorConfig
from conspect.study.monitor.sizes import MonitorSizes, sizes_of


def test_a_study_of_4000_images_has_the_full_sizes() -> None:
    for images in (4000, 100_000):
        counts = sizes_of(MonitorConfig(), images)
        assert counts == MonitorSizes(4000, 2000, 2000, 300, 500, 200)


@pytest.mark.parametrize(
    ("images", "sizes"),
    [
        (600, MonitorSizes(600, 300, 300, 50, 150, 50)),
        (60, MonitorSizes(600, 300, 300, 20, 15, 20)),
        (1200, MonitorSizes(1200, 600, 600, 100, 300, 100)),
    ],
)
def test_a_smaller_study_takes_what_it_has(images: int, sizes: MonitorSizes) -> None:
    assert sizes_of(MonitorConfig(), images) == sizes


def test_what_is_said_of_the_splits_holds_and_of_defects_is_the_most() -> None:
    asked = MonitorConfig(fit_images=5000, calibration_images=10, vlm_images=0, attacked=7, corrupted=9, of_no_class=0)
    assert sizes_of(asked, 600) == MonitorSizes(5000, 10, 0, 7, 9, 0)
