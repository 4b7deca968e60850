"""The fused detector: features against literal formulas, fitting against a world whose answer is known."""

import math

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.monitor.detectors.baselines import maximum_softmax
from conspect.monitor.fitting.concept_models import ConceptEvidence, ConceptFailureRatio
from conspect.monitor.fitting.fusion import ModelOutputs, fit
from conspect.monitor.runtime import FEATURES, FoldedReadings
from conspect.statistics.detection import Score, measure
from tests.monitor.world import CLASSES, CONCEPTS, READOUT, sample

TRAIN, TEST = sample(1500, 1), sample(1500, 2)
FITTED = fit(READOUT, TRAIN.inputs, TRAIN.labels)


def literal_features(detector, embedding, logits):
    """One input, plain Python on float64."""
    u = detector.folded.weight.astype(float) @ embedding + detector.folded.offset
    s, named, second, evidence = np.split(u, [CONCEPTS, CONCEPTS + CLASSES, CONCEPTS + 2 * CLASSES])
    o = int(np.argmax(logits))
    p = [math.exp(v) for v in logits]
    p = [v / sum(p) for v in p]
    q = [math.exp(detector.sharpness[0] * logit + v) for logit, v in zip(logits, second, strict=True)]
    q = [v / sum(q) for v in q]
    readings = np.concatenate([logits, s])
    gap = detector.whitening.astype(float) @ readings - detector.centres[o]
    return [
        math.log(p[o] / (1 - p[o])) if p[o] < 1 else math.inf,
        logits[o] - max(v for k, v in enumerate(logits) if k != o),
        math.log(sum(math.exp(v) for v in logits)),
        -sum(v * math.log(v) for v in p if v > 0),
        named[o] - max(v for k, v in enumerate(named) if k != o),
        math.log(q[o] / (1 - q[o])),
        evidence[o],
        sum(detector.failure[k] for k in range(CONCEPTS) if s[k] > detector.present[k]),
        math.log(gap @ gap),
    ]


def test_features_are_their_formulas():
    detector = FITTED.detector
    inputs = TEST.inputs.take(np.arange(40))
    logits = inputs.logits.T.astype(np.float32)
    features, outputs = detector.features(logits, detector.folded.readings(inputs.embeddings))
    assert features.shape == (len(FEATURES), 40)
    assert (outputs == inputs.outputs).all()
    for k in range(40):
        expected = literal_features(detector, inputs.embeddings[k].astype(float), inputs.logits[k])
        assert features[:, k] == pytest.approx(expected, rel=1e-4, abs=1e-4)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:overflow:RuntimeWarning")
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("value", [None, np.nan, np.inf, -np.inf])
def test_a_batch_and_its_inputs_one_by_one_get_the_same_suspicion(scale, value):
    detector = FITTED.detector
    z, logits = scale * TEST.inputs.embeddings[:200], scale * TEST.inputs.logits[:200]
    if value is not None:
        z[:50, 3], logits[50:100, 1] = value, value
    together, outputs = detector.suspicion(z, logits)
    alone = [detector.suspicion(z[k : k + 1], logits[k : k + 1]) for k in range(200)]
    assert together == pytest.approx(
        np.concatenate([suspicion for suspicion, _ in alone]), abs=1e-4, rel=1e-5, nan_ok=True
    )
    assert (outputs == np.concatenate([output for _, output in alone])).all()
    assert np.isnan(together).sum() == (0 if value is None else 100)


def test_it_beats_softmax_where_the_lens_sees_what_the_head_overlooks():
    suspicion, _ = FITTED.detector.suspicion(TEST.inputs.embeddings, TEST.inputs.logits)
    fused = measure(Score(suspicion.astype(float), "suspect"), TEST.wrong)
    softmax = measure(maximum_softmax(TEST.inputs.logits), TEST.wrong)
    assert fused["auroc"] > softmax["auroc"] + 0.02
    assert fused["augrc"] < softmax["augrc"]


