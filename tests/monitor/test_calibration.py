"""Thresholds, verdicts and reasons on a world whose answer is known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from conspect.core.diagnostics import OutsideError, UserError
from conspect.monitor.fitting.calibration import report, thresholds
from conspect.monitor.runtime import ACCEPT, SUSPECT, UNCERTAIN, Monitor, Reason, Thresholds
from conspect.monitor.runtime.guarantee import Guarantee, TargetRates
from conspect.statistics.detection import Score
from tests.monitor.fitted import HELD, TEST, TRAIN, WANTED, fitted, monitor_and_guarantee
from tests.monitor.world import CLASS_NAMES, CONCEPT_NAMES, READOUT

FITTED = fitted()
MONITOR, GUARANTEE = monitor_and_guarantee()


def test_the_third_split_keeps_what_the_thresholds_promise():
    kept = report(MONITOR.check(TEST.inputs.embeddings, TEST.inputs.logits).verdicts, TEST.wrong)
    assert kept.false_alarms[0] <= 0.1
    assert kept.false_alarms[0] > 0.05  # and does not waste it
    assert kept.errors_among_accepted[0] <= 0.1
    assert kept.accepted[0] > 0.2
    assert kept.failures_flagged[0] > 0.3
    assert GUARANTEE.accepts
    assert GUARANTEE.images == len(HELD.labels)


def test_false_alarm_rate_over_many_calibration_splits_is_as_promised():
    suspicion, _ = FITTED.detector.suspicion(TEST.inputs.embeddings, TEST.inputs.logits)
    normal = Score(suspicion.astype(float), "suspect")
    generator, rates = np.random.default_rng(9), []
    for _ in range(200):
        rows = generator.permutation(len(TEST.wrong))
        held, new = rows[:200], rows[200:]
        limits, _ = thresholds(
            (FITTED.cross_fitted, TRAIN.wrong),
            (Score(normal.values[held], "suspect"), TEST.wrong[held]),
            WANTED,
        )
        rates.append(np.mean(normal.values[new][~TEST.wrong[new]] > limits.suspect))
    assert np.mean(np.asarray(rates) <= 0.1) > 0.9  # promised: 0.95
    assert np.mean(rates) > 0.04  # and not by flagging nothing


def test_verdicts_follow_the_thresholds():
    decisions = MONITOR.check(TEST.inputs.embeddings, TEST.inputs.logits)
    low, high = MONITOR.thresholds.accept, MONITOR.thresholds.suspect
    expected = np.where(decisions.suspicion <= low, ACCEPT, np.where(decisions.suspicion <= high, UNCERTAIN, SUSPECT))
    assert (decisions.verdicts == expected).all()
    assert set(decisions.names()) <= {"accept", "uncertain", "suspect"}
    wide = replace(MONITOR, thresholds=Thresholds(-1.0, 1.0))
    assert set(wide.check(TEST.inputs.embeddings, TEST.inputs.logits).names()) == {"accept", "uncertain", "suspect"}


def test_nan_and_infinity_are_never_accepted():
    embeddings = TEST.inputs.embeddings[:3].copy()
    embeddings[0, 0], embeddings[1, 0], embeddings[2, 0] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        assert (MONITOR.check(embeddings, TEST.inputs.logits[:3]).verdicts == SUSPECT).all()
        logits = np.full((1, 4), np.nan)
        assert (MONITOR.check(TEST.inputs.embeddings[:1], logits).verdicts == SUSPECT).all()


def test_nothing_is_accepted_when_the_bound_cannot_be_certified():
    wanted = TargetRates(accepted_errors=0.001)
    scores = (Score(np.linspace(0, 1, 100), "suspect"), np.arange(100) > 90)
    limits, guarantee = thresholds(scores, scores, wanted)
    assert limits.accept == -np.inf
    assert not guarantee.accepts
    assert "Nothing is accepted" in guarantee.sentences()[1]


def test_a_bound_on_errors_of_all_inputs_lowers_the_accept_threshold():
    split = (FITTED.cross_fitted, TRAIN.wrong)
    loose, _ = thresholds(split, split, WANTED)
    tight, guarantee = thresholds(split, split, replace(WANTED, errors_of_all=0.005))
    assert tight.accept < loose.accept
    accepted = split[0].suspicion <= tight.accept
    assert (accepted & split[1]).mean() <= 0.005
    assert "0.5%," in guarantee.sentences()[2]


def test_too_small_a_calibration_split_is_an_error():
    few = (Score(np.arange(9.0), "suspect"), np.arange(9) == 8)
    with pytest.raises(UserError, match="MONITOR003"):
        thresholds(few, few, TargetRates(false_alarms=0.05))
    with pytest.raises(UserError, match="MONITOR005"):
        Thresholds(accept=2.0, suspect=1.0)
    with pytest.raises(UserError, match="MONITOR001"):
        MONITOR.check(TEST.inputs.embeddings[:, :5], TEST.inputs.logits)


def test_reasons_are_seen_pairs_commoner_among_wrong_outputs_strongest_first():
    rows = np.flatnonzero(TEST.wrong)[:30]
    some = 0
    for row in rows:
        embedding, output = TEST.inputs.embeddings[row], int(TEST.inputs.outputs[row])
        numerators = READOUT.concepts(embedding[None])[0]
        reasons = MONITOR.reasons(embedding, output, limit=3)
        some += len(reasons)
        ratios = [reason.among_wrong / reason.among_right for reason in reasons]
        assert ratios == sorted(ratios, reverse=True)
        for reason in reasons:
            i, j = CONCEPT_NAMES.index(reason.stronger), CONCEPT_NAMES.index(reason.weaker)
            assert numerators[i] > numerators[j]
            assert reason.among_wrong > reason.among_right
            assert reason.output == CLASS_NAMES[output]
    assert some > 30


def test_the_strongest_reason_is_the_pair_with_the_largest_ratio():
    embedding, output = TEST.inputs.embeddings[0], int(TEST.inputs.outputs[0])
    numerators = READOUT.concepts(embedding[None])[0]
    right, wrong = (shares[output].reshape(6, 6) for shares in (MONITOR.right_shares, MONITOR.wrong_shares))
    best = max((wrong[i, j] / right[i, j], i, j) for i in range(6) for j in range(6) if numerators[i] > numerators[j])
    reason = MONITOR.reasons(embedding, output, limit=1)[0]
    assert (reason.stronger, reason.weaker) == (CONCEPT_NAMES[best[1]], CONCEPT_NAMES[best[2]])


def test_concepts_that_are_not_seen_are_no_reason_and_stay_so_on_disk(tmp_path):
    embedding, output = TEST.inputs.embeddings[0], int(TEST.inputs.outputs[0])
    best = MONITOR.reasons(embedding, output, limit=1)[0]
    replace(MONITOR, silent=(best.stronger,)).save(tmp_path)
    loaded = Monitor.load(tmp_path)
    assert loaded.silent == (best.stronger,)
    every = [
        loaded.reasons(row, int(out))
        for row, out in zip(TEST.inputs.embeddings[:50], TEST.inputs.outputs, strict=False)
    ]
    named = {name for reasons in every for reason in reasons for name in (reason.stronger, reason.weaker)}
    assert named == set(CONCEPT_NAMES) - {best.stronger}
    assert replace(MONITOR, silent=tuple(CONCEPT_NAMES)).reasons(embedding, output) == []


def test_what_is_weaker_in_a_reason_is_what_the_class_shows_where_that_is_known(tmp_path):
    own = tuple((CONCEPT_NAMES[k % len(CONCEPT_NAMES)],) for k in range(len(MONITOR.class_names)))
    replace(MONITOR, own=own).save(tmp_path)
    loaded = Monitor.load(tmp_path)
    assert loaded.own == own
    seen = 0
    for row, out in zip(TEST.inputs.embeddings[:50], TEST.inputs.outputs, strict=False):
        names = own[int(out)]
        reasons = loaded.reasons(row, int(out), limit=100)
        kept = [reason for reason in MONITOR.reasons(row, int(out), limit=1) if reason.weaker in names]
        assert all(reason.weaker in names for reason in reasons)
        assert reasons[:1] == kept or not kept
        seen += len(reasons)
    assert seen > 10
    assert replace(MONITOR, own=((),) * len(own)).reasons(TEST.inputs.embeddings[0], 0) == []


@pytest.mark.parametrize("own", [[["a"]], ["a"], [[1], [2]], "ab"])
def test_a_file_that_says_of_no_class_what_it_shows_is_refused(tmp_path, own):
    MONITOR.save(tmp_path)
    path = tmp_path / "monitor.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "own": own}))
    with pytest.raises(OutsideError, match="MONITOR004"):
        Monitor.load(tmp_path)


def test_a_reason_reads_as_a_sentence():
    text = str(Reason("truck", "ears", "metallic", 0.03, 0.41))
    assert text == (
        "ears is stronger than metallic: so in 3% of the inputs rightly called truck and in 41% of those wrongly called so"
    )


def test_where_nothing_can_be_accepted_it_says_how_many_inputs_would_do() -> None:
    rng = np.random.default_rng(0)
    suspicion = rng.normal(size=120)
    wrong = rng.random(120) < np.clip(0.02 + 0.2 * (suspicion > 1), 0, 1)
    parts = (Score(suspicion, "suspect"), wrong)
    limits, guarantee = thresholds(parts, parts, TargetRates(accepted_errors=0.03))
    assert not np.isfinite(limits.accept)
    assert guarantee.needed is not None
    assert f"You need about {guarantee.needed:,} of them" in " ".join(guarantee.sentences())
    times = int(np.ceil(guarantee.needed / 120)) + 1
    more = (Score(np.tile(suspicion, times), "suspect"), np.tile(wrong, times))
    assert np.isfinite(thresholds(more, more, TargetRates(accepted_errors=0.03))[0].accept)
    hopeless = (Score(suspicion, "suspect"), rng.random(120) < 0.5)
    _, none = thresholds(hopeless, hopeless, TargetRates(accepted_errors=0.001))
    assert none.needed is None
    assert "More of them would not either" in " ".join(none.sentences())


def test_a_small_rate_is_promised_as_it_was_asked_and_no_confidence_is_rounded_to_certainty():
    strict = Guarantee(TargetRates(1e-5, 0.0005, 0.9995), images=10, wrong=1, accepts=True)
    first, second = strict.sentences()
    assert first.startswith("With confidence 99.95%, at most 0.001% of the right outputs are called suspect")
    assert second.startswith("With confidence 99.95%, at most 0.05% of the accepted outputs are wrong")


def test_a_share_next_to_all_or_nothing_is_not_told_as_either():
    assert str(Reason("truck", "ears", "metallic", 0.999, 0.001)).endswith(
        "so in over 99% of the inputs rightly called truck and in under 1% of those wrongly called so"
    )
