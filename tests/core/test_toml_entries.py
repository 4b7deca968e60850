"""One more entry in a TOML text: what is there stays, byte for byte, and the parser reads the text with the entry as its last."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conspect.core.toml_entries import toml_line, toml_string, with_entry

LISTED = '[concepts]\nwheels = ["wheels"]  # round\nhairy = { phrases = ["hair"] }\n\n# what follows\n[other]\nx = 1\n'


def test_the_entry_is_the_last_of_its_table_and_remarks_stay() -> None:
    changed, lines = with_entry(LISTED, "concepts", "striped", ["striped"])
    assert lines == 'striped = ["striped"]\n'
    assert changed == LISTED.replace("\n\n# what", "\n" + lines + "\n# what")
    assert list(tomllib.loads(changed)["concepts"]) == ["wheels", "hairy", "striped"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", '\n[concepts]\nx = ["x"]\n'),
        ("[concepts]", 'x = ["x"]\n'),
        ("[concepts]\n# nothing yet\n", 'x = ["x"]\n'),
        ('[ concepts ]\r\na = ["a"]\r\n', 'x = ["x"]\r\n'),
        ('["concepts"]\na = ["a"]\n', 'x = ["x"]\n'),
        ('[concepts.a]\nphrases = ["a"]\n', '\n[concepts]\nx = ["x"]\n'),
        ('[concepts]\na = [\n  "a",\n  ["[b]"],\n]\nb = """\n[concepts.z]\n"""\n[z]\n', 'x = ["x"]\n'),
    ],
)
def test_every_way_to_write_a_table_has_a_place(text: str, lines: str) -> None:
    changed, own = with_entry(text, "concepts", "x", ["x"])
    assert own == lines
    assert changed.replace(own, "", 1).rstrip("\n") == text.rstrip("\n")
    assert list(tomllib.loads(changed)["concepts"])[-1] == "x"


@pytest.mark.parametrize("text", ['concepts.a = ["a"]\n', 'concepts = { a = ["a"] }\n'])
def test_what_has_no_place_for_a_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="concepts"):
        with_entry(text, "concepts", "x", ["x"])


def test_where_entries_are_tables_of_their_own_so_is_this_one() -> None:
    text = '[concepts]\na = ["a"]\n[concepts.b]\nphrases = ["b"]\n'
    with pytest.raises(ValueError, match="no line can be added"):
        with_entry(text, "concepts", "c d", ["c"])
    changed, lines = with_entry(text, "concepts", "c d", {"phrases": ["c"]})
    assert lines == '\n[concepts."c d"]\nphrases = ["c"]\n'
    assert list(tomllib.loads(changed)["concepts"]) == ["a", "b", "c d"]


@pytest.mark.parametrize("text", ["[concepts", "[concepts]\nx = 1\n", "concepts = 3\n"])
def test_what_is_no_table_or_has_the_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        with_entry(text, "concepts", "x", ["x"])


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.lists(NAMES, unique=True, max_size=6), NAMES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_names_read_back_in_their_order(names: list[str], new: str, newline: str, ended: bool) -> None:
    lines = ["# a remark", "[concepts]", *(toml_line(name, [name]) for name in names), "[z]", 'y = ["[concepts]"]']
    text = newline.join(lines) + (newline if ended else "")
    if new in names:
        with pytest.raises(ValueError, match="no place"):
            with_entry(text, "concepts", new, [new])
        return
    changed, own = with_entry(text, "concepts", new, [new])
    assert list(tomllib.loads(changed)["concepts"].items()) == [(name, [name]) for name in (*names, new)]
    assert changed.replace(own, "", 1) == text


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_string_reads_back(text: str) -> None:
    assert tomllib.loads(f"x = {toml_string(text)}") == {"x": text}
