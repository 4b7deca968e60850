"""Cases of a proof around images, one step at a time: what one literal closes, what is searched further, what is opened."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from conspect.verification.neighbourhoods import proving
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.extents import Extents
from conspect.verification.neighbourhoods.proving import NeighbourhoodProver, ProofCase, _closed, _Open
from conspect.verification.neighbourhoods.rows import ReadoutRows
from conspect.verification.queries.negation import AtomRows, LinearLiteral, State, negation
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm

# Readouts are the second strength less the first, which moves by 5 over a radius of 1, and the third less the first, which
# does not move.
ROWS = ReadoutRows(ReadoutKinds(None, (0, 1, 2), StrengthForm.RELATIVE), AtomRows(3, 3, {}))
SECOND, THIRD = LinearLiteral(4, 3, False), LinearLiteral(5, 3, False)
ONE = Fraction(1)


def prover(values: list[tuple[float, float]], shift: int = 40) -> NeighbourhoodProver:
    integers = np.array([[round(v * 2**shift) for v in row] for row in values], dtype=np.int64)
    return NeighbourhoodProver(ROWS, Extents(np.array([[3.0, 4.0], [0.0, 0.0]])), Centres(integers, shift))


def case_of(rows: int, *literals: LinearLiteral, pending: Any = ()) -> _Open:
    return _Open(0, ProofCase(), State(literals, pending), np.arange(rows), np.zeros(rows, dtype=bool))


def test_one_literal_closes_what_it_can_and_what_holds_at_its_centre_is_not_searched() -> None:
    tiny = 2.0**-40
    own = prover([(0.5, 0.5), (tiny, 0.5), (-6.0, 1.0), (-5.0, 1.0), (0.0, -1.0), (-5 - tiny, 1.0), (1.0, 0.0)])
    case = case_of(7, SECOND, THIRD)
    assert own._cheaply(case, np.arange(7), ONE).tolist() == [False, True, False, True, False, False, True]
    assert case.closed.tolist() == [False, False, True, False, True, True, False]
    # What closes most comes first.
    assert case.case.alternatives == [((0, 1),), ((1, 1),)]
    # Rows of a case are those of its images: here of the last two, turned round.
    turned = _Open(0, ProofCase(), State((SECOND,), ()), np.array([1, 0]), np.zeros(2, dtype=bool))
    assert own._cheaply(turned, np.array([0, 2]), ONE).tolist() == [False, False]
    assert turned.closed.tolist() == [True, False]


def test_over_twice_the_radius_a_literal_rises_twice_as_far() -> None:
    own = prover([(-9.0, 0.0), (-10.0, 0.0), (-11.0, 0.0)])
    case = case_of(3, SECOND)
    assert own._cheaply(case, np.arange(3), Fraction(2)).tolist() == [True, True, False]
    assert case.closed.tolist() == [False, False, True]


def test_a_case_without_literals_leaves_nothing_to_search() -> None:
    own, case = prover([(1.0, 1.0)]), case_of(1)
    assert own._cheaply(case, np.arange(1), ONE).tolist() == [False]
    assert case.case.alternatives == []


def test_literals_that_contradict_each_other_close_every_image_with_weight_one_each() -> None:
    own = prover([(1.0, 1.0), (-1.0, 3.0)])
    case = case_of(2, LinearLiteral(4, 3, True), LinearLiteral(5, 3, True), LinearLiteral(3, 4, False))
    assert own._cheaply(case, np.arange(2), ONE).tolist() == [False, False]
    assert case.closed.tolist() == [True, True]
    assert case.case.alternatives == [((0, 1), (2, 1))]


def test_multipliers_are_tried_from_the_lowest_sum_up_to_nought_as_whole_numbers_of_4096() -> None:
    own, tried = prover([(-6.0, 0.0)] * 4), list[Any]()
    own._try = lambda case, multipliers, images, radius: tried.append(multipliers)  # type: ignore[method-assign]
    case = case_of(4, SECOND, THIRD)
    sums = np.array([[-1e-9, 0.25, 0.75], [0.0, 1.0, 0.0], [-2.0, 1e-5, 1 - 1e-5], [-0.5, 0.5, 0.5]])
    own._alternatives(case, np.arange(4), sums, np.arange(4), ONE)
    assert tried == [((1, 4096),), ((0, 2048), (1, 2048)), ((0, 1024), (1, 3072))]
    # What is closed by then is passed over; rows are those that were searched.
    tried.clear()
    case.closed[:] = [False, True, False, True]
    own._alternatives(case, np.array([3, 2]), sums[[2, 3]], np.arange(4), ONE)
    assert tried == [((0, 2048), (1, 2048))]


def test_multipliers_are_kept_where_they_close_another_image() -> None:
    own, case = prover([(-6.0, 0.0), (6.0, 0.0), (-7.0, 0.0)]), case_of(3, SECOND)
    own._try(case, ((0, 1),), np.arange(3), ONE)
    assert (case.closed.tolist(), case.case.alternatives) == ([True, False, True], [((0, 1),)])
    own._try(case, ((0, 2),), np.arange(3), ONE)
    assert case.case.alternatives == [((0, 1),)]


def test_ways_lead_to_where_a_lone_literal_is_largest_or_stay_at_a_centre_that_satisfies_it() -> None:
    tiny = 2.0**-40
    own = prover([(-1.0, 0.0), (tiny, 0.0), (0.0, 0.0), (-6.0, 0.0), (1.0, 1.0)])
    ways = np.full((5, 2), np.nan)
    ways[4] = [0.25, 0.5]  # known already
    case = case_of(5, SECOND)
    case.closed[3] = True
    own._deepest(case, np.arange(5), ways)
    assert ways[:3].tolist() == [[0.6, 0.8], [0.0, 0.0], [0.6, 0.8]]
    assert np.isnan(ways[3]).all()
    assert ways[4].tolist() == [0.25, 0.5]
    # A literal that does not move has no deepest place; several have none that is known.
    ways = np.full((5, 2), np.nan)
    own._deepest(case_of(5, THIRD), np.arange(5), ways)
    assert ways.tolist() == [[0.0, 0.0]] * 5
    ways = np.full((5, 2), np.nan)
    own._deepest(case_of(5, SECOND, THIRD), np.arange(5), ways)
    assert np.isnan(ways).any(axis=1).tolist() == [True, True, True, True, False]
    # Where nothing is assumed the centre itself will do; what is still to be opened is no leaf.
    ways = np.full((5, 2), np.nan)
    own._deepest(case_of(5), np.arange(5), ways)
    assert ways.tolist() == [[0.0, 0.0]] * 5
    ways = np.full((5, 2), np.nan)
    own._deepest(case_of(5, SECOND, pending=((),)), np.arange(5), ways)
    assert np.isnan(ways).all()


def test_cases_are_opened_for_images_that_are_left_and_no_more_of_them_than_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table: Any = (("stronger", 0, 1), ("stronger", 0, 2), ("and", 0, 1))
    own = prover([(1.0, 1.0)] * 3)
    state = negation(table, ROWS.rows, None)
    for most, opened in ((3, True), (2, False)):
        case = _Open(0, ProofCase(), state, np.array([5, 6, 7]), np.array([False, True, False]))
        monkeypatch.setattr(proving, "MOST_CASES", most)
        counts = [1]
        branches = own._opened(case, table, counts)
        assert counts == [3]
        assert len(branches) == (2 if opened else 0)
        assert case.case.which == (0 if opened else None)
        assert case.case.branches == [branch.case for branch in branches]
        assert [branch.rows.tolist() for branch in branches] == [[5, 7]] * len(branches)
        assert [branch.closed.tolist() for branch in branches] == [[False, False]] * len(branches)
        assert [branch.state for branch in branches] == ([State((SECOND,), ()), State((THIRD,), ())] if opened else [])
    done = _Open(0, ProofCase(), state, np.array([5]), np.array([True]))
    assert own._opened(done, table, [1]) == []
    assert own._opened(case_of(1, SECOND), table, [1]) == []


def test_an_image_is_proved_where_its_case_is_closed_or_every_branch_of_it() -> None:
    branches = [
        _Open(0, ProofCase(), State((), ()), np.arange(3), np.array(closed)) for closed in ([True, True, False],) * 2
    ]
    branches[1].closed = np.array([True, False, True])
    case = _Open(0, ProofCase(), State((), ()), np.arange(4), np.array([False, True, False, False]), branches)
    assert _closed(case).tolist() == [True, True, False, False]
    assert case.closed.tolist() == [False, True, False, False]
    assert _closed(_Open(0, ProofCase(), State((), ()), np.arange(2), np.array([False, True]))).tolist() == [
        False,
        True,
    ]
