"""Errors are planted as they say, and a ranking is scored by value."""

import numpy as np
import pytest

from conspect.bench.labels import OWN, average_precision, planted, rows_of, similar_classes


def test_average_precision_by_value() -> None:
    wrong = np.array([True, False, True, False])
    assert average_precision(np.array([4.0, 3.0, 2.0, 1.0]), wrong) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.array([4.0, 1.0, 3.0, 1.0]), wrong) == 1.0


def test_planted_errors_have_their_number_and_their_kind() -> None:
    truth = np.random.default_rng(0).integers(0, 6, 1000)
    nearest = np.array([1, 0, 3, 2, 5, 4])
    anywhere = planted(truth, 0.05, None, 1)
    assert (anywhere != truth).sum() == 50
    paired = planted(truth, 0.05, nearest, 1)
    changed = paired != truth
    assert changed.sum() == 50
    assert (paired[changed] == nearest[truth[changed]]).all()
    assert len(np.unique(truth[changed])) <= 3
    assert similar_classes(np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]])).tolist() == [1, 0, 0]


def test_a_judge_who_knows_is_right_and_rows_say_what_was_not_measured(monkeypatch) -> None:
    monkeypatch.setattr("conspect.bench.labels.find_spec", lambda name: None)
    truth = np.random.default_rng(0).integers(0, 4, 400)
    scores = {name: 5.0 * np.eye(4)[truth] for name in ("model", "other")}
    rows = list(rows_of(truth, scores, np.array([1, 0, 3, 2]), lambda labels: (labels != truth).astype(float)))
    assert [line["value"] for line in rows if line["target"] is not None] == [1.0] * 4
    assert [line["value"] for line in rows if OWN in line["what"]] == [1.0] * 4
    assert [line["unit"] for line in rows if "cleanlab" in line["what"]] == ["needs cleanlab"] * 8
