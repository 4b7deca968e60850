"""A small study with a monitor: its settings and images."""

import numpy as np

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.study.config import MonitorConfig
from tests.fakes import CLASSES, picture

CONFIG = MonitorConfig(
    fit_images=300,
    calibration_images=300,
    vlm_images=200,
    corrupted=45,
    of_no_class=12,
    false_alarms=0.1,
    accepted_errors=0.1,
)


def noisy_colours(images: int, seed: int) -> ArrayDataset:
    """Red, green and blue images whose colour is more or less clear; a fifth of the labels is another class's."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=images)
    seen = np.where(rng.random(images) < 0.8, labels, rng.integers(3, size=images))
    clear = np.where(seen == labels, rng.integers(40, 140, images), rng.integers(10, 60, images))
    base = rng.integers(60, 90, (images, 3))
    base[np.arange(images), seen] += clear
    pixels = np.stack([picture(tuple(int(v) for v in colour)) for colour in base])
    return ArrayDataset("colours", "test", CLASSES, tuple(f"{seed}/{row:04d}" for row in range(images)), labels, pixels)
