"""Concepts that nobody listed: of many candidate words, those that are seen here and tell something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from conspect.analysis.concepts.meaningless import SPEAKS, Variation, p_values_beyond
from conspect.core.concept_words import class_named_in, is_negation, same_word
from conspect.core.spaces import Float64, Floats
from conspect.statistics.ranks import class_areas
from conspect.statistics.testing import holm

# A candidate is dropped for a better one that its strengths follow this closely, or whose direction is this near.
DUPLICATE, SAME_DIRECTION = 0.9, 0.9
# Seen: within classes the model's reading follows the VLM's, class strengths do not explain the VLM's, and images vary in it more
# than in words without meaning. Any word is a little like one class or another, so that over all images every word of any
# language, and of none, would pass.
READABLE, OWN_SHARE, TELLS_CLASSES = 0.3, 0.2, 0.75
EXAMPLES = 3


@dataclass(frozen=True)
class Suggestion:
    """A candidate that is worth a look. `agreement`: correlation of the model's reading with the VLM's within classes, 1 = the
    same. `own_share`: share of its variance within classes that class strengths do not explain. `class_index`, `auroc`: the
    class whose images the VLM's strength tells best from others, and how well, 0.5..1; `more`: they show it more. `speaks`:
    share of words without meaning in which images vary less. `failures`: mean difference, in standard deviations within classes,
    of failures from right images, read off the model, beyond what its class strengths say; `p_value` of there being none, or none
    beyond that of words without meaning, corrected for all candidates (Holm), `tells_failures`: it is below alpha. `examples`:
    rows of images that show it most. `known`: the concept of the study that it is but for the wording, or whose strengths it
    follows.
    """

    candidate: int
    agreement: float
    own_share: float
    class_index: int
    auroc: float
    more: bool
    speaks: float
    failures: float
    p_value: float
    tells_failures: bool
    examples: tuple[int, ...]
    known: int | None = None


@dataclass(frozen=True)
class Suggestions:
    """Suggestions, the most telling first, and how many candidates were dropped, by reason."""

    suggestions: tuple[Suggestion, ...]
    names_of_classes: int
    not_seen: int
    like_meaningless: int
    tell_nothing: int
    near_duplicates: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """`directions [candidate, E]`; strengths `by_vlm` and `by_model` `[image, candidate]`; `class_directions [class, E]`;
    strengths of class names `classes_by_vlm` and `classes_by_model` `[image, class]`, and of words without meaning
    `meaningless_by_vlm` and `meaningless_by_model` `[image, word]`. Of the study's own concepts `known_phrases`, by concept, and
    `known_by_vlm [image, concept]`, where there are any.
    """

    names: Sequence[str]
    directions: Float64
    by_vlm: Floats
    by_model: Floats
    class_names: Sequence[str]
    class_directions: Float64
    classes_by_vlm: Float64
    classes_by_model: Float64
    meaningless_by_vlm: Floats
    meaningless_by_model: Floats
    known_phrases: Sequence[Sequence[str]] = ()
    known_by_vlm: Floats | None = None


def suggest(
    candidates: Candidates, labels: NDArray[np.int64], outputs: NDArray[np.int64], *, limit: int, alpha: float = 0.05
) -> Suggestions:
    """At most `limit` of the candidates: not a class's name, seen (within classes the model's reading follows the VLM's, and
    images vary in it more than in words without meaning), telling one class from others or failures from right images, and no
    near-duplicate of a better one; none that denies something. `labels`, `outputs` `[image]`.
    """
    vlm, model = _standardised(candidates.by_vlm), _standardised(candidates.by_model)
    vlm_within, model_within = _within(candidates.by_vlm, labels), _within(candidates.by_model, labels)
    agreement = (vlm_within * model_within).mean(axis=0)
    classes = _within(candidates.classes_by_vlm, labels)
    own_share = np.square(vlm_within - classes @ np.linalg.lstsq(classes, vlm_within, rcond=None)[0]).mean(axis=0)
    class_index, auroc = _best_class(candidates.by_vlm, labels, len(candidates.class_names))
    wrong = labels != outputs
    failures, by_test = _failures(_beyond_classes(model, candidates.classes_by_model), labels, wrong)
    meaningless, _ = _failures(
        _beyond_classes(_standardised(candidates.meaningless_by_model), candidates.classes_by_model), labels, wrong
    )
    # A finding is a shift, and one beyond that of words without meaning in the same direction.
    corrected = holm(np.maximum(by_test, p_values_beyond(failures, meaningless)))
    named = _names_a_class(candidates)
    denies = np.array([is_negation(name) for name in candidates.names], dtype=bool)
    followed = (agreement >= READABLE) & (own_share >= OWN_SHARE) & ~denies
    speaks = Variation.of(candidates.by_vlm, labels).share_below(Variation.of(candidates.meaningless_by_vlm, labels))
    readable = followed & (speaks >= SPEAKS)
    significant = corrected < alpha
    telling = (np.abs(auroc - 0.5) + 0.5 >= TELLS_CLASSES) | significant
    # One scale for both uses: how far the AUROC is from a coin, and the size of the shift where it is significant.
    worth = np.maximum(np.abs(auroc - 0.5), np.where(significant, np.abs(failures) / 2, 0.0)) * agreement * own_share
    usable = np.flatnonzero(~named & readable & telling)
    order = usable[np.argsort(-worth[usable], kind="stable")]
    chosen, duplicates = _first_of_alike(candidates, order, vlm, limit)
    return Suggestions(
        suggestions=tuple(
            Suggestion(
                candidate=k,
                agreement=float(agreement[k]),
                own_share=float(own_share[k]),
                class_index=int(class_index[k]),
                auroc=float(np.abs(auroc[k] - 0.5) + 0.5),
                more=bool(auroc[k] >= 0.5),
                speaks=float(speaks[k]),
                failures=float(failures[k]),
                p_value=float(corrected[k]),
                tells_failures=bool(significant[k]),
                examples=tuple(int(row) for row in np.argsort(-vlm[:, k], kind="stable")[:EXAMPLES]),
                known=_known(candidates, k, vlm[:, k]),
            )
            for k in chosen
        ),
        names_of_classes=int(named.sum()),
        not_seen=int((~named & ~followed).sum()),
        like_meaningless=int((~named & followed & ~readable).sum()),
        tell_nothing=int((~named & readable & ~telling).sum()),
        near_duplicates=duplicates,
    )


def _first_of_alike(
    candidates: Candidates, order: NDArray[np.int64], vlm: Float64, limit: int
) -> tuple[list[int], int]:
    """At most `limit` of the candidates in `order`, and how many were passed over: one that follows an earlier one over the
    images, by strengths `vlm [image, candidate]` in standard deviations, points its way, or is its word.
    """
    chosen: list[int] = []
    duplicates = 0
    for k in order:
        kept = np.array(chosen, dtype=np.int64)
        same = np.abs(vlm[:, kept].T @ vlm[:, k]) / len(vlm) >= DUPLICATE
        near = candidates.directions[kept] @ candidates.directions[k] >= SAME_DIRECTION
        again = any(same_word(candidates.names[k], candidates.names[other]) for other in chosen)
        if again or (same | near).any():
            duplicates += 1
        elif len(chosen) < limit:
            chosen.append(int(k))
    return chosen, duplicates


def _known(candidates: Candidates, candidate: int, strengths: Float64) -> int | None:
    """The study's concept that a candidate is, by its words or else by its `strengths [image]`, in standard deviations."""
    for concept, phrases in enumerate(candidates.known_phrases):
        if any(same_word(candidates.names[candidate], phrase) for phrase in phrases):
            return concept
    if candidates.known_by_vlm is None or not candidates.known_phrases:
        return None
    follows = np.abs(strengths @ _standardised(candidates.known_by_vlm)) / len(strengths)
    nearest = int(follows.argmax())
    return nearest if follows[nearest] >= DUPLICATE else None


