from fractions import Fraction
from itertools import product

import pytest

from conspect.core.diagnostics import UserError
from conspect.language import parse, parse_with_diagnostics
from conspect.language.syntax.grammar import SIGNS, WORDS
from conspect.language.syntax.tree import (
    And,
    Chain,
    ClassDeclaration,
    ConceptDeclaration,
    Each,
    Focus,
    ForAll,
    ForImage,
    Formula,
    ForShare,
    HasAll,
    HasConcept,
    Iff,
    ImageConcepts,
    Images,
    Implies,
    Module,
    NameDeclaration,
    Not,
    Or,
    Predict,
    Property,
    Specification,
    Stronger,
)

MODULE = """# comment
class truck
con metallic
con ears
network resnet18
rep clip
Module trucks (resnet18, truck, clip) {
    E e1 ::> predict(truck)
    E e2 ::> >(truck, metallic, ears)
    E e3 ::> predict(truck) => ~hasCon(ears) ^ (hasCon(wheels) v hasCon(metallic))
}
"""
A, B, C, D = (Stronger(name, "z") for name in "abcd")


def formula(text: str) -> Formula:
    (item,) = parse(text).items
    assert isinstance(item, Property)
    return item.formula


def codes(text: str | bytes) -> list[str]:
    return [error.code for error in parse_with_diagnostics(text).errors]


def test_the_module_style_of_the_language_page_parses_unmodified() -> None:
    last = Implies(Predict("truck"), And((Not(HasConcept("ears")), Or((HasConcept("wheels"), HasConcept("metallic"))))))
    properties = (
        Property("e1", None, Predict("truck")),
        Property("e2", None, Stronger("metallic", "ears")),
        Property("e3", None, last),
    )
    assert parse(MODULE) == Specification(
        (
            ClassDeclaration("truck"),
            ConceptDeclaration("metallic"),
            ConceptDeclaration("ears"),
            NameDeclaration("network", "resnet18"),
            NameDeclaration("rep", "clip"),
            Module("trucks", "resnet18", "truck", "clip", properties),
        )
    )


def test_repeated_names_image_declarations_and_lists_without_commas_of_the_prototype_parse() -> None:
    text = "img i1\nimageCon(i1) = {a, b}\nModule m (n,c,r) {\n\tE e1 ::> predict(c) \n\t\n\tE e1 ::> hasCon(a b)\n}"
    (_, concepts, module) = parse(text).items
    assert concepts == ImageConcepts("i1", ("a", "b"))
    assert isinstance(module, Module)
    assert [part.formula for part in module.properties] == [Predict("c"), HasAll(("a", "b"))]


def test_the_house_style_of_the_language_page_parses() -> None:
    text = """
concept metallic = "made of metal", "shiny metal surface"
property trucks_are_metallic:
    for all x in focus(truck, gamma = 0.4):
        predict(x, truck) implies metallic > ears
property mostly_metallic:
    for 95% of x in images(truck, split = "test"):
        metallic > ears and wheels > wings
"""
    concept, first, second = parse(text).items
    assert concept == ConceptDeclaration("metallic", ("made of metal", "shiny metal surface"))
    implication = Implies(Predict("truck"), Stronger("metallic", "ears"))
    assert first == Property("trucks_are_metallic", ForAll(Focus("truck", Fraction(2, 5))), implication)
    both = And((Stronger("metallic", "ears"), Stronger("wheels", "wings")))
    assert second == Property("mostly_metallic", ForShare(Fraction(19, 20), Images("truck", "test")), both)


def test_chains_and_sets_stay_in_the_tree() -> None:
    assert formula("metallic > wheels > ears") == Chain(("metallic", "wheels", "ears"))
    expected = Each(("metallic", "wheels"), ("ears", "beak"))
    assert formula("each of {metallic, wheels} > each of {ears, beak}") == expected
    assert formula("metallic > each of {ears, beak}") == Each(("metallic",), ("ears", "beak"))


@pytest.mark.parametrize("text", ["predict(x, c)", "predict(c)"])
def test_the_variable_may_be_left_out_of_predict(text: str) -> None:
    assert formula(text) == Predict("c")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hasCon(a)", HasConcept("a")),
        ("hasCon(x, a)", HasConcept("a")),
        ("hasCon(x, a, b)", HasAll(("a", "b"))),
        ("hasCon(a b)", HasAll(("a", "b"))),
        ("hasCon(x)", HasConcept("x")),
    ],
)
def test_has_con_takes_a_variable_and_one_or_more_concepts(text: str, expected: Formula) -> None:
    assert formula(text) == expected


