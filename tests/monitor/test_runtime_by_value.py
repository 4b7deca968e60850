"""The run-time half by value: bets and windows of a stream, what files may say, what a network returns, single images."""

import hashlib
import json
import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conspect.core.diagnostics import ConspectError, UserError
from conspect.monitor.runtime import identity as of_identity
from conspect.monitor.runtime import storage, suspicion
from conspect.monitor.runtime.decisions import SUSPECT, Decisions, Reason, Thresholds
from conspect.monitor.runtime.detector import MANY, ONE
from conspect.monitor.runtime.guarantee import Guarantee, TargetRates
from conspect.monitor.runtime.header import StoredThresholds, header_of
from conspect.monitor.runtime.identity import Identity
from conspect.monitor.runtime.looks import LOOKS, Look, axis_of_height
from conspect.monitor.runtime.replay import COARSE, LEAST_SHARE, TOLERANCE, Ending, Replay, replay_of
from conspect.monitor.runtime.second_look import LOOK_FEATURES, Looks, SecondLook, look_features
from conspect.monitor.runtime.stream import DriftWatch, Stream
from tests.monitor.fitted import TEST, monitor_and_guarantee

MONITOR, GUARANTEE = monitor_and_guarantee()

# ---------------------------------------------------------------- streams

BETS = (0.02, 0.05, 0.1, 0.2, 0.4)


def test_bets_are_those_of_the_page_over_what_a_gap_can_be() -> None:
    reference = np.arange(100.0)[:, None]
    watch = DriftWatch(reference)
    assert watch.slack == pytest.approx(math.sqrt(math.log(2 / 0.01) / 600))
    assert DriftWatch(np.zeros((100, 3)), doubt=0.05).slack == pytest.approx(math.sqrt(math.log(6 / 0.05) / 600))
    products: defaultdict[tuple[float, int], float] = defaultdict(lambda: 1.0)
    sums: defaultdict[tuple[float, int], float] = defaultdict(float)
    readings = np.array([150.0, -3.0, 20.0, 20.5, 99.0, 60.0, np.nan])
    highest = 0.0
    for value in readings:
        below = (
            100 if np.isnan(value) else sum(value > r for r in range(100)) + 0.5 * sum(value == r for r in range(100))
        )
        gap = below / 100 - 0.5
        for bet in BETS:
            for side in (1, -1):
                factor = 1 + bet / (0.5 + watch.slack) * (side * gap - watch.slack)
                products[bet, side] *= factor
                sums[bet, side] = (sums[bet, side] + 1) * factor
        highest = max(highest, sum(sums.values()) / 10)
    assert watch.update(readings[None]) == pytest.approx(highest)
    assert watch.wealth == pytest.approx(sum(products.values()) / 10)
    assert watch.evidence == pytest.approx(sum(sums.values()) / 10)
    assert watch.seen == 7


@pytest.mark.filterwarnings("error")
def test_winnings_end_at_a_number_that_stays_finite() -> None:
    watch = DriftWatch(np.arange(2000.0)[:, None])
    for _ in range(12):
        watch.update(np.full((1, 1000), 1e9))
    # One of ten bets, or some, are at the limit of 1e250, and the mean is over all ten.
    assert watch.wealth == pytest.approx(1e249 * round(watch.wealth / 1e249))
    assert 1e249 <= watch.wealth <= 5e249
    assert 1e249 <= watch.evidence <= 5e249


def test_nothing_is_bet_where_the_slack_leaves_no_room() -> None:
    # sqrt(log(200) / (6 n)) is 1/2 at n = 3.53.
    assert DriftWatch(np.arange(3.0)[:, None]).slack > 0.5 > DriftWatch(np.arange(4.0)[:, None]).slack
    few, more = DriftWatch(np.arange(3.0)[:, None]), DriftWatch(np.arange(4.0)[:, None])
    for watch in (few, more):
        watch.update(np.full((1, 9), 99.0))
    assert few.wealth == 1.0
    assert more.wealth != 1.0


