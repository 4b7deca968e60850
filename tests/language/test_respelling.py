import pytest

from conspect.language import parse, respell, write
from conspect.language.syntax.grammar import Spelling

PROTOTYPE = """class truck
con metallic
con ears
network resnet18
rep clip
Module trucks (resnet18, truck, clip) {
    E e1 ::> predict(truck) => >(truck, metallic, ears)
    E e1 ::> hasCon(metallic ears)
}
"""


def test_modules_become_properties_with_names_of_their_own() -> None:
    respelled = respell(parse(PROTOTYPE), "house")
    text = write(respelled.tree, "house")
    assert text.split("rep clip\n\n")[1] == (
        "property trucks_e1:\n    for all x in focus(truck):\n        predict(x, truck) implies metallic > ears\n\n"
        "property trucks_e1_2:\n    for all x in focus(truck):\n        hasCon(x, metallic, ears)\n"
    )
    (note,) = respelled.notes
    assert (note.code, note.problem) == ("SPEC401", "the house style has no module header")


def test_properties_over_a_plain_region_become_one_module_for_each_run_of_a_class() -> None:
    text = """network resnet18
property a: for all x in focus(truck): metallic > wheels > ears
property b: for all x in focus(truck, gamma = 0.4): predict(x, truck)
property c: for 95% of x in images(truck): metallic > ears
property d: for all x in focus(car): hasCon(x, a, b)
"""
    respelled = respell(parse(text), "module")
    assert (
        write(respelled.tree, "module")
        == """network resnet18
rep vlm

Module module_truck (resnet18, truck, vlm) {
    E a ::> >(truck, metallic, wheels) ^ >(truck, wheels, ears)
    E b ::> predict(truck)
}

Module module_car (resnet18, car, vlm) {
    E d ::> hasCon(a b)
}
"""
    )
    assert [note.problem.removeprefix("the module style ") for note in respelled.notes] == [
        "has no chains",
        "needs a network and a representation for 'a'",
        "cannot say how large, of which shape or how cut its region is",
        "has no means for a claim about images",
        "needs a network and a representation for 'd'",
    ]


def test_the_paper_style_spells_chains_out_and_puts_each_property_on_a_line() -> None:
    respelled = respell(parse("property p: for all x in focus(c): a > b > c and hasCon(x, d, e)"), "paper")
    expected = "property p: for all x in focus(c): (>(x, a, b) ^ >(x, b, c)) ^ hasCon(x, d, e)\n"
    assert write(respelled.tree, "paper") == expected
    assert [note.problem for note in respelled.notes] == ["the paper style has no chains"]


@pytest.mark.parametrize("spelling", ["paper", "house"])
def test_a_tree_within_the_means_of_a_spelling_passes_unchanged(spelling: Spelling) -> None:
    tree = parse("class truck\npredict(x, truck) => >(x, metallic, ears)")
    assert respell(tree, spelling).tree == tree
    assert respell(tree, spelling).notes == ()


def test_the_three_spellings_of_one_claim() -> None:
    tree = parse("predict(x, truck) => ~>(x, metallic, ears) ^ hasCon(x, wet)")
    assert write(tree, "paper") == "predict(x, truck) => ~>(x, metallic, ears) ^ hasCon(x, wet)\n"
    assert write(tree, "house") == "predict(x, truck) implies not metallic > ears and hasCon(x, wet)\n"
    module = parse(PROTOTYPE)
    assert write(module) == PROTOTYPE.replace("truck\ncon", "truck\n\ncon", 1).replace(
        "ears\nnet", "ears\n\nnet"
    ).replace("clip\nModule", "clip\n\nModule")