def test_cross_fitted_scores_are_about_as_good_as_on_new_inputs():
    own = measure(FITTED.cross_fitted, TRAIN.wrong)["auroc"]
    suspicion, _ = FITTED.detector.suspicion(TEST.inputs.embeddings, TEST.inputs.logits)
    assert abs(own - measure(Score(suspicion.astype(float), "suspect"), TEST.wrong)["auroc"]) < 0.04


def test_suspicion_is_a_calibrated_log_odds_of_a_wrong_output():
    suspicion, _ = FITTED.detector.suspicion(TEST.inputs.embeddings, TEST.inputs.logits)
    probability = 1 / (1 + np.exp(-suspicion.astype(float)))
    assert probability.mean() == pytest.approx(TEST.wrong.mean(), abs=0.03)
    assert probability[TEST.wrong].mean() > probability[~TEST.wrong].mean() + 0.2


def test_labels_that_are_noise_teach_nothing():
    labels = np.random.default_rng(0).permutation(TRAIN.labels)
    detector = fit(READOUT, TRAIN.inputs, labels).detector
    suspicion, _ = detector.suspicion(TEST.inputs.embeddings, TEST.inputs.logits)
    wrong = np.random.default_rng(1).permutation(TEST.labels) != TEST.inputs.outputs
    assert abs(measure(Score(suspicion.astype(float), "suspect"), wrong)["auroc"] - 0.5) < 0.08


def test_inputs_given_as_suspect_are_learned():
    far = sample(300, 3, shift=6.0).inputs
    taught = fit(READOUT, TRAIN.inputs, TRAIN.labels, also_suspect=far).detector
    new = sample(300, 4, shift=6.0).inputs
    before, after = (np.median(d.suspicion(new.embeddings, new.logits)[0]) for d in (FITTED.detector, taught))
    assert after > max(float(before), 0.0)


def test_concept_evidence_is_the_log_ratio_of_two_gaussians():
    generator = np.random.default_rng(6)
    outputs = generator.integers(2, size=60_000)
    wrong = generator.random(60_000) < 0.25
    centres = np.array([[[0.0, 0.0], [1.0, 1.0]], [[1.0, 0.5], [1.0, -1.0]]])  # [wrong, class, concept]
    strengths = centres[wrong.astype(int), outputs] + generator.normal(size=(60_000, 2))
    evidence = ConceptEvidence.fit(strengths, outputs, wrong, 2)
    assert evidence.weight.shape == (2, 2)
    for label in (0, 1):
        for point in generator.normal(size=(5, 2)):
            right, other = (-np.square(point - centres[kind, label]).sum() / 2 for kind in (0, 1))
            expected = other - right + math.log(0.25 / 0.75)
            assert evidence.weight[label] @ point + evidence.offset[label] == pytest.approx(expected, abs=0.12)


def test_concept_failure_ratio_counts_failures_of_inputs_with_the_concept():
    strengths = np.array([[0.0, 5.0], [1.0, 4.0], [2.0, 3.0], [3.0, 2.0], [4.0, 1.0], [5.0, 0.0]])
    wrong = np.array([False, False, False, True, True, False])
    ratio = ConceptFailureRatio.fit(strengths, wrong)
    assert ratio.present == pytest.approx([2.5, 2.5])
    rates = [(2 + 20 / 3) / 23, (0 + 20 / 3) / 23]
    expected = [math.log(r / (1 - r)) - math.log(0.5) for r in rates]
    assert ratio.log_odds == pytest.approx(expected)


def test_too_few_failures_and_odd_shapes_are_errors():
    with pytest.raises(UserError, match="MONITOR003"):
        fit(READOUT, TRAIN.inputs, TRAIN.inputs.outputs)
    with pytest.raises(UserError, match="MONITOR001"):
        ModelOutputs(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(UserError, match="MONITOR001"):
        FoldedReadings(np.zeros((5, 2), np.float32), np.zeros(5, np.float32), 2, 2)