@pytest.mark.parametrize(
    ("reference", "doubt"),
    [
        (np.zeros(3), 0.1),
        (np.zeros((0, 2)), 0.1),
        (np.full((2, 2), np.nan), 0.1),
        (np.zeros((2, 2)), 0.0),
        (np.zeros((2, 2)), 1.0),
    ],
)
def test_a_reference_that_says_nothing_is_refused(reference: Any, doubt: float) -> None:
    with pytest.raises(UserError):
        DriftWatch(reference, doubt=doubt)
    assert DriftWatch(np.zeros((1, 2)), doubt=0.5).seen == 0


def test_readings_that_drift_are_named_with_their_side_most_first() -> None:
    generator = np.random.default_rng(0)
    watch = DriftWatch(generator.normal(size=(800, 5)))
    new = generator.normal(size=(5, 60)) + np.array([0.0, 3.0, -1.0, 0.0, 2.0])[:, None]
    watch.update(new)
    assert watch.drifted() == [(1, 1), (4, 1), (2, -1)]
    assert watch.drifted(1) == [(1, 1)]


def decided(outputs: list[int], verdicts: list[int]) -> tuple[Decisions, Any]:
    count = len(outputs)
    suspicions = np.zeros(count, dtype=np.float32)
    return Decisions(np.array(outputs), suspicions, np.array(verdicts, dtype=np.int8)), np.zeros((2, count))


def test_windows_hold_the_last_inputs_of_each_class() -> None:
    stream = Stream(("a", "b"), ("k", "l"), np.random.default_rng(0).normal(size=(50, 3)), window=3)
    status = stream.status()
    assert (status.seen, status.alarms, status.drift_alarm) == (0, 0, False)
    assert math.isnan(status.alarm_rate)
    assert all(math.isnan(rate) for rate in status.window_alarm_rates[:2])
    stream.update(*decided([0, 0, 1], [SUSPECT, 0, 1]))
    assert stream.status().window_counts == (2, 1)
    assert stream.status().window_alarm_rates == (0.5, 0.0)
    stream.update(*decided([0, 0, 1], [SUSPECT, SUSPECT, SUSPECT]))
    status = stream.status()
    # Of class a the last three: not, suspect, suspect.
    assert status.window_counts == (3, 2)
    assert status.window_alarm_rates == pytest.approx((2 / 3, 0.5))
    assert (status.seen, status.alarms, status.alarm_rate) == (6, 4, 4 / 6)
    assert {name for name, _ in status.drifted} == {"k", "l", "suspicion"}


@pytest.mark.parametrize("limit", [1, 10**9])
def test_drift_is_reported_from_the_limit_on_until_it_is_acknowledged(limit: int) -> None:
    reference = np.random.default_rng(0).normal(size=(500, 3))
    stream = Stream(("a",), ("k", "l"), reference, mean_time_to_false_alarm=limit, doubt=0.2)
    assert stream.drift.slack == DriftWatch(reference, doubt=0.2).slack
    decisions, _ = decided([0] * 40, [0] * 40)
    stream.update(decisions, np.full((2, 40), 9.0))
    assert stream.drift_alarm is (limit == 1)
    stream.update(*decided([0], [0]))
    assert stream.drift_alarm is (limit == 1)
    assert stream.drift.seen == 41
    stream.acknowledge()
    assert (stream.drift_alarm, stream.drift.seen) == (False, 0)
    assert stream.drift.slack == DriftWatch(reference, doubt=0.2).slack
    for shape, window in (((500, 2), 3), ((500, 4), 3), ((500,), 3), ((500, 3), 0)):
        with pytest.raises(UserError):
            Stream(("a",), ("k", "l"), np.zeros(shape), window=window)
    assert Stream(("a",), ("k", "l"), reference, window=1).seen == 0


def test_a_monitor_s_stream_has_its_own_defaults() -> None:
    stream = MONITOR.stream()
    assert stream._limit == 1_000_000
    assert stream._window.shape == (4, 200)
    own = MONITOR.stream(mean_time_to_false_alarm=7, window=9)
    assert (own._limit, own._window.shape) == (7, (4, 9))


# ---------------------------------------------------------------- verdicts and reasons


