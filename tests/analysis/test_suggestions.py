"""Suggested concepts: planted strengths of candidates whose worth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from conspect.analysis.concepts.suggestions import Candidates, suggest

IMAGES, CLASSES = 900, 3
MEANINGLESS = 60
NAMES = ("stripes", "stripes again", "truck wheels", "nothing", "unread", "lost on failures", "trucks", "blorf")


def planted() -> tuple[Candidates, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.arange(IMAGES) % CLASSES
    outputs = labels.copy()
    wrong = rng.random(IMAGES) < 0.15
    outputs[wrong] = (labels[wrong] + 1) % CLASSES
    noise = rng.normal(size=(IMAGES, len(NAMES)))
    vlm = noise.copy()
    vlm[:, 0] += 3.0 * (labels == 1)
    vlm[:, 1] = vlm[:, 0] + 0.1 * noise[:, 1]
    vlm[:, 5] -= 1.5 * wrong
    # A direction without meaning tells classes apart, too, only in smaller steps; and failures shift every word.
    meaningless = 0.5 * rng.normal(size=(IMAGES, MEANINGLESS)) + rng.normal(size=(CLASSES, MEANINGLESS))[labels] / 2
    meaningless -= 0.25 * wrong[:, None]
    vlm[:, 7] = meaningless[:, :1].ravel() + 0.5 * (labels == 1)
    model = vlm + 0.2 * rng.normal(size=vlm.shape)
    model[:, 4] = rng.normal(size=IMAGES)
    seen = np.eye(CLASSES)[labels] + 0.1 * rng.normal(size=(IMAGES, CLASSES))
    candidates = Candidates(
        NAMES,
        np.eye(9)[: len(NAMES)],
        vlm,
        model,
        ("truck", "cat", "dog"),
        np.eye(9)[8:].repeat(3, 0),
        seen,
        seen,
        meaningless,
        meaningless + 0.1 * rng.normal(size=meaningless.shape),
    )
    return candidates, labels, outputs


def test_what_tells_classes_or_failures_is_suggested_and_the_rest_is_counted_by_reason() -> None:
    candidates, labels, outputs = planted()
    suggestions = suggest(candidates, labels, outputs, limit=10)
    names = {NAMES[s.candidate] for s in suggestions.suggestions}
    assert names in ({"stripes", "lost on failures"}, {"stripes again", "lost on failures"})
    assert (
        suggestions.names_of_classes,
        suggestions.not_seen,
        suggestions.like_meaningless,
        suggestions.tell_nothing,
        suggestions.near_duplicates,
    ) == (2, 1, 1, 1, 1)


def test_a_suggestion_says_which_class_and_which_images() -> None:
    candidates, labels, outputs = planted()
    by_name = {NAMES[s.candidate]: s for s in suggest(candidates, labels, outputs, limit=10).suggestions}
    stripes = by_name.get("stripes") or by_name["stripes again"]
    assert stripes.class_index == 1
    assert stripes.more
    assert stripes.auroc > 0.95
    assert set(labels[list(stripes.examples)]) == {1}
    lost = by_name["lost on failures"]
    assert lost.failures < -0.8
    assert lost.p_value < 1e-6
    assert lost.tells_failures


def test_every_number_of_a_suggestion_is_that_of_other_libraries() -> None:
    candidates, labels, outputs = planted()
    wrong = labels != outputs

    def within(values: np.ndarray) -> np.ndarray:
        means = np.stack([values[labels == c].mean(0) for c in range(CLASSES)])
        return values - means[labels]

    def beyond(reading: np.ndarray) -> np.ndarray:
        """Of the model's reading what its class strengths do not explain, around the mean of the right images of the class."""
        fitted = LinearRegression().fit(candidates.classes_by_model, reading)
        left = stats.zscore(reading) - fitted.predict(candidates.classes_by_model) / np.std(reading)
        return np.array(
            [value - left[(labels == label) & ~wrong].mean() for value, label in zip(left, labels, strict=True)]
        )

    def shift(reading: np.ndarray) -> tuple[float, float]:
        failed, right = beyond(reading)[wrong], beyond(reading)[~wrong]
        error = np.sqrt(failed.var(ddof=1) / len(failed) + right.var(ddof=1) / len(right))
        difference = failed.mean() - right.mean()
        return float(difference / right.std()), float(2 * stats.norm.sf(abs(difference) / error))

    chance = [shift(candidates.meaningless_by_model[:, k])[0] for k in range(MEANINGLESS)]
    null = stats.norm(np.median(chance), stats.median_abs_deviation(chance, scale="normal"))
    p_values, shifts = [], []
    for k in range(len(NAMES)):
        moved, by_test = shift(candidates.by_model[:, k])
        shifts.append(moved)
        p_values.append(max(by_test, min(1.0, 2 * (null.sf(moved) if moved >= 0 else null.cdf(moved)))))
    corrected = multipletests(p_values, method="holm")[1]

    def variation(strengths: np.ndarray) -> tuple[float, float]:
        groups = [strengths[labels == c] for c in range(CLASSES)]
        return float(np.std([g.mean() for g in groups])), float(np.mean([g.var() for g in groups]) ** 0.5)

    def speaking(k: int) -> float:
        between, within_classes = variation(candidates.by_vlm[:, k])
        theirs = [variation(candidates.meaningless_by_vlm[:, word]) for word in range(MEANINGLESS)]
        return max(
            sum(b < between for b, _ in theirs) / MEANINGLESS, sum(w < within_classes for _, w in theirs) / MEANINGLESS
        )

    suggestions = suggest(candidates, labels, outputs, limit=10).suggestions
    assert len(suggestions) == 2
    for suggestion in suggestions:
        k = suggestion.candidate
        ours, theirs = within(candidates.by_vlm)[:, k], within(candidates.by_model)[:, k]
        assert suggestion.agreement == pytest.approx(stats.pearsonr(ours, theirs).statistic)
        seen = within(candidates.classes_by_vlm)
        assert suggestion.own_share == pytest.approx(1 - LinearRegression().fit(seen, ours).score(seen, ours))
        areas = [roc_auc_score(labels == c, candidates.by_vlm[:, k]) for c in range(CLASSES)]
        best = max(range(CLASSES), key=lambda c: abs(areas[c] - 0.5))
        assert (suggestion.class_index, suggestion.more) == (best, areas[best] >= 0.5)
        assert suggestion.auroc == pytest.approx(max(areas[best], 1 - areas[best]))
        assert suggestion.failures == pytest.approx(shifts[k])
        assert suggestion.speaks == speaking(k)
        assert suggestion.p_value == pytest.approx(corrected[k], rel=1e-6)
        assert suggestion.examples == tuple(np.argsort(-candidates.by_vlm[:, k])[:3])


