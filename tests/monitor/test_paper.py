"""The paper's detector against the same thing written with loops over cells."""

import math

import numpy as np
import pytest

from conspect.analysis.heatmaps import by_group, single_input
from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap, Lens
from conspect.monitor.detectors.paper import SHRINKAGE, CosineHeatmaps, LikelihoodRatio, StoredHeatmaps, cells, flags

GENERATOR = np.random.default_rng(2)
CONCEPTS, CLASSES = 4, 3
OUTPUTS = GENERATOR.integers(CLASSES, size=120)
WRONG = GENERATOR.random(120) < 0.3
NUMERATORS = GENERATOR.normal(size=(120, CONCEPTS)) + np.where(WRONG[:, None], 0.0, 1.5) * np.eye(CONCEPTS)[OUTPUTS]
NUMERATORS[5, 1] = NUMERATORS[5, 2]
STORED = StoredHeatmaps.count(NUMERATORS, OUTPUTS, WRONG, CLASSES)


def test_counts_are_the_output_label_heatmaps_of_right_and_wrong_outputs():
    assert 0 < WRONG.sum() < len(WRONG)
    for chosen, counts, images in (
        (~WRONG, STORED.correct, STORED.correct_images),
        (WRONG, STORED.incorrect, STORED.incorrect_images),
    ):
        for label, heatmap in enumerate(by_group(NUMERATORS[chosen], OUTPUTS[chosen], CLASSES)):
            assert (counts[label].reshape(CONCEPTS, CONCEPTS) == heatmap.greater).all()
            assert images[label] == heatmap.images


def test_cells_are_the_single_input_heatmap_and_a_tie_is_neither():
    for row in (0, 5):
        assert (cells(NUMERATORS[row : row + 1]).reshape(CONCEPTS, CONCEPTS) == single_input(NUMERATORS[row])).all()
    tied = cells(NUMERATORS[5:6]).reshape(CONCEPTS, CONCEPTS)
    assert tied[1, 2] == tied[2, 1] == 0


def cosine(a, b):
    return (a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum())


def test_the_cosine_score_compares_with_the_mean_heatmaps_of_the_output_class():
    score = CosineHeatmaps.fit(STORED).score(NUMERATORS, OUTPUTS)
    for row in range(20):
        heatmap = single_input(NUMERATORS[row]).astype(float)
        same = OUTPUTS[row] == OUTPUTS
        means = [
            np.mean([single_input(s) for s in NUMERATORS[same & kind]], axis=0, dtype=float) for kind in (WRONG, ~WRONG)
        ]
        assert score.suspicion[row] == pytest.approx(cosine(heatmap, means[0]) - cosine(heatmap, means[1]))
    assert (flags(score) == (score.suspicion > 0)).all()


def test_the_likelihood_ratio_multiplies_shrunken_shares_over_pairs():
    score = LikelihoodRatio.fit(STORED).score(NUMERATORS, OUTPUTS)
    for row in range(20):
        label, heatmap = OUTPUTS[row], single_input(NUMERATORS[row])
        total = 0.0
        for i in range(CONCEPTS):
            for j in range(CONCEPTS):
                right, wrong = (
                    np.sum(NUMERATORS[kind & (label == OUTPUTS)][:, i] > NUMERATORS[kind & (label == OUTPUTS)][:, j])
                    for kind in (~WRONG, WRONG)
                )
                n_right, n_wrong = STORED.correct_images[label], STORED.incorrect_images[label]
                overall = (right + wrong + 0.5) / (n_right + n_wrong + 1)
                p_right = (right + SHRINKAGE * overall) / (n_right + SHRINKAGE)
                p_wrong = (wrong + SHRINKAGE * overall) / (n_wrong + SHRINKAGE)
                total += math.log(p_wrong / p_right if heatmap[i, j] else (1 - p_wrong) / (1 - p_right)) / 2
        assert score.suspicion[row] == pytest.approx(total)


def test_a_class_never_wrong_has_a_ratio_near_zero_and_the_pooled_incorrect_heatmap():
    wrong = WRONG & (OUTPUTS != 0)
    stored = StoredHeatmaps.count(NUMERATORS, OUTPUTS, wrong, CLASSES)
    ratio = LikelihoodRatio.fit(stored).score(NUMERATORS, OUTPUTS).suspicion
    assert np.abs(ratio[OUTPUTS == 0]).max() < 0.2 < np.abs(ratio[OUTPUTS != 0]).max()
    pooled = CosineHeatmaps.fit(stored).incorrect[0]
    assert pooled == pytest.approx(stored.incorrect.sum(0) / np.linalg.norm(stored.incorrect.sum(0)))


def test_numerators_give_the_score_of_the_cosines():
    directions = GENERATOR.normal(size=(CONCEPTS, 5))
    lens = Lens(
        AffineMap(GENERATOR.normal(size=(5, 3)), GENERATOR.normal(size=5)),
        tuple("abcd"),
        directions / np.linalg.norm(directions, axis=1, keepdims=True),
    )
    points = GENERATOR.normal(size=(120, 3))
    for detector in (CosineHeatmaps.fit(STORED), LikelihoodRatio.fit(STORED)):
        folded = detector.score(lens.folded(points), OUTPUTS).values
        assert (folded == detector.score(lens.strengths(points), OUTPUTS).values).all()


def test_wrong_outputs_get_higher_scores_than_right_ones():
    for detector in (CosineHeatmaps.fit(STORED), LikelihoodRatio.fit(STORED)):
        score = detector.score(NUMERATORS, OUTPUTS).suspicion
        assert score[WRONG].mean() > score[~WRONG].mean()


@pytest.mark.parametrize("wrong", [np.zeros(120, dtype=bool), np.ones(120, dtype=bool)])
def test_only_one_kind_of_behaviour_is_an_error(wrong):
    with pytest.raises(UserError, match="MONITOR002"):
        StoredHeatmaps.count(NUMERATORS, OUTPUTS, wrong, CLASSES)