def test_verdicts_at_the_thresholds_are_on_the_lenient_side_and_nan_is_suspect() -> None:
    verdicts = Thresholds(-1.0, 2.0).verdicts(np.array([-2, -1, -0.5, 2, 2.5, np.nan], dtype=np.float32))
    assert verdicts.tolist() == [0, 0, 1, 1, 2, 2]
    assert Decisions(np.zeros(3, int), np.zeros(3, np.float32), np.array([0, 1, 2], np.int8)).names() == [
        "accept",
        "uncertain",
        "suspect",
    ]
    assert Thresholds(1.0, 1.0).accept == 1.0
    with pytest.raises(UserError):
        Thresholds(1.5, 1.0)


def test_reasons_are_the_pairs_that_speak_most_against_each_concept_once_a_side() -> None:
    embedding, concepts = TEST.inputs.embeddings[3], 6
    numerators = MONITOR.numerators(embedding[None])[:, 0]
    for output in range(4):
        right, wrong = (
            shares[output].reshape(concepts, concepts) for shares in (MONITOR.right_shares, MONITOR.wrong_shares)
        )
        pairs = [
            (-wrong[i, j] * math.log(wrong[i, j] / right[i, j]), i * concepts + j, i, j)
            for i in range(concepts)
            for j in range(concepts)
            if numerators[i] > numerators[j] and wrong[i, j] > right[i, j]
        ]
        expected: list[Reason] = []
        lefts: set[int] = set()
        rights: set[int] = set()
        for _, _, i, j in sorted(pairs):
            if i not in lefts and j not in rights:
                lefts.add(i)
                rights.add(j)
                names = MONITOR.class_names[output], MONITOR.concept_names[i], MONITOR.concept_names[j]
                expected.append(Reason(*names, float(right[i, j]), float(wrong[i, j])))
        assert MONITOR.reasons(embedding, output, limit=9) == expected
        assert MONITOR.reasons(embedding, output) == expected[:3]
        assert MONITOR.reasons(embedding, output, limit=1) == expected[:1]
    # What is as common among wrong outputs as among right ones is no reason.
    alike = replace(MONITOR, wrong_shares=MONITOR.right_shares)
    assert [alike.reasons(embedding, output) for output in range(4)] == [[]] * 4


@pytest.mark.parametrize(
    ("embeddings", "logits"),
    [((5, 12), (5, 3)), ((5, 12), (4, 4)), ((5, 11), (5, 4)), ((5, 2, 12), (5, 4)), ((12,), (4,))],
)
def test_arrays_of_another_shape_are_refused(embeddings: tuple[int, ...], logits: tuple[int, ...]) -> None:
    with pytest.raises(UserError, match=r"embeddings are \[image, 12\], logits \[image, 4\]"):
        MONITOR.check(np.zeros(embeddings, np.float32), np.zeros(logits, np.float32))


def test_one_image_is_decided_as_many_are() -> None:
    inputs = TEST.inputs
    many = MONITOR.check(inputs.embeddings[:50], inputs.logits[:50])
    for row in range(50):
        one = MONITOR.check(inputs.embeddings[row : row + 1], inputs.logits[row : row + 1])
        assert one.outputs.tolist() == [many.outputs[row]]
        assert one.suspicion[0] == pytest.approx(many.suspicion[row], rel=1e-3, abs=1e-3)