def test_without_failures_no_shift_is_said() -> None:
    candidates, labels, _ = planted()
    (suggestion,) = suggest(candidates, labels, labels, limit=10).suggestions
    assert (suggestion.failures, suggestion.p_value, suggestion.tells_failures) == (0.0, 1.0, False)


def test_a_class_that_fails_more_is_no_sign_of_its_concepts() -> None:
    candidates, labels, outputs = planted()
    outputs = np.where((labels == 1) & (np.arange(IMAGES) % 2 == 0), 0, labels)
    by_name = {NAMES[s.candidate]: s for s in suggest(candidates, labels, outputs, limit=10).suggestions}
    stripes = by_name.get("stripes") or by_name["stripes again"]
    assert stripes.p_value > 0.05
    assert not stripes.tells_failures


def test_the_limit_keeps_the_most_telling() -> None:
    candidates, labels, outputs = planted()
    suggestions = suggest(candidates, labels, outputs, limit=1)
    assert len(suggestions.suggestions) == 1


def test_suggestions_come_in_the_order_of_what_they_are_worth() -> None:
    """One tells a class worse than the stripes do, and is read better: only what failures say for sure counts beside that."""
    candidates, labels, outputs = planted()
    rng = np.random.default_rng(4)
    candidates.by_vlm[:, 3] = rng.normal(size=IMAGES) + 1.6 * (labels == 2)
    candidates.by_model[:, 3] = candidates.by_vlm[:, 3]
    candidates.by_model[:, 0] += 0.6 * rng.normal(size=IMAGES)
    candidates.by_model[:, 1] = rng.normal(size=IMAGES)
    first, second = (s for s in suggest(candidates, labels, outputs, limit=10).suggestions if not s.tells_failures)
    assert [NAMES[s.candidate] for s in (first, second)] == ["stripes", "nothing"]
    assert first.agreement * first.own_share < second.agreement * second.own_share
    worth = [(s.auroc - 0.5) * s.agreement * s.own_share for s in (first, second)]
    assert worth[0] > worth[1]


def test_negations_and_plurals_are_left_out_and_what_the_study_has_is_marked() -> None:
    candidates, labels, outputs = planted()
    # By their strengths alone all three would be suggested.
    vlm, model = np.array(candidates.by_vlm), np.array(candidates.by_model)
    rng = np.random.default_rng(9)
    for place in (2, 6):
        vlm[:, place] = rng.normal(size=IMAGES) + 3.0 * (labels == place // 3)
        model[:, place] = vlm[:, place] + 0.2 * rng.normal(size=IMAGES)
    names = ("stripes", "stripes again", "stripe", "nothing", "unread", "lost on failures", "hairless", "blorf")
    own = vlm[:, 5:6] + 0.01 * rng.normal(size=(IMAGES, 1))
    given = replace(
        candidates, names=names, by_vlm=vlm, by_model=model, known_phrases=[("a lost one",)], known_by_vlm=own
    )
    suggested = suggest(given, labels, outputs, limit=10)
    shown = {names[s.candidate]: s.known for s in suggested.suggestions}
    assert len(shown.keys() & {"stripes", "stripe", "stripes again"}) <= 2
    assert not shown.keys() >= {"stripes", "stripe"}
    assert "hairless" not in shown
    assert shown["lost on failures"] == 0
    by_word = suggest(
        replace(given, known_phrases=[("lost on failure",)], known_by_vlm=None), labels, outputs, limit=10
    )
    assert {names[s.candidate]: s.known for s in by_word.suggestions}["lost on failures"] == 0
