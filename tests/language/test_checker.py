import pytest

from conspect.language import Vocabulary, check, check_text
from conspect.language.syntax.builder import claim, concepts, focus, for_all, predict, specification
from conspect.language.syntax.suggestions import Suggester, distance

VOCABULARY = Vocabulary(("truck", "car"), ("metallic", "ears", "wheels"))


def problems(text: str, vocabulary: Vocabulary | None = None) -> list[tuple[str, int | None, int | None]]:
    checked = check_text(text, vocabulary)
    return [(d.code, d.place.line, d.place.column) for d in (*checked.errors, *checked.warnings) if d.place]


def test_a_correct_file_has_nothing_to_report() -> None:
    text = "property p: for all x in focus(truck): predict(x, truck) => metallic > ears"
    assert problems(text, VOCABULARY) == problems(text) == []


def test_every_unknown_name_is_pointed_at() -> None:
    text = (
        "property p: for all x in focus(truk):\n"
        "  predict(x, bus) => hasCon(x, ears, fur) and each of {metallic} > each of {weels}"
    )
    assert problems(text, VOCABULARY) == [
        ("SPEC202", 1, 32),
        ("SPEC202", 2, 14),
        ("SPEC201", 2, 38),
        ("SPEC201", 2, 77),
    ]


def test_an_unknown_name_comes_with_the_nearest_known_one() -> None:
    error = check_text("predict(x, truck) => metalic > ears", VOCABULARY).errors[0]
    assert error.problem == "unknown concept 'metalic', did you mean 'metallic'?"


def test_declared_concepts_with_phrases_extend_the_vocabulary_unless_it_is_closed() -> None:
    text = 'concept fur = "soft fur"\nproperty p: for all x in focus(truck): fur > ears'
    assert problems(text, VOCABULARY) == []
    closed = Vocabulary(("truck",), ("ears",), new_concepts=False)
    assert problems(text, closed) == [("SPEC201", 1, 9)]
    assert problems("con fur\n" + text.split("\n")[1], VOCABULARY) == [("SPEC201", 1, 5)]


def test_names_may_be_declared_after_their_use() -> None:
    text = "Module m (n, c, r) { E e ::> >(c, a, b) }\nclass c\ncon a\ncon b\nnetwork n\nrep r"
    assert problems(text) == []


def test_types_are_told_apart() -> None:
    assert problems("predict(x, ears) => truck > ears", VOCABULARY) == [("SPEC204", 1, 12), ("SPEC203", 1, 21)]


def test_a_lost_declaration_does_not_make_its_uses_unknown() -> None:
    assert problems("concept metallicc\nconcept $ =\npredict(x, c) => metallic > ears") == [
        ("SPEC103", 2, 9),
        ("SPEC111", 2, 11),
    ]


def test_trees_without_spans_are_checked_too() -> None:
    metallic, ears = concepts("metalic ears")
    tree = specification([claim("p", for_all(focus("truck")), predict("truck") >> (metallic > ears))])
    (error,) = check(tree, VOCABULARY, file="built").errors
    assert (error.code, str(error.place)) == ("SPEC201", "built")


def test_the_trivial_claims_of_a_generated_prototype_file_are_warned_of() -> None:
    text = "class c\ncon a\nnetwork n\nrep r\nModule m (n, c, r) {\nE e1 ::> >(c, a, a)\n}"
    assert problems(text) == [("SPEC503", 6, 1)]


def test_a_hostile_file_of_unknown_names_stays_cheap() -> None:
    text = "".join(f"concept name{i}\n" for i in range(20_000)) + "".join(f"nam{i} > b\n" for i in range(20_000))
    checked = check_text(text)
    assert len(checked.errors) <= 101


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [("ears", "ears", 0), ("ears", "bears", 1), ("ears", "aers", 1), ("wheels", "wings", 4), ("", "ab", 2)],
)
def test_distance_counts_slips(left: str, right: str, expected: int) -> None:
    assert distance(left, right, 9) == distance(right, left, 9) == expected


def test_nothing_is_suggested_that_is_far_or_once_the_budget_is_spent() -> None:
    assert Suggester().closest("zebra", ("metallic", "ears")) is None
    assert Suggester().closest("metalic", ("ears", "metallic", "metal")) == "metallic"
    assert Suggester(0).closest("metalic", ("metallic",)) is None


def test_an_image_that_the_vocabulary_has_not_is_not_said_to_be_missing_from_the_data() -> None:
    drawn = Vocabulary(("truck",), ("ears", "fur"), image_ids=frozenset({"test/00017"}))
    text = 'property p: for x = image("test/00018"): ears > fur'
    (error,) = check_text(text, drawn).errors
    assert error.problem == "no image that properties can name is called 'test/00018', did you mean 'test/00017'?"
    assert "of a large split only images drawn from it can be named" in error.fix
    assert check_text(text.replace("18", "17"), drawn).errors == ()
