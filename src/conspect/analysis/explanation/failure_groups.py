"""Groups of failures that nobody listed: images of a class that show the same concepts and fail more often than the rest.

One half of the images proposes groups; the other, which had no part in the search, decides, with a correction for the number
of groups that are put to it. So a rate that is reported was measured on images that did not choose the group.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.explanation.standing_out import Sayable, literals_of
from conspect.analysis.explanation.thin_combinations import ThinCombination, thin_combinations
from conspect.core.spaces import Float64, Floats
from conspect.statistics.testing import fisher_two_sided, holm

# A proposal has so many images and failures in the half that searches, and at most so many proposals are checked.
LEAST_IMAGES, LEAST_FAILURES, PROPOSALS = 10, 3, 30
# A proposal's p-value in the searching half, which chose it and so proves nothing, is below this. A second condition must
# raise the rate by this factor. Proposals with so many failures in common (Jaccard) are one.
PROMISING, ADDS, SAME_FAILURES = 0.01, 1.25, 0.5
# Pairs of conditions are searched among the so many concepts that do best alone.
PAIRED = 100


@dataclass(frozen=True, slots=True)
class Condition:
    """The image shows `concept` more (`more`) or less than a share `STANDS_OUT` of the images of its class do."""

    concept: int
    more: bool


@dataclass(frozen=True)
class Rate:
    """`failures` of `images`."""

    failures: int
    images: int

    @property
    def share(self) -> float:
        """0..1; 0 without images."""
        return self.failures / self.images if self.images else 0.0


@dataclass(frozen=True, eq=False)
class FailureGroup:
    """Images of class `label` (None: any) that meet all `conditions` and have another output, `output` (None: any wrong one).

    `failures [row]`: all there are, of both halves. `inside`, `outside`: failures among images that meet the conditions, and
    among the others of the class, in the checking half alone. `p_value`: that both are the same, exact, Holm-adjusted over
    all groups that were checked.
    """

    label: int | None
    output: int | None
    conditions: tuple[Condition, ...]
    failures: NDArray[np.int64]
    inside: Rate
    outside: Rate
    p_value: float


@dataclass(frozen=True)
class FailureSearch:
    """`tried` combinations were looked at, `checked` of them put to the second half, and `groups` held, most failures first."""

    groups: tuple[FailureGroup, ...]
    tried: int
    checked: int
    thin: tuple[ThinCombination, ...]


@dataclass(frozen=True, eq=False)
class _Scope:
    """The images of a class, or all, and which of them fail in one way. `rows [image]`, `fails [image]`; `sayable`: the
    literals that may be said of them."""

    label: int | None
    output: int | None
    rows: NDArray[np.int64]
    fails: NDArray[np.bool_]
    sayable: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Proposal:
    scope: _Scope
    literals: tuple[int, ...]
    p_value: float
    failing: frozenset[int]


def find_failure_groups(
    strengths: Floats,
    labels: NDArray[np.int64],
    outputs: NDArray[np.int64],
    taking_part: NDArray[np.int64],
    sayable: Sayable,
    *,
    seed: int,
    alpha: float = 0.05,
) -> FailureSearch:
    """Groups that fail more often than the other images of their class, beyond chance at `alpha` over all that were checked.

    `strengths [image, concept]`: what is seen on the images, not what the model makes of them. `taking_part`: the concepts
    that may be named; of those that cannot be told apart one is enough; `sayable` is of all. `seed` divides each class into
    halves.
    """
    if not len(taking_part):
        return FailureSearch((), 0, 0, ())
    sayable = Sayable(sayable.carries[:, taking_part], sayable.ruled_out[:, taking_part])
    literals = literals_of(strengths[:, taking_part], labels)
    searching = _halves(labels, seed)
    thin = thin_combinations(literals[:, : len(taking_part)], labels, taking_part, sayable.ruled_out)
    proposals, tried = _proposals(literals, labels, outputs, np.flatnonzero(searching), sayable)
    if not proposals:
        return FailureSearch((), tried, 0, thin)
    rates = [_rates(literals, labels, outputs, proposal, ~searching) for proposal in proposals]
    counts = np.array(
        [(inside.failures, inside.images, rest.failures, rest.images) for inside, rest in rates], dtype=np.int64
    )
    adjusted = holm(fisher_two_sided(*counts.T))
    groups = []
    for proposal, (inside, outside), p_value in zip(proposals, rates, adjusted, strict=True):
        if p_value < alpha and inside.share > outside.share:
            scope = proposal.scope
            members = _members(literals, labels, scope.label, proposal.literals)
            groups.append(
                FailureGroup(
                    label=scope.label,
                    output=scope.output,
                    conditions=tuple(_condition(k, taking_part) for k in proposal.literals),
                    failures=np.flatnonzero(members & _fails(labels, outputs, scope.output)),
                    inside=inside,
                    outside=outside,
                    p_value=float(p_value),
                )
            )
    groups.sort(key=lambda group: -len(group.failures))
    return FailureSearch(tuple(groups), tried, len(proposals), thin)


def _condition(literal: int, taking_part: NDArray[np.int64]) -> Condition:
    return Condition(int(taking_part[literal % len(taking_part)]), literal < len(taking_part))


def _halves(labels: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """`[image]`: in the half that searches; every class is divided."""
    order = np.random.default_rng(seed).permutation(len(labels))
    searching = np.zeros(len(labels), dtype=bool)
    for index in np.unique(labels):
        searching[order[labels[order] == index][::2]] = True
    return searching


def _fails(labels: NDArray[np.int64], outputs: NDArray[np.int64], output: int | None) -> NDArray[np.bool_]:
    return np.asarray((labels != outputs) & (True if output is None else outputs == output), dtype=bool)


def _scopes(
    labels: NDArray[np.int64], outputs: NDArray[np.int64], rows: NDArray[np.int64], sayable: Sayable
) -> Iterator[_Scope]:
    """All images, each class, and each confused pair, where there are failures enough."""
    wrong = labels != outputs

    def scope(label: int | None, output: int | None, mine: NDArray[np.int64]) -> _Scope:
        fails = _fails(labels[mine], outputs[mine], output)
        return _Scope(label, output, mine, fails, np.flatnonzero(sayable.literals(label, output)))

    yield scope(None, None, rows)
    for label in np.unique(labels[rows[wrong[rows]]]):
        mine = rows[labels[rows] == label]
        taken = outputs[mine[wrong[mine]]]
        if len(taken) >= LEAST_FAILURES:
            yield scope(int(label), None, mine)
            for output, number in zip(*np.unique(taken, return_counts=True), strict=True):
                if LEAST_FAILURES <= number < len(taken):
                    yield scope(int(label), int(output), mine)


def _proposals(
    literals: NDArray[np.bool_],
    labels: NDArray[np.int64],
    outputs: NDArray[np.int64],
    rows: NDArray[np.int64],
    sayable: Sayable,
) -> tuple[list[_Proposal], int]:
    """The most promising groups of the searching half, no two of them nearly the same, and how many were looked at."""
    proposals: list[_Proposal] = []
    tried = 0
    for scope in _scopes(labels, outputs, rows, sayable):
        of_scope, looked_at = _promising(scope, literals)
        proposals, tried = proposals + of_scope, tried + looked_at
    proposals.sort(key=lambda proposal: (proposal.p_value, len(proposal.literals)))
    chosen: list[_Proposal] = []
    for proposal in proposals:
        alike = (_jaccard(proposal.failing, other.failing) for other in chosen)
        if len(chosen) < PROPOSALS and all(share < SAME_FAILURES for share in alike):
            chosen.append(proposal)
    return chosen, tried


def _jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    return len(first & second) / len(first | second)


def _promising(scope: _Scope, literals: NDArray[np.bool_]) -> tuple[list[_Proposal], int]:
    """Single conditions and pairs of them that fail more often in the searching half than the scope's other images."""
    held = literals[np.ix_(scope.rows, scope.sayable)]
    alone = _counted(held.sum(axis=0), held[scope.fails].sum(axis=0), scope)
    best = np.sort(np.argsort(alone.p_value, kind="stable")[: 2 * PAIRED])
    first, second = np.triu_indices(len(best), 1)
    some = held[:, best].astype(np.float32)
    images, failures = (np.rint(part.T @ part).astype(np.int64) for part in (some, some[scope.fails]))
    paired = _counted(images[first, second], failures[first, second], scope)
    parents = np.maximum(alone.rate[best[first]], alone.rate[best[second]])
    useful = (paired.p_value < PROMISING) & (paired.rate >= ADDS * parents)
    chosen: list[tuple[tuple[int, ...], float]] = []
    chosen += [((int(k),), float(alone.p_value[k])) for k in np.flatnonzero(alone.p_value < PROMISING)]
    chosen += [((int(best[first[k]]), int(best[second[k]])), float(paired.p_value[k])) for k in np.flatnonzero(useful)]
    chosen = sorted(chosen, key=lambda proposal: proposal[1])[: 4 * PROPOSALS]
    failing = scope.rows[scope.fails]
    named = [(tuple(int(scope.sayable[k]) for k in members), p_value) for members, p_value in chosen]
    return [
        _Proposal(scope, members, p_value, frozenset(failing[literals[failing][:, list(members)].all(axis=1)].tolist()))
        for members, p_value in named
    ], alone.tried + paired.tried


