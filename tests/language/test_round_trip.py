from hypothesis import given, settings
from hypothesis import strategies as st

from conspect.language import expand, format_text, parse, respell, write, write_formula
from conspect.language.meaning.expansion import nodes
from conspect.language.syntax.grammar import Spelling
from conspect.language.syntax.tree import Chain, Each, Formula, HasAll, Module, Property, Specification

from .strategies import formulas, specifications

spellings = st.sampled_from([None, "paper", "module", "house"])


@settings(max_examples=100, deadline=None)
@given(specifications, spellings)
def test_what_is_written_parses_back_to_the_same_tree(tree: Specification, spelling: Spelling | None) -> None:
    assert parse(write(tree, spelling)) == tree


@settings(max_examples=150, deadline=None)
@given(formulas(), st.sampled_from(["paper", "house"]))
def test_a_formula_alone_survives_writing_and_parsing(formula: Formula, spelling: Spelling) -> None:
    (item,) = parse(f"property p: for all x in focus(c): {write_formula(formula, spelling)}").items
    assert isinstance(item, Property)
    assert item.formula == formula


@settings(max_examples=100, deadline=None)
@given(specifications)
def test_formatting_keeps_the_tree_and_is_idempotent(tree: Specification) -> None:
    text = format_text(write(tree)).text
    assert parse(text) == tree
    assert format_text(text).text == text


@settings(max_examples=100, deadline=None)
@given(formulas())
def test_expansion_leaves_core_nodes_alone(formula: Formula) -> None:
    core = expand(formula)
    assert not any(isinstance(node, (Chain, Each, HasAll)) for node in nodes(core))
    assert expand(core) == core


@settings(max_examples=100, deadline=None)
@given(specifications, st.sampled_from(["paper", "module", "house"]))
def test_respelling_without_notes_changes_nothing_and_always_gives_the_target_spelling(
    tree: Specification, spelling: Spelling
) -> None:
    respelled = respell(tree, spelling)
    if not respelled.notes:
        assert respelled.tree == tree
    kinds = {type(item) for item in respelled.tree.items}
    assert (Property if spelling == "module" else Module) not in kinds
    assert parse(write(respelled.tree, spelling)) == respelled.tree
