"""A witness that lies farther from all images than they lie from each other is said to."""

from __future__ import annotations

import numpy as np

from conspect.language import check_text
from conspect.verification.images.describing import Describer
from conspect.verification.verify import verify
from tests.verification.subjects import model_with_images


def test_a_far_witness_is_flagged_and_a_near_one_is_not() -> None:
    model = model_with_images(2)
    data = np.asarray(model.splits["test"].embeddings, dtype=np.float64)
    apart = np.linalg.norm(data[:, None] - data[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    within = float(np.quantile(apart.min(axis=1), 0.99))
    describer = Describer(model, 3)
    away = np.eye(6)[0]
    outermost = data[int((data @ away).argmax())]
    for step, far in ((0.9 * within, False), (1.1 * within, True)):
        record = describer.describe(outermost + step * away, None)
        assert record.nearest[0].distance <= step * (1 + 1e-6)
        flagged = record.nearest[0].distance > within
        assert flagged == far
        assert bool(describer.remoteness(record)) == flagged
    assert describer.remoteness(describer.describe(outermost + 9 * within * away, None, image_id="test1")) == ()


def test_a_verdict_with_a_far_witness_says_so() -> None:
    text = b"property p: for all x in focus(car, gamma = 40): predict(x, car) implies a > b"
    (result,) = verify(check_text(text).require(), model_with_images(2))
    assert result.verdict.outcome == "violated"
    assert any("far from all of them" in caveat for caveat in result.caveats)