def test_operations_on_one_image_are_those_on_many() -> None:
    table = np.arange(12, dtype=np.float32).reshape(3, 4)
    x = np.array([0.5, -2.0, 3.0, 3.0], dtype=np.float32)
    across = x[:, None]
    weight = np.array([[1, 2, 3, 4], [0, -1, 0, 1]], dtype=np.float32)
    assert ONE.linear(x, weight).tolist() == MANY.linear(across, weight)[:, 0].tolist() == [17.5, 5.0]
    assert [part.tolist() for part in ONE.split(x, (1, 2, 1))] == [[0.5], [-2.0, 3.0], [3.0]]
    assert [part[:, 0].tolist() for part in MANY.split(across, (1, 2, 1))] == [[0.5], [-2.0, 3.0], [3.0]]
    assert ONE.largest_place(x) == MANY.largest_place(across)[0] == 2
    assert ONE.chosen(x, 1) == MANY.chosen(across, np.array([1]))[0] == -2.0
    lowest = float(np.float32(-1e30))
    assert (
        ONE.without(x.copy(), 2).tolist()
        == MANY.without(across.copy(), np.array([2]))[:, 0].tolist()
        == [0.5, -2.0, lowest, 3.0]
    )
    assert np.float32(-1e30) == suspicion.LOWEST
    assert ONE.rows(table, 1).tolist() == MANY.rows(table, np.array([1]))[:, 0].tolist() == [4, 5, 6, 7]
    assert ONE.sum(x) == MANY.sum(across)[0] == 4.5
    assert ONE.largest(x) == MANY.largest(across)[0] == 3.0
    gaps = [a - b for a in x.tolist() for b in x.tolist()]
    assert ONE.gaps(x).tolist() == MANY.gaps(across)[:, 0].tolist() == gaps
    assert (
        ONE.above(x, np.float32(0.5)).tolist()
        == MANY.above(across, np.array([0.5], dtype=np.float32))[:, 0].tolist()
        == [0, 0, 1, 1]
    )
    assert (ONE.same_place(2, 2), ONE.same_place(2, 1)) == (1.0, 0.0)
    assert MANY.same_place(np.array([2, 2]), np.array([2, 1])).tolist() == [1.0, 0.0]
    with np.errstate(all="ignore"):
        assert (ONE.log(0.0), ONE.log(1.0)) == (-math.inf, 0.0)
        assert math.isnan(ONE.log(-1.0))
    assert (ONE.at_least(2.0, np.float32(1)), ONE.at_least(0.5, np.float32(1))) == (2.0, 1.0)
    assert math.isnan(ONE.at_least(math.nan, np.float32(1)))
    assert (
        ONE.at_most(x, np.float32(1)).tolist()
        == MANY.at_most(across, np.float32(1))[:, 0].tolist()
        == [0.5, -2.0, 1.0, 1.0]
    )
    assert [ONE.root(9.0), *MANY.root(np.array([9.0], dtype=np.float32)).tolist()] == [3.0, 3.0]
    assert suspicion.LARGEST_SQUARE == 36
    assert pytest.approx(1e-7) == suspicion.LEAST_PROBABILITY


# ---------------------------------------------------------------- looks


def test_features_of_looks_are_those_of_loops() -> None:
    rng = np.random.default_rng(0)
    folded, looks = MONITOR.detector.folded, 3
    embeddings = TEST.inputs.embeddings[:20, None] + 0.3 * rng.normal(size=(20, looks, 12)).astype(np.float32)
    logits = TEST.inputs.logits[:20, None] + rng.normal(size=(20, looks, 4))
    deviation, first = np.array([1.0, 2.0, 0.0, 1.0, 0.5, 1.0]), rng.normal(size=20)
    values, outputs = look_features(Looks(embeddings, logits), first, folded, deviation)
    for image in range(20):
        output = int(logits[image, 0].argmax())
        assert outputs[image] == output
        odds, leads, agreeing, kept, moved = [], [], 0, 0.0, 0.0
        before = folded.readings(embeddings[image, 0][None])[:6, 0].astype(float)
        for look in range(looks):
            shares = np.exp(logits[image, look] - logits[image, look].max())
            own, rest = max(shares[output], 1e-7), max(np.delete(shares, output).sum(), 1e-7)
            odds.append(math.log(own / rest))
            readings = folded.readings(embeddings[image, look][None])[:, 0].astype(float)
            named = readings[6:10]
            leads.append(named[output] - np.delete(named, output).max())
            agreeing += int(logits[image, look].argmax() == output)
            if look:
                numerators = readings[:6]
                kept += sum(
                    abs(before[i] - before[j])
                    for i in range(6)
                    for j in range(6)
                    if (numerators[i] - numerators[j]) * (before[i] - before[j]) > 0
                )
                moved += sum(((numerators - before) / np.where(deviation > 0, deviation, 1)) ** 2)
        whole = 2 * sum(abs(a - b) for a in before for b in before)
        expected = [
            np.mean(odds),
            first[image],
            np.mean(leads),
            agreeing / 3,
            np.std(odds),
            kept / whole,
            math.sqrt(moved / 12),
        ]
        assert values[image] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_single_look_survives_nothing_and_moves_nowhere() -> None:
    looked = Looks(TEST.inputs.embeddings[:3, None], TEST.inputs.logits[:3, None])
    values, _ = look_features(looked, np.zeros(3), MONITOR.detector.folded, np.ones(6))
    assert values[:, 3].tolist() == [1.0] * 3
    assert values[:, 4:].tolist() == [[0.0, 0.0, 0.0]] * 3
    assert len(looked) == 3
    assert looked.take(np.array([True, False, True])).logits.shape == (2, 1, 4)