def test_every_operator_has_its_connective() -> None:
    two = {"and": And((A, B)), "or": Or((A, B)), "implies": Implies(A, B), "iff": Iff(A, B)}
    assert {*SIGNS.values(), *WORDS.values()} == {*two, "not"}
    for sign, connective in {**SIGNS, **WORDS}.items():
        if connective == "not":
            assert formula(f"{sign} a > z") == Not(A)
        else:
            assert formula(f"a > z {sign} b > z") == two[connective]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > z => b > z => c > z", Implies(A, Implies(B, C))),
        ("a > z v b > z ^ c > z", Or((A, And((B, C))))),
        ("~a > z ^ b > z", And((Not(A), B))),
        ("a > z iff b > z => c > z v d > z", Implies(Iff(A, B), Or((C, D)))),
        ("a > z => b > z iff c > z", Implies(A, Iff(B, C))),
        ("(a > z => b > z) => c > z", Implies(Implies(A, B), C)),
        ("a > z ^ (b > z ^ c > z)", And((A, And((B, C))))),
        ("~~a > z", Not(Not(A))),
        ("v > z v v > z", Or((Stronger("v", "z"), Stronger("v", "z")))),
        ("a > z v >(x, b, z)", Or((A, B))),
    ],
)
def test_operators_bind_as_the_language_says(text: str, expected: Formula) -> None:
    assert formula(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for all x in focus(c)", ForAll(Focus("c"))),
        ("forall x in focus(c)", ForAll(Focus("c"))),
        ("∀ x ∈ focus(c, coverage = 90%)", ForAll(Focus("c", coverage=Fraction(9, 10)))),
        ("for all x in focus(c, shape = pca-box, gamma = 1/3)", ForAll(Focus("c", Fraction(1, 3), shape="pca-box"))),
        ("for all x in focus(c) where predict(x, c)", ForAll(Focus("c", cut=True))),
        ("for at least 99.5% of x in images()", ForShare(Fraction(199, 200), Images())),
        ("for 0.5 of x in images(split = test)", ForShare(Fraction(1, 2), Images(None, "test"))),
        ('for x = image("test/00017")', ForImage("test/00017")),
    ],
)
def test_quantifiers(text: str, expected: object) -> None:
    (item,) = parse(f"property p: {text}: a > b").items
    assert isinstance(item, Property)
    assert item.quantifier == expected


def test_names_with_spaces_and_reserved_words_are_quoted() -> None:
    assert formula(r'predict(x, "moving van") => "colored eyes" > "not\u0041"') == Implies(
        Predict("moving van"), Stronger("colored eyes", "notA")
    )


def test_bare_formulas_are_numbered_and_find_their_variable() -> None:
    first, second = parse("predict(y, truck) => >(y, metallic, ears)\na > b").items
    assert isinstance(first, Property)
    assert isinstance(second, Property)
    assert (first.name, first.variable, second.name, second.variable) == ("formula_1", "y", "formula_2", "x")


def test_line_ends_and_a_byte_order_mark_make_no_difference() -> None:
    assert parse(MODULE.replace("\n", "\r\n").encode("utf-8-sig")) == parse(MODULE) == parse(MODULE.replace("\n", "\r"))


def test_spans_point_at_the_source_and_take_no_part_in_equality() -> None:
    text = "property p:\n  for all x in focus(c):\n    a > b and\n      hasCon(x, d)"
    (item,) = parse(text).items
    assert isinstance(item, Property)
    assert isinstance(item.formula, And)
    spans = [(part.span.line, part.span.column, part.span.length) for part in item.formula.operands if part.span]
    assert spans == [(3, 5, 5), (4, 7, 12)]
    assert item == parse(text.replace("\n", "\n\n")).items[0]


