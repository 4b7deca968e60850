"""The second look: its features by hand, what it gains where looks disagree on errors, and its place in a saved monitor."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import special

from conspect.core.diagnostics import UserError
from conspect.monitor.evaluation import Detectors, Training, mean_softmax
from conspect.monitor.fitting.calibration import calibrate
from conspect.monitor.fitting.second_look import fit_second_look
from conspect.monitor.runtime import Monitor
from conspect.monitor.runtime.second_look import LOOK_FEATURES, Looks, look_features
from conspect.statistics.detection import Score, measure
from tests.monitor.fitted import HELD, TEST, TRAIN, WANTED, fitted
from tests.monitor.world import CLASS_NAMES, CONCEPT_NAMES, DIMENSION, HEAD, READOUT, sample

FOLDED = fitted().detector.folded


def looks_at(split, seed, *, moved=0.6):
    """The input itself and two more looks: the true concepts with noise of their own, drawn towards the first look."""
    again = [sample(len(split.labels), seed + k) for k in range(2)]
    centres = np.stack([sample(2000, 50).inputs.embeddings[sample(2000, 50).labels == c].mean(0) for c in range(4)])
    embeddings = [split.inputs.embeddings]
    for draw in again:
        noise = draw.inputs.embeddings - centres[draw.labels]
        true = centres[split.labels]
        embeddings.append((1 - moved) * split.inputs.embeddings + moved * (true + noise))
    stacked = np.stack(embeddings, axis=1).astype(np.float32)
    return Looks(stacked, HEAD(stacked.reshape(-1, DIMENSION)).reshape(len(stacked), 3, -1))


TRAIN_LOOKS, HELD_LOOKS, TEST_LOOKS = looks_at(TRAIN, 60), looks_at(HELD, 70), looks_at(TEST, 80)
FITTED = fit_second_look(FOLDED, fitted().cross_fitted, TRAIN_LOOKS, TRAIN.wrong)


def first_tier(split):
    return fitted().detector.suspicion(split.inputs.embeddings, split.inputs.logits)[0]


def suspicion_of(split, looked):
    return FITTED.second_look.suspicion(looked, first_tier(split), FOLDED)[0]


def test_features_are_what_their_names_say() -> None:
    first = first_tier(TEST)
    features, outputs = look_features(TEST_LOOKS, first, FOLDED, np.ones(FOLDED.concepts))
    by_name = dict(zip(LOOK_FEATURES, features.T, strict=True))
    for k in range(20):
        logits, o = TEST_LOOKS.logits[k], outputs[k]
        probability = special.softmax(logits, axis=1)[:, o]
        odds = np.log(probability) - np.log1p(-probability)
        numerators = READOUT.concepts(TEST_LOOKS.embeddings[k])
        named = READOUT.class_names(TEST_LOOKS.embeddings[k])
        assert o == logits[0].argmax()
        assert by_name["log-odds over looks"][k] == pytest.approx(odds.mean(), rel=1e-3)
        assert by_name["spread"][k] == pytest.approx(odds.std(), rel=1e-3, abs=1e-3)
        assert by_name["agreement"][k] == pytest.approx(np.mean(logits.argmax(1) == o))
        assert by_name["first tier"][k] == first[k]
        rivals = np.delete(named, o, axis=1).max(1)
        assert by_name["lens gap over looks"][k] == pytest.approx((named[:, o] - rivals).mean(), rel=1e-3, abs=1e-4)
        gaps = numerators[:, :, None] - numerators[:, None, :]
        kept = sum((np.abs(gaps[0]) * (gaps[0] * gaps[look] > 0)).sum() for look in (1, 2))
        assert by_name["stability"][k] == pytest.approx(kept / (2 * np.abs(gaps[0]).sum()), rel=1e-3)
        moved = np.sqrt(np.mean(np.square(numerators[1:] - numerators[0])))
        assert by_name["movement"][k] == pytest.approx(moved, rel=1e-3)


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_stability_is_the_mean_over_the_further_looks_however_few_there_are(looks: int) -> None:
    few = Looks(TEST_LOOKS.embeddings[:20, :looks], TEST_LOOKS.logits[:20, :looks])
    features, _ = look_features(few, first_tier(TEST)[:20], FOLDED, np.ones(FOLDED.concepts))
    for k, stability in enumerate(features[:, LOOK_FEATURES.index("stability")].tolist()):
        gaps = [row[:, None] - row[None, :] for row in READOUT.concepts(few.embeddings[k])]
        kept = [(np.abs(gaps[0]) * (gaps[0] * gap > 0)).sum() / np.abs(gaps[0]).sum() for gap in gaps[1:]]
        assert stability == pytest.approx(np.mean(kept) if kept else 0.0, rel=1e-3)
    assert features.shape == (20, len(LOOK_FEATURES))


def test_a_concept_that_never_varied_moves_by_its_own_unit() -> None:
    first, still = first_tier(TEST), np.ones(FOLDED.concepts)
    still[0] = 0
    features, expected = (
        look_features(TEST_LOOKS, first, FOLDED, deviations)[0] for deviations in (still, np.ones(FOLDED.concepts))
    )
    np.testing.assert_array_equal(features, expected)


def test_more_looks_find_more_failures_and_the_suspicion_is_calibrated() -> None:
    suspicion = suspicion_of(TEST, TEST_LOOKS)
    area = measure(Score(suspicion.astype(float), "suspect"), TEST.wrong)["auroc"]
    assert area > measure(Score(first_tier(TEST).astype(float), "suspect"), TEST.wrong)["auroc"] + 0.03
    assert special.expit(suspicion.astype(float)).mean() == pytest.approx(TEST.wrong.mean(), abs=0.03)


def test_looks_given_as_suspect_are_learned() -> None:
    same, new = sample(300, 3), sample(300, 4)  # nothing changes from look to look
    first = first_tier(same)
    taught = fit_second_look(
        FOLDED,
        fitted().cross_fitted,
        TRAIN_LOOKS,
        TRAIN.wrong,
        also_suspect=(first, looks_at(same, 90, moved=0.0)),
    )
    looked = looks_at(new, 95, moved=0.0)
    before, after = (
        np.median(tier.second_look.suspicion(looked, first_tier(new), FOLDED)[0]) for tier in (FITTED, taught)
    )
    assert after > max(float(before) + 1, 0.0)


def monitor_with_looks():
    return calibrate(
        fitted(),
        (TRAIN.inputs, TRAIN.labels),
        (HELD.inputs, HELD.labels),
        class_names=CLASS_NAMES,
        concept_names=CONCEPT_NAMES,
        wanted=WANTED,
        second_look=(FITTED, HELD_LOOKS),
    )[0]


def test_verdicts_from_looks_keep_the_wanted_rates_and_accept_more() -> None:
    monitor = monitor_with_looks()
    looked = monitor.check_looks(TEST_LOOKS.embeddings, TEST_LOOKS.logits)
    once = monitor.check(TEST.inputs.embeddings, TEST.inputs.logits)
    assert (looked.outputs == once.outputs).all()
    assert np.mean(looked.verdicts[~TEST.wrong] == 2) <= WANTED.false_alarms + 0.02
    assert np.mean(TEST.wrong[looked.verdicts == 0]) <= WANTED.accepted_errors + 0.02
    assert (looked.verdicts == 0).sum() > (once.verdicts == 0).sum()
    broken = np.array(TEST_LOOKS.embeddings[:2])
    broken[:, 1, 0] = np.nan
    assert monitor.check_looks(broken, TEST_LOOKS.logits[:2]).names() == ["suspect", "suspect"]


def test_a_saved_monitor_keeps_its_second_look(tmp_path) -> None:
    monitor = monitor_with_looks()
    monitor.save(tmp_path)
    loaded = Monitor.load(tmp_path)
    mine, theirs = (m.check_looks(TEST_LOOKS.embeddings, TEST_LOOKS.logits) for m in (monitor, loaded))
    assert np.array_equal(mine.suspicion, theirs.suspicion)
    assert np.array_equal(mine.verdicts, theirs.verdicts)
    for missing in (
        {"second_look": None, "second_thresholds": None},
        {"second_look": None},
        {"second_thresholds": None},
    ):
        replace(monitor, **missing).save(tmp_path)
        again = Monitor.load(tmp_path)
        assert (again.second_look, again.second_thresholds) == (None, None), missing


def test_the_baseline_with_looks_is_the_mean_probability_of_the_first_output() -> None:
    logits = np.log(np.array([[[0.7, 0.3], [0.2, 0.8]]]))
    score = mean_softmax(logits)
    assert (score.values[0], score.higher_means) == (pytest.approx(0.45), "normal")


def test_all_tiers_have_scores_and_too_few_or_other_looks_are_errors() -> None:
    training = Training(TRAIN.inputs.embeddings, TRAIN.labels, HEAD)
    detectors = Detectors.fit(READOUT, training, TRAIN.inputs, TRAIN.labels, looked=TRAIN_LOOKS)
    scores = detectors.scores(TEST.inputs, None, TEST_LOOKS)
    assert {"fused, second look", "maximum softmax over looks"} <= set(scores)
    with pytest.raises(UserError, match="MONITOR001"):
        monitor_with_looks().check_looks(TEST_LOOKS.embeddings[:, :2], TEST_LOOKS.logits[:, :2])
    with pytest.raises(UserError, match="MONITOR001"):
        replace(monitor_with_looks(), second_look=None).check_looks(TEST_LOOKS.embeddings, TEST_LOOKS.logits)
    with pytest.raises(UserError, match="MONITOR001"):
        Looks(np.zeros((3, 2, 4)), np.zeros((3, 4)))
    with pytest.raises(UserError, match="MONITOR002"):
        fit_second_look(FOLDED, fitted().cross_fitted, TRAIN_LOOKS, np.zeros(len(TRAIN.labels), dtype=bool))
