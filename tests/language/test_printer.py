from fractions import Fraction

import pytest

from conspect.core.diagnostics import UserError
from conspect.language import write, write_formula
from conspect.language.syntax.tree import (
    And,
    Chain,
    ClassDeclaration,
    Each,
    Focus,
    ForAll,
    Formula,
    ForShare,
    HasAll,
    Iff,
    Images,
    Implies,
    Item,
    Module,
    Not,
    Or,
    Predict,
    Property,
    Specification,
    Stronger,
)
from conspect.language.writing.printer import write_name, write_quantifier

A, B, C = (Stronger(name, "z") for name in "abc")


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        (Implies(A, Implies(B, C)), "a > z implies b > z implies c > z"),
        (Implies(Implies(A, B), C), "(a > z implies b > z) implies c > z"),
        (And((A, Or((B, C)))), "a > z and (b > z or c > z)"),
        (Or((A, And((B, C)))), "a > z or b > z and c > z"),
        (And((And((A, B)), C)), "(a > z and b > z) and c > z"),
        (Not(Not(A)), "not not a > z"),
        (Not(And((A, B))), "not (a > z and b > z)"),
        (Iff(Implies(A, B), C), "(a > z implies b > z) iff c > z"),
        (Implies(Iff(A, B), C), "a > z iff b > z implies c > z"),
    ],
)
def test_brackets_stand_only_where_they_are_needed(formula: Formula, text: str) -> None:
    assert write_formula(formula) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(2, 5), "0.4"),
        (Fraction(1, 8), "0.125"),
        (Fraction(3), "3"),
        (Fraction(1, 3), "1/3"),
        (Fraction(0), "0"),
    ],
)
def test_numbers_are_decimals_where_that_is_exact(value: Fraction, text: str) -> None:
    assert write_quantifier(ForAll(Focus("c", value)), "x") == f"for all x in focus(c, gamma = {text}):"


def test_shares_are_percentages_where_that_is_exact() -> None:
    assert write_quantifier(ForShare(Fraction(199, 200), Images()), "x") == "for 99.5% of x in images():"
    assert write_quantifier(ForShare(Fraction(1, 3), Images("c", "test")), "x") == (
        'for 1/3 of x in images(c, split = "test"):'
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("long-snout", "long-snout"),
        ("moving van", '"moving van"'),
        ("v", '"v"'),
        ("3d", '"3d"'),
        ("a-", '"a-"'),
        ('say "x"\\\n', r'"say \"x\"\\\n"'),
        ("\u2028\U000e0001", r'"\u2028\U000e0001"'),
    ],
)
def test_names_are_quoted_where_they_need_it(name: str, text: str) -> None:
    assert write_name(name) == text


@pytest.mark.parametrize(
    "item",
    [
        ClassDeclaration(""),
        ClassDeclaration("a\ud800"),
        ClassDeclaration("n" * 201),
        Property("p", None, And((A,))),
        Property("p", None, Or(())),
        Property("p", None, Chain(("a", "b"))),
        Property("p", None, Each((), ("a",))),
        Property("p", None, HasAll(("a",))),
        Property("p", None, Chain(("a", "b", "c")), "y"),
        Property("p", ForAll(Focus("c", Fraction(1), Fraction(1))), A),
        Property("p", ForAll(Focus("c", Fraction(-1))), A),
        Property("p", ForAll(Focus("c", Fraction(10**50, 3))), A),
        Property("p", ForShare(Fraction(2), Images()), A),
        Module("m", "n", "c", "r", (Property("e", ForAll(Focus("c")), A),)),
    ],
)
def test_what_no_spelling_can_say_is_refused_by_name(item: Item) -> None:
    with pytest.raises(UserError, match="SPEC402"):
        write(Specification((item,)))


def test_trees_deeper_than_the_language_allows_are_refused_and_do_not_overflow() -> None:
    formula: Formula = Predict("c")
    for _ in range(5000):
        formula = Not(formula)
    with pytest.raises(UserError, match="SPEC112"):
        write_formula(formula)
