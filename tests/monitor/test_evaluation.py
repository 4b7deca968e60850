"""The table of all detectors, the second tier, and formulas as monitors."""

import re
from dataclasses import replace

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.core.spaces import Lens
from conspect.language import parse
from conspect.language.syntax.tree import Property
from conspect.monitor.detectors.formulas import FormulaMonitor
from conspect.monitor.detectors.vlm_tier import VlmEvidence, VlmTier
from conspect.monitor.evaluation import KIND_OF, Detectors, Evaluation, Training, best
from conspect.statistics.detection import Score, measure
from conspect.study.monitor.records import detector_row
from tests.monitor.fitted import TEST, TRAIN
from tests.monitor.world import CARRIED, CLASS_NAMES, CONCEPT_NAMES, DIRECTIONS, HEAD, LENS, READOUT, sample

MODEL_TRAINING = sample(800, 20)


def witness(split, seed):
    """A VLM that sees the true class's concepts with noise of its own."""
    generator = np.random.default_rng(seed)
    seen = CARRIED[split.labels] + 0.5 * generator.normal(size=(len(split.labels), len(CONCEPT_NAMES)))
    units = CARRIED / np.linalg.norm(CARRIED, axis=1, keepdims=True)
    lengths = np.linalg.norm(seen, axis=1, keepdims=True)
    return VlmEvidence(seen @ units.T / lengths, seen / lengths, LENS.strengths(split.inputs.embeddings))


DETECTORS = Detectors.fit(
    READOUT,
    Training(MODEL_TRAINING.inputs.embeddings, MODEL_TRAINING.labels, HEAD),
    TRAIN.inputs,
    TRAIN.labels,
    witnessed=witness(TRAIN, 1),
)
SCORES = DETECTORS.scores(TEST.inputs, witness(TEST, 2))
EVALUATION = Evaluation.of("misclassification", SCORES, TEST.wrong, resamples=200)


def test_every_detector_has_a_row_with_the_metrics_of_its_score():
    rows = [detector_row(EVALUATION, row) for row in EVALUATION.rows()]
    assert [row.detector for row in rows] == [
        name for name in KIND_OF if not {"look", "looks", "taught"} & set(re.findall(r"\w+", name))
    ]
    for row in rows:
        expected = measure(SCORES[row.detector], TEST.wrong)
        for metric, value in expected.items():
            assert getattr(row, metric) == pytest.approx(value, abs=1e-12)
        assert row.auroc_low < row.auroc < row.auroc_high
        assert (row.n_pos, row.n_neg) == (TEST.wrong.sum(), (~TEST.wrong).sum())
        assert row.kind == KIND_OF[row.detector]


def test_differences_are_positive_where_the_first_is_better_in_either_direction_of_metric():
    for metric in ("auroc", "augrc"):
        difference = EVALUATION.difference("fused", "energy", metric)
        assert 0 < difference.low < difference.value < difference.high
        mirrored = EVALUATION.difference("energy", "fused", metric)
        assert (mirrored.value, mirrored.low, mirrored.high) == pytest.approx(
            (-difference.value, -difference.high, -difference.low)
        )


def test_the_second_tier_adds_what_only_the_image_shows():
    gain = EVALUATION.difference("fused, VLM at run time", "fused", "auroc")
    assert gain.low > 0.02


def test_what_teaches_attacks_leaves_the_fused_detector_alone():
    far = sample(300, 3, shift=6.0).inputs
    taught = Detectors.fit(
        READOUT,
        Training(MODEL_TRAINING.inputs.embeddings, MODEL_TRAINING.labels, HEAD),
        TRAIN.inputs,
        TRAIN.labels,
        also_suspect=(far, None),
    )
    scores = taught.scores(TEST.inputs)
    assert np.array_equal(scores["fused"].values, SCORES["fused"].values)
    new = taught.scores(sample(300, 4, shift=6.0).inputs)
    assert np.median(new["fused, taught attacks"].values) > max(np.median(new["fused"].values), 0.0)


def test_second_tier_features_are_lead_agreement_and_distance():
    witnessed = VlmEvidence(np.array([[0.5, 0.2], [0.1, 0.4]]), np.array([[1.0, 0.0], [0.0, 0.0]]), np.zeros((2, 2)))
    features = witnessed.features(np.array([0, 0]))
    assert features == pytest.approx(np.array([[0.3, 1.0, np.sqrt(0.5)], [-0.3, 0.0, 0.0]]))


def test_the_best_detector_is_chosen_within_its_kind():
    assert best(SCORES, TEST.wrong, "conspect") == "fused"
    named = [name for name in SCORES if KIND_OF[name] == "baseline"]
    areas = {name: measure(SCORES[name], TEST.wrong)["augrc"] for name in named}
    assert best(SCORES, TEST.wrong, "baseline", "augrc") == min(areas, key=lambda name: areas[name])
    with pytest.raises(UserError, match="MONITOR001"):
        best({"fused": SCORES["fused"]}, TEST.wrong, "paper")


def test_missing_parts_are_errors():
    with pytest.raises(UserError, match="MONITOR002"):
        Evaluation.of("nothing", SCORES, np.zeros(len(TEST.wrong), dtype=bool))
    with pytest.raises(UserError, match="MONITOR001"):
        VlmEvidence(np.zeros((2, 2)), np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(UserError, match="MONITOR002"):
        VlmTier.fit(
            Score(np.zeros(2), "suspect"), witness(TRAIN, 1).take(np.arange(2)), np.zeros(2, int), np.ones(2, bool)
        )
    with pytest.raises(UserError, match="MONITOR001"):
        replace(DETECTORS, second_tier=None).scores(TEST.inputs, witness(TEST, 2))


def test_a_formula_is_a_monitor_and_its_margin_the_score():
    text = "property p: predict(x, truck) => (wheels > ears and metallic > hairy)"
    (item,) = parse(text).items
    assert isinstance(item, Property)
    formula = item.formula
    lens = Lens(LENS.alignment, CONCEPT_NAMES, DIRECTIONS)
    strengths, logits = lens.strengths(TEST.inputs.embeddings), TEST.inputs.logits
    monitor = FormulaMonitor(formula, CLASS_NAMES, CONCEPT_NAMES)
    score = monitor.score(logits, strengths)
    for k in range(50):
        gap = logits[k, 0] - max(logits[k, 1:])
        expected = max(-gap, min(strengths[k, 0] - strengths[k, 2], strengths[k, 1] - strengths[k, 3]))
        assert score.values[k] == pytest.approx(expected)
    assert (monitor.violated(logits, strengths) == (score.values < 0)).all()
    assert monitor.violated(logits, strengths).any()