@dataclass(frozen=True, eq=False)
class _Counted:
    """Of many conditions: failure `rate`, and the p-value that it is the others'; 1 where too few, or none more often."""

    rate: Float64
    p_value: Float64
    tried: int


def _counted(images: NDArray[np.int64], failures: NDArray[np.int64], scope: _Scope) -> _Counted:
    """`images`, `failures [condition]` of those that meet each condition."""
    total, failing = len(scope.rows), int(scope.fails.sum())
    large = (images >= LEAST_IMAGES) & (total - images >= LEAST_IMAGES)
    rate = failures / np.maximum(images, 1)
    asked = large & (failures >= LEAST_FAILURES) & (rate > failing / max(total, 1))
    p_value = np.ones(len(images))
    inside, within = images[asked], failures[asked]
    p_value[asked] = fisher_two_sided(within, inside, failing - within, total - inside)
    return _Counted(rate, p_value, int(large.sum()))


def _members(
    literals: NDArray[np.bool_], labels: NDArray[np.int64], label: int | None, chosen: tuple[int, ...]
) -> NDArray[np.bool_]:
    members = literals[:, list(chosen)].all(axis=1)
    return np.asarray(members if label is None else members & (labels == label), dtype=bool)


def _rates(
    literals: NDArray[np.bool_],
    labels: NDArray[np.int64],
    outputs: NDArray[np.int64],
    proposal: _Proposal,
    checking: NDArray[np.bool_],
) -> tuple[Rate, Rate]:
    """In the checking half: of the group, and of the other images of its class."""
    scope = proposal.scope
    fails = _fails(labels, outputs, scope.output)
    members = _members(literals, labels, scope.label, proposal.literals)
    mine = checking if scope.label is None else checking & (labels == scope.label)
    parts = (mine & members, mine & ~members)
    inside, outside = (Rate(int(fails[part].sum()), int(part.sum())) for part in parts)
    return inside, outside