def _standardised(strengths: Floats) -> Float64:
    centred = np.asarray(strengths, dtype=np.float64) - np.mean(strengths, axis=0, dtype=np.float64)
    spread = centred.std(axis=0)
    return np.asarray(centred / np.where(spread > 1e-12, spread, 1.0), dtype=np.float64)


def _beyond_classes(strengths: Float64, classes: Float64) -> Float64:
    """What class strengths do not explain: a failure looks like its output, which moves every word that is like a class."""
    design = np.column_stack([classes, np.ones(len(classes))])
    return np.asarray(strengths - design @ np.linalg.lstsq(design, strengths, rcond=None)[0], dtype=np.float64)


def _within(strengths: Floats, labels: NDArray[np.int64]) -> Float64:
    """Standardised after the mean of the image's class is taken off."""
    centred = np.array(strengths, dtype=np.float64)
    for index in np.unique(labels):
        centred[labels == index] -= centred[labels == index].mean(axis=0)
    return _standardised(centred)


def _best_class(strengths: Floats, labels: NDArray[np.int64], classes: int) -> tuple[NDArray[np.int64], Float64]:
    """The class that each candidate tells best from the others, and its AUROC (below 0.5: its images show it less)."""
    aurocs = class_areas(strengths, labels, classes)
    best = np.abs(aurocs - 0.5).argmax(axis=0)
    return best, aurocs[best, np.arange(strengths.shape[1])]


def _failures(strengths: Float64, labels: NDArray[np.int64], wrong: NDArray[np.bool_]) -> tuple[Float64, Float64]:
    """Mean difference of failures from right images within classes, in standard deviations, and its two-sided p-value (Welch,
    normal tail): classes count by their failures, so that a class which fails more is no sign of anything.
    """
    centred = strengths.copy()
    for index in np.unique(labels):
        right = (labels == index) & ~wrong
        centred[labels == index] -= (
            centred[right].mean(axis=0) if right.any() else centred[labels == index].mean(axis=0)
        )
    failed, right_ones = centred[wrong], centred[~wrong]
    if len(failed) < 2 or len(right_ones) < 2:
        return np.zeros(strengths.shape[1]), np.ones(strengths.shape[1])
    spread = np.sqrt(right_ones.var(axis=0) + 1e-24)
    error = np.sqrt(failed.var(axis=0, ddof=1) / len(failed) + right_ones.var(axis=0, ddof=1) / len(right_ones) + 1e-24)
    difference = failed.mean(axis=0) - right_ones.mean(axis=0)
    return difference / spread, np.asarray(2 * ndtr(-np.abs(difference / error)), dtype=np.float64)


def _names_a_class(candidates: Candidates) -> NDArray[np.bool_]:
    """Candidates that contain a class's name as a word, or whose direction is a class's."""
    said = np.array([class_named_in(name, candidates.class_names) is not None for name in candidates.names], dtype=bool)
    near = (candidates.directions @ candidates.class_directions.T >= SAME_DIRECTION).any(axis=1)
    return np.asarray(said | near, dtype=bool)
