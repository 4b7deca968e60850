"""What is asked: premises, tables, planned jobs, options; and parts of neighbourhoods and extents, each by value."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap, Head, Lens
from conspect.language import check_text
from conspect.language.syntax.tree import (
    And,
    Focus,
    ForAll,
    HasConcept,
    Iff,
    Implies,
    Not,
    Or,
    Predict,
    Stronger,
)
from conspect.verification.extents.classes import _curve
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.neighbourhoods import proving
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.ellipsoid import ChangeEllipsoid
from conspect.verification.neighbourhoods.extents import Extents
from conspect.verification.neighbourhoods.proving import NeighbourhoodProver, ProofCase, _Open, _parts, _Search
from conspect.verification.neighbourhoods.refuting import Refuter
from conspect.verification.neighbourhoods.rows import IntegerRow, ReadoutRows
from conspect.verification.queries.formula_table import Names, concepts_asked, lead_of, leads_asked, tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel, VerifyOptions
from conspect.verification.queries.negation import AtomRows, LinearLiteral, State
from conspect.verification.queries.planning import UNIT, Obligation, asked_for, plan, require_usable_numbers
from conspect.verification.queries.premises import premise_of
from conspect.verification.regions.readouts import ReadoutKinds, StrengthForm
from tests.verification.subjects import plane

A, B, C, D = Stronger("a", "b"), Stronger("b", "c"), Predict("x"), HasConcept("a")


@pytest.mark.parametrize(
    ("formula", "premise"),
    [
        (A, None), (Implies(A, B), A), (Implies(A, Implies(C, B)), And((A, C))),
        (Implies(A, Implies(C, Implies(D, B))), And((A, C, D))),
        (Or((Not(A), B)), A), (Or((Not(A), Not(C), B)), And((A, C))), (Or((A, B)), None), (Or((Not(A), Not(B))), None),
        (Or((Not(A), B, C)), A), (Or((Not(A), Implies(C, B))), And((A, C))), (Not(And((A, Not(B)))), A),
        (Not(And((A, B))), None),
        (Not(And((Not(A), Not(B)))), None), (Not(And((A, C, Not(B), Not(D)))), And((A, C))),
        (And((Implies(A, B), Implies(C, D))), Or((A, C))),
        (And((Implies(A, B), D)), None), (Not(A), None), (Iff(A, B), None),
    ],
)  # fmt: skip
def test_premises_are_what_has_to_be_so_first(formula: Any, premise: Any) -> None:
    assert premise_of(formula) == premise


NAMES = Names({"x": 0, "y": 1}, {"a": 0, "b": 1, "c": 2})


def test_formulas_become_tables_with_each_part_once_and_the_root_last() -> None:
    assert tabulate(A, NAMES) == (("stronger", 0, 1),)
    assert tabulate(Predict("y", Fraction(1, 3)), NAMES) == (("predict", 1, "1/3"),)
    assert tabulate(Implies(And((A, C)), Or((A, Not(D)))), NAMES) == (
        ("stronger", 0, 1), ("predict", 0), ("and", 0, 1), ("has", 0), ("not", 3), ("or", 0, 4), ("implies", 2, 5),
    )  # fmt: skip
    assert tabulate(Iff(A, A), NAMES) == (("stronger", 0, 1), ("iff", 0, 0))
    table: Any = (("predict", 0), ("predict", 1, "1/3"), ("has", 2), ("has", 0))
    assert concepts_asked(table) == {0, 2}
    assert leads_asked(table) == {Fraction(1, 3)}
    assert [lead_of(node) for node in table[:2]] == [0, Fraction(1, 3)]
    with pytest.raises(UserError, match="no class 'z'"):
        tabulate(Predict("z"), NAMES)
    with pytest.raises(UserError, match="no concept 'z'"):
        tabulate(HasConcept("z"), NAMES)


def test_options_are_those_of_the_page_unless_told() -> None:
    options = VerifyOptions()
    assert (options.gamma, options.coverage, options.shape, options.estimate_from) == (None, None, "box", "correct")
    assert (options.confidence, options.node_budget, options.seconds_budget, options.nearest) == (0.95, 4096, 60.0, 3)
    assert (options.search_gamma, options.cross_check, options.float32) == (True, "none", False)
    assert options.curve_gammas == tuple(Fraction(k, 10) for k in range(1, 11))
    assert VerifyOptions(gamma=Fraction(0), coverage=Fraction(1), seconds_budget=0.0).coverage == 1
    wrong: list[dict[str, Any]] = [
        {"gamma": Fraction(-1)}, {"coverage": Fraction(0)}, {"coverage": Fraction(11, 10)}, {"seconds_budget": -0.1},
        {"confidence": 0.0},
        {"confidence": 1.0}, {"gamma": "x"}, {"gamma": "1/0"}, {"curve_gammas": (-1,)},
    ]  # fmt: skip
    assert len(wrong) == 9
    for options_ in wrong:
        with pytest.raises(UserError):
            VerifyOptions(**options_)


@pytest.mark.parametrize(
    ("focus", "options", "said"),
    [
        (Focus("x"), {}, "focus(x, gamma = 0.4, shape = box)"),
        (Focus("x"), {"gamma": Fraction(1, 4)}, "focus(x, gamma = 0.25, shape = box)"),
        (Focus("x"), {"coverage": Fraction(1, 2)}, "coverage = 50%"), (Focus("x"), {"shape": "span"}, "coverage = 90%"),
        (Focus("x"), {"shape": "band", "coverage": Fraction(1, 2)}, "coverage = 50%"),
        (Focus("x"), {"shape": "band", "gamma": Fraction(2)}, "gamma = 2"),
        (Focus("x", shape="ellipsoid", gamma=Fraction(3)), {"gamma": Fraction(1)}, "gamma = 3"),
        (Focus("x", coverage=Fraction(3, 4)), {"gamma": Fraction(1)}, "coverage = 75%"),
    ],
)  # fmt: skip
def test_what_is_claimed_is_said_with_what_the_options_fill_in(focus: Focus, options: Any, said: str) -> None:
    job = Obligation("p", A, (), ForAll(focus), "x", "", None, "")
    words = asked_for(job, VerifyOptions(**options))
    assert words.startswith("for all x in focus(x")
    assert said.removesuffix(")") in words
    assert not words.endswith(":")
    assert ("coverage" in words) != ("gamma" in words)


def planned(text: str, **changes: Any) -> list[Obligation]:
    return plan(check_text(text).require(), plane(**changes), "f.cspec")


def test_jobs_are_planned_in_order_with_names_classes_and_places() -> None:
    text = (
        "property p: for all x in focus(east): right > up\n"
        "property r: predict(x, west) implies up > right\n"
        "property q: for 50% of x in images(west): up > right\n"
    )
    first, second, third = planned(text)
    assert [(job.name, job.class_name, job.line, job.file) for job in (first, second, third)] == [
        ("p", "east", 1, "f.cspec"), ("r", "west", 2, "f.cspec"), ("q", "west", 3, "f.cspec"),
    ]  # fmt: skip
    assert second.quantifier == ForAll(Focus("west"))
    assert (first.statement, first.table) == ("right > up", (("stronger", 0, 1),))
    for wrong, code in (
        ("property p: right > up\n", "VERIFY004"),
        ("property p: for all x in focus(east): hasCon(x, up)\n", "VERIFY005"),
        ("property p: for all x in focus(north): right > up\n", "VERIFY001"),
        ("property p: for 50% of x in images(north): right > up\n", "VERIFY001"),
    ):
        with pytest.raises(UserError) as caught:
            planned(wrong)
        assert caught.value.diagnostics[0].code == code


@pytest.mark.parametrize(
    ("length", "fine"),
    [(1 + 0.9 * UNIT, True), (1 - 0.9 * UNIT, True), (1 + 1.1 * UNIT, False), (1 - 1.1 * UNIT, False)],
)
def test_directions_have_length_one_to_a_hundred_thousandth(length: float, fine: bool) -> None:
    model = plane()
    lens = Lens(model.lens.alignment, ("right", "up"), np.diag([1.0, length]))
    own = VerificationModel(model.head, lens, model.class_names, model.splits)
    if fine:
        require_usable_numbers(own)
        assert UNIT == 1e-5
    else:
        with pytest.raises(UserError, match="the direction of concept 'up'"):
            require_usable_numbers(own)


# ---------------------------------------------------------------- neighbourhoods

FACTOR = np.array([[3.0, 0.0], [4.0, 0.5]])
# Readouts are strengths 1 and 2 above strength 0.
RELATIVE = ReadoutKinds(None, (0, 1, 2), StrengthForm.RELATIVE)
ROWS = ReadoutRows(RELATIVE, AtomRows(3, 3, {}))


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=2), st.fractions(0, 3, max_denominator=7), st.integers(0, 8))
def test_the_rise_of_a_row_is_the_next_whole_number_of_its_unit(row: list[int], radius: Fraction, shift: int) -> None:
    coefficients = tuple((k, v) for k, v in enumerate(row) if v)
    rise = Extents(FACTOR).rise(IntegerRow(coefficients, 5), radius, shift)
    squared = (3 * row[0] + 4 * row[1]) ** 2 + Fraction(row[1], 2) ** 2
    exact = squared * radius**2 * 4**shift
    assert rise**2 >= exact
    assert rise == 0 or (rise - 1) ** 2 < exact


def prover(centres: Any, factor: Any = ((3.0, 4.0), (0.0, 0.0))) -> NeighbourhoodProver:
    return NeighbourhoodProver(ROWS, Extents(np.array(factor)), Centres(np.array(centres, dtype=np.int64), 0))


@pytest.mark.parametrize("strict", [False, True])
def test_multipliers_close_images_up_to_the_exact_tie(strict: bool) -> None:
    # Literal: strength 1 above strength 0 is readout 0, which rises by 5 over a radius of 1.
    literals = (LinearLiteral(4, 3, strict), LinearLiteral(3, 4, False))
    own = prover([[-4, 0], [-5, 0], [-6, 0], [5, 0]])
    everyone = np.arange(4)
    closed = own.closes(literals, ((0, 3),), everyone, Fraction(1))
    assert closed.tolist() == [False, strict, True, False]
    # A strict literal counts with a weight alone.
    other = own.closes(literals, ((0, 0), (1, 2)), everyone, Fraction(1))
    assert other.tolist() == [False, False, False, False]
    assert own.closes(literals, ((1, 2),), np.array([3]), Fraction(1, 2)).tolist() == [True]


def test_a_formula_is_proved_around_the_images_that_its_literals_leave_no_room() -> None:
    own = prover([[-4, 0], [-6, 0], [7, 0]])
    table: Any = (("stronger", 0, 1),)
    (proved,) = own.prove([(table, np.arange(3))], Fraction(1))
    assert proved.images.tolist() == [False, True, False]
    assert proved.tree.alternatives == [((0, 1),)]
    # The others' ways lead to where readout 0 is largest: along F'g = (3, 4) over 5, or nowhere where it holds at the centre.
    assert proved.ways[0] == pytest.approx([0.6, 0.8])
    assert proved.ways[2].tolist() == [0.0, 0.0]
    both: Any = (("stronger", 0, 1), ("stronger", 0, 2), ("and", 0, 1))
    (opened,) = own.prove([(both, np.array([1, 2]))], Fraction(1))
    assert opened.images.tolist() == [False, False]
    assert opened.tree.which == 0
    assert len(opened.tree.branches) == 2
    wide = prover([[-6, -6], [-6, 1], [1, -6]])
    (opened,) = wide.prove([(both, np.arange(3))], Fraction(1))
    assert opened.images.tolist() == [True, False, False]
    (nothing,) = wide.prove([(both, np.arange(0))], Fraction(1))
    assert len(nothing.images) == 0


def test_searches_run_together_as_far_as_memory_goes(monkeypatch) -> None:
    def search(rows: int) -> _Search:
        case = _Open(0, ProofCase(), State((), ()), np.arange(rows), np.zeros(rows, dtype=bool))
        return _Search(case, np.arange(rows), np.arange(2), np.zeros((2, 5)), np.zeros((rows, 2)))

    searches = [search(rows) for rows in (1, 2, 3, 9, 1)]
    monkeypatch.setattr(proving, "MOST_NUMBERS", 30)
    assert [[len(one.rows) for one in part] for part in _parts(searches)] == [[1, 2], [3], [9], [1]]
    monkeypatch.setattr(proving, "MOST_NUMBERS", 29)
    assert [[len(one.rows) for one in part] for part in _parts(searches[:2])] == [[1], [2]]
    assert list(_parts([])) == []


def refuter() -> tuple[Refuter, VerificationModel]:
    head = Head.linear(np.array([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), np.array([0.5, 0.0, -1.0]))
    lens = Lens(
        AffineMap(np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([0.25, 0.0])),
        ("a", "b", "c"),
        np.array([[1.0, 0], [0, 1.0], [0.6, 0.8]]),
    )
    split = EmbeddingSplit(np.zeros((2, 2)), np.zeros(2, dtype=np.int64), ("a", "b"))
    model = VerificationModel(
        head, lens, ("x", "y", "z"), dict.fromkeys(("train", "val", "test"), split), {"a": 0.5, "b": 0.1, "c": 0.2}
    )
    return Refuter(model, ExactTruth(model)), model


@pytest.mark.parametrize("own", [None, 0, 1])
@pytest.mark.parametrize("presence", [False, True])
def test_readings_are_readouts_with_bounds_on_their_rounding(own: int | None, presence: bool) -> None:
    looking, model = refuter()
    embeddings = np.array([[3.0, -1.0], [0.1, 0.7]])
    form = StrengthForm.LENGTH if presence else StrengthForm.RELATIVE
    readings = looking.readings(ReadoutKinds(own, (0, 1, 2), form), embeddings)
    for row, z in enumerate(embeddings):
        logits, y = model.head.logits(z[None])[0], model.lens.alignment(z[None])[0]
        strengths = model.lens.directions @ y
        expected = [] if own is None else [logits[k] - logits[own] for k in range(3) if k != own]
        expected += [*strengths, np.linalg.norm(y)] if presence else list(strengths[1:] - strengths[0])
        assert readings.values[row] == pytest.approx(expected, abs=1e-12)
    assert (readings.errors >= 0).all()
    assert (readings.errors > 1e-17).all()
    assert (readings.errors < 1e-12).all()


def test_readings_lie_inside_a_neighbourhood_up_to_its_edge() -> None:
    looking, _ = refuter()
    kinds = RELATIVE
    factor = np.array([[2.0, 0.0], [0.5, 1.0]])
    ellipsoid = ChangeEllipsoid(factor, np.linalg.inv(factor))
    readings = looking.readings(kinds, np.array([[3.0, -1.0]]))
    for w in ([0.6, 0.8], [1.0, 0.0], [0.0, -1.0]):
        centres = readings.values - 3 * (factor @ np.array(w))[None]
        sizes = [
            looking.inside(ellipsoid, Fraction(3) * scale, readings, centres)[0]
            for scale in (Fraction(999999, 10**6), Fraction(1000001, 10**6))
        ]
        assert sizes == [False, True]
    rough = ChangeEllipsoid(factor, 2 * np.linalg.inv(factor))
    assert not looking.inside(rough, Fraction(99), readings, readings.values)[0]
    images = (np.array([[3.0, -1.0]]), Centres.of(readings.values))
    there = looking.candidates(kinds, ellipsoid, Fraction(3), images, np.array([[0.6, 0.8]]))
    assert there is not None
    aim = readings.values[0] + 3 * (1 - 1e-7) * factor @ np.array([0.6, 0.8])
    assert looking.readings(kinds, there).values[0] == pytest.approx(aim, abs=1e-6)


def test_shares_of_images_that_stand_a_change_are_counted_at_twenty_steps() -> None:
    class Reached:
        def __init__(self, reach: Fraction) -> None:
            self.reach = reach

    extents: Any = [Reached(Fraction(k)) for k in range(1, 11)]
    curve = _curve(extents, 12)
    # Nine tenths of ten: the tenth smallest, 10, is the end of the curve.
    assert [step.change for step in curve] == pytest.approx([10 * k / 20 for k in range(1, 21)])
    assert [step.share for step in curve] == pytest.approx(
        [sum(r >= 10 * k / 20 for r in range(1, 11)) / 12 for k in range(1, 21)]
    )
    assert _curve([], 12) == ()
    assert _curve(extents, 0) == ()
    assert _curve(extents[:1], 4)[-1].change == 1.0


def test_what_floats_call_closed_and_integers_do_not_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    own = prover([[-4, 0], [-6, 0], [7, 0]])
    monkeypatch.setattr(NeighbourhoodProver, "closes", lambda self, *asked: np.zeros(len(asked[2]), dtype=bool))
    (nothing,) = own.prove([((("stronger", 0, 1),), np.arange(3))], Fraction(1))
    assert nothing.images.tolist() == [False] * 3
    assert nothing.tree.alternatives == []


def test_of_many_literals_the_nearest_to_breaking_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    own = prover([[-4, 0], [-6, 0]])
    literals = tuple(LinearLiteral(3 + k, 3 + (k + 1) % 3, True) for k in range(3))
    case = _Open(0, ProofCase(), State(literals, ()), np.arange(2), np.zeros(2, dtype=bool))
    whole = own._search(case, np.arange(2), np.arange(2), Fraction(2))
    assert whole.literals.tolist() == [0, 1, 2]
    forms = [own._float(literal) for literal in literals]
    values = np.array([[own._floats[row] @ form[0] + form[1] for form in forms] for row in range(2)])
    assert whole.offsets == pytest.approx(values)
    assert whole.slopes == pytest.approx(2 * np.array([form[2] for form in forms]))
    lengths = np.array([form[3] for form in forms])
    order = np.argsort((values / np.maximum(lengths, 1e-300)).min(axis=0))
    for most in (1, 2):
        monkeypatch.setattr(proving, "MOST_LITERALS", most)
        few = own._search(case, np.arange(2), np.arange(2), Fraction(2))
        assert few.literals.tolist() == sorted(order[:most].tolist())
        assert few.offsets == pytest.approx(values[:, few.literals])
        assert few.slopes == pytest.approx(whole.slopes[few.literals])