@pytest.mark.parametrize(
    ("embeddings", "logits"), [((3, 2), (3, 2, 4)), ((3, 2, 5), (3, 2)), ((3, 2, 5), (3, 1, 4)), ((2, 2, 5), (3, 2, 4))]
)
def test_looks_of_another_number_are_refused(embeddings: tuple[int, ...], logits: tuple[int, ...]) -> None:
    with pytest.raises(UserError):
        Looks(np.zeros(embeddings), np.zeros(logits))
    five = np.zeros(7, dtype=np.float32)
    tier = SecondLook(
        3, np.ones(6, np.float32), five, five, np.zeros((2, 7), np.float32), np.zeros(4, np.float32), LOOKS[:1]
    )
    with pytest.raises(UserError):
        tier.required_looks()
    assert replace(tier, further=LOOKS[:2]).required_looks() == LOOKS[:2]
    with pytest.raises(UserError, match="4 looks at each image, but it was fitted with 3"):
        tier.features(Looks(np.zeros((2, 4, 12)), np.zeros((2, 4, 4))), np.zeros(2), MONITOR.detector.folded)


def test_places_of_a_look_are_moved_by_sixteenths_and_repeat_the_edge() -> None:
    rows, columns = Look(True, -1, 2).places(32, 16)
    assert rows.tolist() == [min(k + 2, 31) for k in range(32)]
    assert columns.tolist() == [max(k - 2, 0) for k in reversed(range(16))]
    assert (Look(True, 0, 0), Look(False, 0, 1), Look(True, -1, -1)) == LOOKS
    assert [axis_of_height(shape) for shape in ((3, 9, 9), (1, 9, 9), (9, 9, 3), (5, 9, 9, 1), (2, 3, 9, 9))] == [
        1,
        1,
        0,
        1,
        2,
    ]
    for shape in ((9, 9), (3, 3), (2, 9, 9), (9, 9, 4)):
        with pytest.raises(UserError):
            axis_of_height(shape)


# ---------------------------------------------------------------- what a network returns


def test_tolerances_of_what_is_returned() -> None:
    assert (TOLERANCE, COARSE, LEAST_SHARE, of_identity.TOLERANCE) == (1e-3, 2e-2, 1e-4, 0.05)
    made = np.array([[1.0, -4.0], [2.0, 0.5]], dtype=np.float32)
    # A thousandth of the largest logit, 4.
    for off, same in ((0.0039, True), (0.0041, False)):
        moved = made + np.array([[off, 0.0], [0.0, 0.0]], dtype=np.float32)
        assert (replay_of(made, moved) == Replay(Ending.NONE, 1.0)) is same
    tiny = np.asarray(made / 100, dtype=np.float32)
    for off, same in ((0.0009, True), (0.0011, False)):
        assert (
            replay_of(tiny, tiny + np.array([[off, 0], [0, 0]], dtype=np.float32)) == Replay(Ending.NONE, 1.0)
        ) is same
    scaled = replay_of(made, 3 * made)
    assert scaled is not None
    assert scaled.scale == pytest.approx(3.0)
    assert replay_of(made, -made) is None
    assert replay_of(np.zeros((2, 2), np.float32), made) is None
    # Logits that are all alike fit a softmax at every temperature, so that none is told.
    assert replay_of(np.zeros((2, 4), np.float32), np.full((2, 4), 0.25, np.float32)) is None
    assert replay_of(made, made[:1]) is None
    assert replay_of(made[0], made[0]) is None


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.0005, 2.0])
def test_endings_are_told_with_their_temperature(scale: float) -> None:
    made = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32) * 3
    logs = scale * made - np.log(np.exp(scale * made).sum(axis=1, keepdims=True))
    for returned, ending in ((logs, Ending.LOG_SOFTMAX), (np.exp(logs), Ending.SOFTMAX)):
        replay = replay_of(made, returned.astype(np.float32))
        assert replay is not None
        assert replay.ending is ending
        assert replay.scale == (1.0 if abs(scale - 1) < 1e-3 else pytest.approx(scale, rel=1e-4))
        assert replay.logits(made, returned) == pytest.approx(replay.scale * made)
        assert replay_of(made, (returned + np.linspace(0, 0.2, 5)).astype(np.float32)) is None
    assert Replay(Ending.NONE, 2.0).logits(made, logs) is logs


