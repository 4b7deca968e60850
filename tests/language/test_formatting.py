import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conspect.core.diagnostics import UserError
from conspect.language import format_text, parse, write

MESSY = """# head

# about trucks
class   truck # trailing
con a; con b # two


Module m (n,truck,r) { # open
  # first
  E e1 ::> predict(truck) # one

  E e2 ::> # mid
     hasCon(a b)
  # last
} # end
property p: for all x in focus(truck, gamma=0.5 ):
   # inside
   a > b # tail
# bye
"""
TIDY = """# head

# about trucks
class truck  # trailing
con a
con b  # two

Module m (n, truck, r) {
    # open
    # first
    E e1 ::> predict(truck)  # one

    # mid
    E e2 ::> hasCon(a b)
    # last
}  # end

# inside
property p:
    for all x in focus(truck, gamma = 0.5):
        a > b  # tail

# bye
"""


def test_layout_is_canonical_and_every_comment_stays() -> None:
    formatted = format_text(MESSY)
    assert formatted.text == TIDY
    assert formatted.moved_comments == 2  # 'mid' and 'inside' stood in the middle of an item


def test_the_layout_of_a_tidy_file_is_the_file() -> None:
    assert format_text(TIDY).text == TIDY
    assert format_text("").text == ""


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, MESSY.count("\n")), max_size=6))
def test_no_comment_is_ever_lost_wherever_it_stands(places: list[int]) -> None:
    lines = MESSY.split("\n")
    for number, place in enumerate(places):
        lines[place] += f" # extra{number}"
    text = "\n".join(lines)
    tidy = format_text(text).text
    assert parse(tidy) == parse(MESSY)
    for number in range(len(places)):
        assert tidy.count(f"# extra{number}") == 1
    assert format_text(tidy).text == tidy


def test_a_file_with_mistakes_is_not_touched() -> None:
    with pytest.raises(UserError, match="SPEC117"):
        format_text("predict(x, c) => a")


def test_what_the_layout_rewrites_and_what_it_keeps_is_what_the_documentation_says() -> None:
    source = """concept ears
con wheels
con metallic = "made of metal"
concept  "sky"   = "blue sky" , "clouds"
property p: forall x in focus(truck, gamma = 2/5): ((predict(x, truck))) => >(x, metallic, ears) & !hasCon(x, "wheels")
property q: for at least 0.95 of x in images(truck, split="test"): each of {ears} > each of {metallic, wheels}
property r: for 1/3 of x in images(truck): ears > metallic > wheels
predict(x, truck) implies (metallic > ears)
"""
    tidy = format_text(source).text
    assert parse(tidy) == parse(source)
    assert (
        tidy
        == """concept ears
con wheels
con metallic = "made of metal"
concept sky = "blue sky", "clouds"

property p:
    for all x in focus(truck, gamma = 0.4):
        predict(x, truck) implies metallic > ears and not hasCon(x, wheels)

property q:
    for 95% of x in images(truck, split = "test"):
        each of {ears} > each of {metallic, wheels}

property r:
    for 1/3 of x in images(truck):
        ears > metallic > wheels

predict(x, truck) => >(x, metallic, ears)
"""
    )


def test_each_style_has_its_word_for_a_concept_when_a_file_is_rewritten() -> None:
    tree = parse("concept a\ncon b\n")
    assert [write(tree, style) for style in ("house", "paper", "module")] == [
        "concept a\nconcept b\n",
        "con a\ncon b\n",
        "con a\ncon b\n",
    ]
