"""Scores worked out by hand."""

import math

import numpy as np
import pytest

from conspect.analysis.localization import Blame, Culprit, blame_of
from conspect.faults.scoring import Judged, calibration_error, score
from conspect.statistics.intervals import wilson

HEAD, ENCODER, UNDECIDED = (Blame(culprit, None) for culprit in Culprit)


def test_balanced_accuracy_counts_decided_images_and_both_parts_equally() -> None:
    judged = [
        Judged("swap", True, [HEAD] * 6 + [ENCODER] * 2 + [UNDECIDED] * 2),
        Judged("bias", True, [HEAD] * 2),
        Judged("noise", False, [ENCODER] * 3 + [HEAD] + [UNDECIDED] * 4),
    ]
    found = score(judged)
    assert found.images == 20
    assert found.head.value == pytest.approx(8 / 10)
    assert found.encoder.value == pytest.approx(3 / 4)
    assert found.balanced_accuracy.value == pytest.approx((8 / 10 + 3 / 4) / 2)
    assert found.undecided == pytest.approx((2 / 12 + 4 / 8) / 2)
    assert (found.head.low, found.head.high) == tuple(float(v) for v in wilson(8, 10))
    assert found.calibration_error is None
    assert found.brier is None


def test_the_interval_is_over_mutators() -> None:
    alike = [Judged(f"m{k}", part, [HEAD, ENCODER]) for k in range(4) for part in (True, False)]
    found = score(alike).balanced_accuracy
    assert (found.low, found.value, found.high) == (0.5, 0.5, 0.5)
    split = [Judged(f"m{k}", part, [HEAD if k % 2 else ENCODER] * 50) for k in range(4) for part in (True, False)]
    found = score(split).balanced_accuracy
    assert found.low < 0.3
    assert found.high > 0.7


def test_without_one_part_there_is_no_balanced_accuracy() -> None:
    found = score([Judged("swap", True, [HEAD])])
    assert found.head.value == 1.0
    assert math.isnan(found.balanced_accuracy.value)
    assert found.undecided == 0.0


def test_calibration_error_and_brier_by_hand() -> None:
    # Confidence 0.9 three times, right twice; confidence 0.55 once, wrong.
    head = np.array([0.9, 0.9, 0.1, 0.45])
    truth = np.array([True, False, False, True])
    assert calibration_error(head, truth) == pytest.approx((3 * abs(2 / 3 - 0.9) + abs(0 - 0.55)) / 4)
    judged = [
        Judged("a", True, [blame_of(0.9), blame_of(0.45)]),
        Judged("b", False, [blame_of(0.9), blame_of(0.1)]),
    ]
    found = score(judged)
    assert found.brier == pytest.approx((0.01 + 0.55**2 + 0.81 + 0.01) / 4)
    assert found.calibration_error == pytest.approx((3 * abs(2 / 3 - 0.9) + 0.55) / 4)
    assert found.undecided == pytest.approx(0.25)
