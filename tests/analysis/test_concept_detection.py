import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from conspect.analysis.concept_detection import detect


def test_auroc_equals_scikit_learns_on_the_images_that_are_known() -> None:
    rng = np.random.default_rng(0)
    presence = rng.integers(0, 2, (200, 3)).astype(float)
    presence[rng.random((200, 3)) < 0.2] = np.nan
    strengths = np.round(rng.normal(size=(200, 3)) + np.nan_to_num(presence), 1)
    labels = rng.integers(0, 4, 200)
    detections = detect(strengths, presence, labels)
    assert len(detections) == 3
    for k, detection in enumerate(detections):
        known = ~np.isnan(presence[:, k])
        truth, score = presence[known, k], strengths[known, k]
        assert detection.value == pytest.approx(roc_auc_score(truth, score))
        assert detection.low is not None
        assert detection.high is not None
        assert detection.low < detection.value < detection.high  # type: ignore[operator]
        assert (detection.shown, detection.not_shown) == (truth.sum(), (1 - truth).sum())
        pairs = [truth[labels[known] == c].sum() * (1 - truth[labels[known] == c]).sum() for c in range(4)]
        inside = [roc_auc_score(truth[labels[known] == c], score[labels[known] == c]) for c in range(4)]
        assert detection.within_classes == pytest.approx(np.average(inside, weights=pairs))


def test_a_lens_that_only_knows_the_class_is_at_chance_within_classes() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 2000)
    presence = (rng.random(2000) < np.where(labels == 0, 0.9, 0.1)).astype(float)
    (detection,) = detect(labels[:, None] * -1.0, presence[:, None], labels)
    assert detection.value is not None
    assert detection.value > 0.85
    assert detection.within_classes == 0.5


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan])
def test_one_kind_of_image_alone_gives_no_auroc(value: float) -> None:
    (detection,) = detect(np.arange(5.0)[:, None], np.full((5, 1), value), np.zeros(5, dtype=np.int64))
    assert (detection.value, detection.low, detection.high, detection.within_classes) == (None, 0.0, 1.0, None)