# ---------------------------------------------------------------- files


def header(**changes: Any) -> dict[str, Any]:
    nothing: Any = {"accept": None, "suspect": None}
    rates = {"false_alarms": 0.1, "accepted_errors": 0, "confidence": 0.95, "errors_of_all": None}
    whole = {
        "format": "conspect monitor", "version": 2, "arrays": "a", "sha256": "b", "features": ["f"], "classes": ["c"],
        "concepts": ["k"], "thresholds": {"accept": -1, "suspect": 2.5},
        "second_look": {"looks": 2, "further": [[True, 0, -1]], "features": ["x"], "thresholds": nothing},
        "identity": {"model_name": "m", "model_digest": "d", "lens_digest": "l", "probe_shape": [3, 8]},
        "guarantee": {"wanted": rates, "images": 9, "wrong": 1, "accepts": True},
    }  # fmt: skip
    return whole | changes


def test_a_header_is_read_as_it_says() -> None:
    read = header_of(header())
    assert (read.classes, read.concepts, read.features) == (("c",), ("k",), ("f",))
    assert read.thresholds == StoredThresholds(-1.0, 2.5)
    assert read.thresholds.thresholds() == Thresholds(-1.0, 2.5)
    assert read.second_look is not None
    assert (read.second_look.looks, read.second_look.further) == (2, ((True, 0, -1),))
    assert read.second_look.thresholds.thresholds() == Thresholds(-math.inf, math.inf)
    assert read.identity is not None
    assert read.identity.probe_shape == (3, 8)
    assert read.guarantee == Guarantee(TargetRates(0.1, 0.0, 0.95, None), 9, 1, True, None)
    bare = header_of(header(second_look=None, identity=None, guarantee=None))
    assert (bare.second_look, bare.identity, bare.guarantee) == (None, None, None)
    assert StoredThresholds.of(Thresholds(-math.inf, 3.0)) == StoredThresholds(None, 3.0)
    own = header()["guarantee"] | {"needed": 40, "accepts": 1}
    own["wanted"] = own["wanted"] | {"errors_of_all": 0.25}
    guarantee = header_of(header(guarantee=own)).guarantee
    assert guarantee == Guarantee(TargetRates(0.1, 0.0, 0.95, 0.25), 9, 1, False, 40)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "x"}, "does not describe a monitor"), ({"version": 3}, "of version 3"),
        ({"arrays": 1}, "arrays is no text"),
        ({"sha256": None}, "sha256 is no text"), ({"features": "f"}, "features is no list"),
        ({"features": [1]}, "features is no list of texts"),
        ({"classes": []}, "lists of names"), ({"concepts": []}, "lists of names"),
        ({"thresholds": []}, "thresholds is no table"),
        ({"thresholds": {"accept": "1", "suspect": 2}}, "accept is no number"),
        ({"thresholds": {"accept": True, "suspect": 2}}, "accept is no number"),
        ({"second_look": []}, "second_look is no table"),
        ({"second_look": header()["second_look"] | {"looks": 2.0}}, "looks is no whole number"),
        ({"second_look": header()["second_look"] | {"looks": True}}, "looks is no whole number"),
        ({"second_look": header()["second_look"] | {"further": [[1, 0, 0]]}}, "a look is mirrored"),
        ({"second_look": header()["second_look"] | {"further": [[True, 0]]}}, "a look is mirrored"),
        ({"identity": header()["identity"] | {"probe_shape": [3, 8.0]}}, "no list of whole numbers"),
        ({"identity": header()["identity"] | {"model_name": None}}, "model_name is no text"),
        ({"guarantee": header()["guarantee"] | {"images": "9"}}, "images is no whole number"),
        ({"guarantee": header()["guarantee"] | {"wanted": None}}, "wanted is no table"),
    ],
)  # fmt: skip
def test_a_header_that_says_something_else_is_refused_by_name(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        header_of(header(**changes))


@pytest.mark.parametrize(
    ("shape", "fine"),
    [
        ([1, 1], True),
        ([65535, 1024], True),
        ([65536, 1], False),
        ([0, 4], False),
        ([8192, 8192], True),
        ([8192, 8193], False),
    ],
)
def test_probes_are_no_larger_than_any_network_s_input(shape: list[int], fine: bool) -> None:
    stored = header_of(header(identity=header()["identity"] | {"probe_shape": shape})).identity
    assert stored is not None
    nothing = np.zeros((2, 3), dtype=np.float32)
    if fine:
        assert storage._identity(stored, nothing, None).probe_shape == tuple(shape)
    else:
        with pytest.raises(ValueError, match=r"larger than any|not of this version"):
            storage._identity(stored, nothing, None)
    assert (storage.LARGEST_JSON, storage.LARGEST_PROBE) == (2**24, 2**26)


ARRAYS = ("present", "failure", "sharpness", "whitening", "centres", "mean", "scale", "weights", "bias", "reference")


@pytest.mark.parametrize("name", [*ARRAYS, "right_shares", "wrong_shares"])
def test_every_array_of_another_shape_is_refused(name: str, tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    MONITOR.save(tmp_path)
    arrays = load((tmp_path / "monitor.safetensors").read_bytes())
    wide = arrays[name]
    arrays[name] = np.ascontiguousarray(np.concatenate([wide, wide], axis=-1))
    content = save(arrays)
    (tmp_path / "monitor.safetensors").write_bytes(content)
    about = json.loads((tmp_path / "monitor.json").read_text())
    (tmp_path / "monitor.json").write_text(json.dumps(about | {"sha256": hashlib.sha256(content).hexdigest()}))
    with pytest.raises(ConspectError, match=rf"{name} is|whitening is|centres is"):
        type(MONITOR).load(tmp_path)


def test_a_model_is_recognised_up_to_a_twentieth_of_the_largest_number() -> None:
    embeddings, logits = np.array([[1.0, -4.0], [0.0, 2.0]], np.float32), np.array([[8.0], [1.0]], np.float32)
    own = Identity("m", "d", "l", (2,), embeddings, logits)

    def outputs(off_embeddings: float, off_logits: float) -> Any:
        return lambda given: (
            embeddings + np.array([[off_embeddings, 0], [0, 0]]),
            logits + np.array([[off_logits], [0]]),
        )

    own.require_same_outputs(outputs(0.199, 0.399))
    with pytest.raises(UserError, match="other embeddings"):
        own.require_same_outputs(outputs(0.201, 0))
    with pytest.raises(UserError, match="other logits"):
        own.require_same_outputs(outputs(0, 0.401))
    assert (
        of_identity.probes((2,)).tolist()
        == np.random.default_rng(0).standard_normal((2, 2)).astype(np.float32).tolist()
    )
    whole = of_identity.whole_probes((5,))
    assert whole.tolist() == np.random.default_rng(0).integers(0, 256, (2, 5)).tolist()


@pytest.mark.parametrize("changes", [{"looks": 0}, {"features": ["another"]}])
def test_a_second_look_of_another_version_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    width = len(LOOK_FEATURES)
    tier = SecondLook(
        1,
        np.ones(6, np.float32),
        np.zeros(width, np.float32),
        np.ones(width, np.float32),
        np.zeros((2, width), np.float32),
        np.zeros(4, np.float32),
    )
    replace(MONITOR, second_look=tier, second_thresholds=Thresholds(0.0, 1.0)).save(tmp_path)
    assert type(MONITOR).load(tmp_path).required_second_look().looks == 1
    about = json.loads((tmp_path / "monitor.json").read_text())
    about["second_look"] |= changes
    (tmp_path / "monitor.json").write_text(json.dumps(about))
    with pytest.raises(ConspectError, match="second look is not of this version"):
        type(MONITOR).load(tmp_path)