def test_several_mistakes_are_reported_at_once_with_their_places() -> None:
    text = (
        "class 3d\nproperty p: for all x: metallic > ears\npredict(x, truck) => metallic\nclass truck\npredicts(x, c)"
    )
    parsed = parse_with_diagnostics(text)
    places = [(e.code, e.place.line, e.place.column) for e in parsed.errors if e.place]
    assert places == [("SPEC106", 1, 7), ("SPEC121", 2, 13), ("SPEC117", 3, 22), ("SPEC116", 5, 1)]
    assert parsed.tree.items[-1] == ClassDeclaration("truck")


def test_a_mistake_in_one_property_of_a_module_leaves_the_others() -> None:
    text = "Module m (n, c, r) {\nE e1 ::> hasCon(\nE e2 ::> predict(c)\nE e3 ::> ^\nE e4 ::> a > b\n}"
    parsed = parse_with_diagnostics(text)
    assert [error.code for error in parsed.errors] == ["SPEC118", "SPEC111", "SPEC111"]
    (module,) = parse("Module m (n, c, r) {\nE e2 ::> predict(c)\nE e4 ::> a > b\n}").items
    assert isinstance(module, Module)
    assert [part.name for part in module.properties] == ["e2", "e4"]


@pytest.mark.parametrize("opening", ["(", "~(", "~", "a > b => (", "a > b ^ (a > b v (", "predict(x, c) iff ("])
def test_nesting_is_refused_beyond_200_and_never_overflows(opening: str) -> None:
    levels = 200 // max(1, opening.count("("))
    for depth, fine in ((levels // 4, True), (2000, False)):
        closing = ")" * ((opening.count("(") - opening.count(")")) * depth)
        assert (codes(f"{opening * depth}a > b{closing}") == []) is fine
        if not fine:
            assert codes(f"{opening * depth}a > b{closing}") == ["SPEC112"]


def test_exactly_200_brackets_are_allowed() -> None:
    assert codes("(" * 200 + "a > b" + ")" * 200) == []
    assert codes("(" * 201 + "a > b" + ")" * 201) == ["SPEC112"]
    assert codes("~" * 199 + "a > b") == []
    assert codes("~" * 200 + "a > b") == ["SPEC112"]


def test_files_over_a_mebibyte_are_refused() -> None:
    assert codes(b"#" * (1 << 20)) == []
    assert codes(b"#" * ((1 << 20) + 1)) == ["SPEC102"]
    assert codes("é" * (1 << 19) + "#") == ["SPEC102"]


@pytest.mark.parametrize(
    "content", [b"\xff\xfea\x00", b"class \xc3", "class \ud800", "con a\udfff", b"\x00" * 9, "\x00\ufeff"]
)
def test_bytes_that_are_no_text_give_diagnostics(content: str | bytes) -> None:
    with pytest.raises(UserError) as raised:
        parse(content)
    assert raised.value.diagnostics[0].code in ("SPEC101", "SPEC103")
    str(raised.value).encode("utf-8")


def test_formulas_side_by_side_are_told_apart_by_line_and_indentation() -> None:
    assert codes("a > b\nc > d") == []
    assert codes("a > b; c > d") == []
    for text, pair in product(["a > b c > d", "property p:\n  a > b\n  (c > d)"], [0]):
        assert codes(text)[pair] == "SPEC114"


def test_every_mistaken_operator_is_named_with_what_to_write() -> None:
    for mistaken in ("&&", "||", "==", "!=", ">=", "<=", "<", ">>", "≥", "≤"):
        error = parse_with_diagnostics(f"a > b {mistaken} c > d").errors[0]
        assert (error.code, mistaken in error.problem) == ("SPEC113", True)


def test_sets_that_stand_for_more_comparisons_than_memory_holds_are_refused() -> None:
    many = ", ".join(f"a{k}" for k in range(501))
    others = ", ".join(f"b{k}" for k in range(500))
    assert codes(f"each of {{{others}}} > each of {{{others}}}") == []
    assert codes(f"each of {{{many}}} > each of {{{others}}}") == ["SPEC102"]


def test_what_is_missing_at_the_end_is_missing_behind_the_last_word() -> None:
    errors = parse_with_diagnostics("property p: for all x in focus(truck): a >  # b\n\n# the end\n").errors
    assert [(e.code, e.place.line, e.place.column) for e in errors if e.place is not None] == [("SPEC111", 1, 43)]
    assert str(errors[0]).split("\n")[2].index("^") - 4 == 42
