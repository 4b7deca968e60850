"""The answers, by value: the fakes' study has 75 images of which 13 are wrong, and every colour is known."""

import csv
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from conspect.core.concepts import Concept
from conspect.core.diagnostics import UserError
from conspect.results.exploration import ChangedSide, Decision, ImageSet, LabelDecision, Order, ProvedShare
from conspect.results.verification import PropertyCoverage, ProvableCoverage, ShapeCoverage, ShapeRow, Verification
from conspect.study import Study
from conspect.study.exploration.filters import ImageFilter
from conspect.study.exploration.notes import read_decisions
from conspect.study.exploration.opening import OpenedStudy, opened
from conspect.study.exploration.phrases import Phrases, Reading
from conspect.study.exploration.suspects import recount
from conspect.web.explorer.endpoints import answered, table
from conspect.web.explorer.queries import Listing


def code_of(error: pytest.ExceptionInfo[UserError]) -> str:
    return error.value.diagnostics[0].code


def test_the_headline_of_the_proofs_is_over_regions_that_hold_nine_images_of_ten(study: OpenedStudy) -> None:
    rows = tuple(ShapeRow(coverage=share, proved=n, share=n / 3) for share, n in ((0.5, 3), (0.9, 2), (0.95, 1)))
    curve = ShapeCoverage(rows=rows, median=0.9, measured_median=None)
    claims = tuple(
        PropertyCoverage(id=name, file="f", best=None, coverage=0.0, measured=None, ceiling=None, by_shape={})
        for name in "abc"
    )
    coverage = ProvableCoverage(by_shape={}, ceiling=curve, best=curve, definition_only=0, properties=claims)
    verified = Verification(
        files=("f",), by_gamma=(), by_coverage=(), statistically=(), properties=(), provable_coverage=coverage
    )
    assert study.exploration.overview().proved is None
    study.exploration._results = replace(study.exploration._results, verification=verified)
    assert study.exploration.overview().proved == ProvedShare(0.9, 2, 3)


def test_a_confusion_cell_opens_exactly_its_images(study: OpenedStudy) -> None:
    exploration = study.exploration
    confusion = exploration.confusion(ImageFilter())
    names = exploration.index.class_names
    seen = 0
    for i, row in enumerate(confusion.counts):
        for j, count in enumerate(row):
            images = exploration.images(
                ImageFilter(label=names[i], output=names[j]), order=Order.FILE, offset=0, limit=500
            )
            assert images.total == count == len(images.images)
            assert all((image.label, image.output) == (names[i], names[j]) for image in images.images)
            seen += count
    assert seen == len(exploration.index) == 75


def test_the_heatmap_counts_what_the_results_count(study: OpenedStudy) -> None:
    exploration, results, seen = study.exploration, Study.open(study.folder).results(), 0
    for number, name in enumerate(exploration.index.class_names):
        heatmap = exploration.heatmap(ImageFilter(label=name))
        told = results.heatmaps.ground_truth[number]
        assert heatmap.images == told.images
        order = [heatmap.concepts.index(concept) for concept in results.heatmaps.concepts]
        assert np.array_equal(np.asarray(heatmap.greater)[np.ix_(order, order)], np.asarray(told.greater))
        assert heatmap.intervals == told.intervals
        assert {entry.count for entry in told.intervals} == {count for row in told.greater for count in row}
        seen += heatmap.images
    assert seen == 75


def test_a_heatmap_cell_opens_as_many_images_as_it_counts(study: OpenedStudy) -> None:
    exploration = study.exploration
    heatmap, cells = exploration.heatmap(ImageFilter()), 0
    for i, first in enumerate(heatmap.concepts):
        for j, second in enumerate(heatmap.concepts):
            if i != j:
                asked = ImageFilter(pair=f"{first} > {second}", holds=True)
                images = exploration.images(asked, order=Order.STRONGEST, offset=0, limit=500)
                assert images.total == heatmap.greater[i][j]
                margins = [image.margin for image in images.images if image.margin is not None]
                assert margins == sorted(margins, reverse=True)
                assert all(margin >= 0 for margin in margins)
                cells += 1
    assert cells == 4 * 3


def test_words_that_are_no_concept_are_read_by_the_text_encoder(study: OpenedStudy) -> None:
    answer = study.exploration.ask("crimson > azure")
    assert not answer.in_study
    assert answer.trust == "not checked"
    assert "nobody has checked" in answer.trust_reasons[1]
    assert all(image.label == "red" for image in answer.best)
    assert sum(answer.counts_right) + sum(answer.counts_wrong) == 75
    red = next(entry for entry in answer.classes if entry.group == "red")
    assert red.auroc > 0.9
    assert red.p < 0.001


@pytest.mark.parametrize(
    ("text", "trust", "said"),
    [
        ("xyzzy", "not checked", "“xyzzy” is none of the study's concepts: nobody has checked that the lens sees it"),
        ("crimson > xyzzy", "not checked", "letters without meaning"),
        ("no crimson", "not seen", "“no crimson” is a negation, which text encoders hardly understand."),
        ("like a red", "not checked", "“like a red” holds the class name “red”"),
    ],
)
def test_words_of_nobodys_list_are_not_said_to_be_seen(study: OpenedStudy, text: str, trust: str, said: str) -> None:
    answer = study.exploration.ask(text)
    assert answer.trust in {trust, "not seen"}
    assert said in " ".join(answer.trust_reasons)


@pytest.mark.parametrize("text", ["", " ", "a > b > c", "red > ", "> red", "x" * 201, "re\u202ed", "reddish > Reddish"])
def test_a_question_that_cannot_be_read_is_refused(study: OpenedStudy, text: str) -> None:
    with pytest.raises(UserError) as error:
        study.exploration.ask(text)
    assert code_of(error) == "EXPLORE002"


def test_concepts_are_asked_by_name_whatever_signs_stand_in_it() -> None:
    names = ("a > b", "b", "<b onclick=alert(1)>blu\u202eish", "c < d")
    phrases = Phrases(
        [Concept(name, (name,)) for name in names], np.eye(4), ("{}",), lambda _: np.zeros((0, 4), np.float32)
    )
    for first in names:
        assert phrases.read(first) == Reading(first, None)
        for second in names:
            if first != second:
                assert phrases.read(f"{first} > {second}") == Reading(first, second)


def test_less_than_asks_the_other_way_round(study: OpenedStudy) -> None:
    assert study.exploration.ask("reddish < bluish").question == "bluish > reddish"


def test_names_that_the_study_lacks_are_told_with_those_it_has(study: OpenedStudy) -> None:
    with pytest.raises(UserError) as error:
        study.exploration.confusion(ImageFilter(label="purple"))
    assert code_of(error) == "EXPLORE001"
    assert "red" in error.value.diagnostics[0].fix
    with pytest.raises(UserError) as error:
        study.exploration.confusion(ImageFilter(slices={"camera": "old"}))
    assert code_of(error) == "EXPLORE001"


def test_an_image_page_has_the_models_own_outputs_and_neighbours(study: OpenedStudy) -> None:
    exploration = study.exploration
    wrong = exploration.images(ImageFilter(images=ImageSet.WRONG), order=Order.CONFIDENT, offset=0, limit=1).images[0]
    page = exploration.image(wrong.id)
    assert page.image.output == exploration.index.class_names[int(np.argmax(page.logits))]
    assert sum(page.probabilities) == pytest.approx(1, abs=1e-3)
    assert all(near.label == near.output for near in page.neighbours_right)
    assert all(near.label != near.output and near.id != wrong.id for near in page.neighbours_wrong)
    with pytest.raises(UserError) as error:
        exploration.image("../../etc/passwd")
    assert code_of(error) == "EXPLORE003"


def test_decisions_change_the_figures_at_once_and_outlive_the_explorer(study: OpenedStudy) -> None:
    exploration = study.exploration
    wrong = exploration.images(ImageFilter(images=ImageSet.WRONG), order=Order.FILE, offset=0, limit=3).images
    before = recount(exploration.index, {})
    exploration.decide(LabelDecision(wrong[0].id, Decision.RELABEL, wrong[0].output))
    exploration.decide(LabelDecision(wrong[1].id, Decision.DROP))
    after = exploration.decide(LabelDecision(wrong[2].id, Decision.KEEP))
    assert (after.images, after.failures) == (before.images - 1, before.failures - 2)
    assert (after.kept, after.relabelled, after.dropped) == (1, 1, 1)
    again = opened(study.folder).exploration
    assert recount(again.index, again.notes.decisions) == after
    assert set(read_decisions(study.folder / "label_decisions.csv")) == {image.id for image in wrong}
    assert again.undecide(wrong[1].id).images == before.images
    with pytest.raises(UserError):
        exploration.decide(LabelDecision(wrong[0].id, Decision.RELABEL, "no such class"))


def test_tags_are_filters_and_come_back_in_another_process(study: OpenedStudy) -> None:
    exploration = study.exploration
    names = exploration.index.ids[:3]
    exploration.tag(names, "  odd   one ", remove=False)
    again = opened(study.folder).exploration
    tagged = again.images(ImageFilter(tag="odd one"), order=Order.FILE, offset=0, limit=10)
    assert tuple(image.id for image in tagged.images) == names
    again.tag(names[:1], "odd one", remove=True)
    assert again.images(ImageFilter(tag="odd one"), order=Order.FILE, offset=0, limit=10).total == 2


@pytest.mark.parametrize(
    "content",
    [b"id,decision\n1,2\n", b"id,decision,label\na,maybe,\n", b"\xff\xfe", b"id,decision,label\na,relabel,\n"],
)
def test_a_table_of_decisions_that_is_none_is_refused_by_name(study: OpenedStudy, content: bytes) -> None:
    (study.folder / "label_decisions.csv").write_bytes(content)
    with pytest.raises(UserError) as error:
        opened(study.folder)
    assert code_of(error) == "EXPLORE004"


def test_the_csv_holds_every_image_and_no_formula(study: OpenedStudy) -> None:
    study.exploration.tag([study.exploration.index.ids[0]], "=HYPERLINK(1)", remove=False)
    rows = list(csv.DictReader(io.StringIO(study.exploration.csv(ImageFilter(), Order.FILE))))
    assert [row["id"] for row in rows] == list(study.exploration.index.ids)
    assert rows[0]["tags"] == "'=HYPERLINK(1)"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(offset=st.integers(0, 100), limit=st.integers(0, 100), order=st.sampled_from(Order))
def test_ranges_of_a_list_are_the_list(study: OpenedStudy, offset: int, limit: int, order: Order) -> None:
    asked = ImageFilter(pair="reddish > bluish")
    whole = study.exploration.images(asked, order=order, offset=0, limit=1000).images
    part = study.exploration.images(asked, order=order, offset=offset, limit=limit)
    assert part.images == whole[offset : offset + limit]
    assert part.total == len(whole)


@pytest.mark.parametrize("words", ["reddish > bluish", "reddish"])
def test_a_bar_of_the_histogram_opens_exactly_its_images(study: OpenedStudy, words: str) -> None:
    shown, counted = study.exploration.ask(words), 0
    for k, (right, wrong) in enumerate(zip(shown.counts_right, shown.counts_wrong, strict=True)):
        below = None if k == len(shown.counts_right) - 1 else shown.bins[k + 1]
        for images, n in ((ImageSet.RIGHT, right), (ImageSet.WRONG, wrong)):
            query = Listing(pair=words, set=images, margin_from=shown.bins[k], margin_below=below, limit=0)
            assert study.exploration.images(query.filter(), order=Order.FILE, offset=0, limit=0).total == n
        counted += right + wrong
    assert counted == len(study.exploration.index)
    with pytest.raises(UserError, match="EXPLORE002"):
        study.exploration.images(Listing(margin_from=0.0).filter(), order=Order.FILE, offset=0, limit=0)


def test_a_wide_sign_compares_as_a_narrow_one(study: OpenedStudy) -> None:
    assert study.exploration.ask("reddish ＞ bluish").question == "reddish > bluish"


def test_a_diagnosis_that_there_is_not_is_told_with_those_there_are(study: OpenedStudy) -> None:
    with pytest.raises(UserError) as error:
        study.exploration.confusion(ImageFilter(diagnosis="mislabelled"))
    assert code_of(error) == "EXPLORE001"
    assert "label suspect" in error.value.diagnostics[0].fix


def test_a_relabelling_without_a_label_is_refused_in_words(study: OpenedStudy) -> None:
    with pytest.raises(UserError) as error:
        study.exploration.decide(LabelDecision(study.exploration.index.ids[0], Decision.RELABEL))
    assert error.value.diagnostics[0].problem == "a relabelling without a label"


@pytest.mark.parametrize("name", ["margin_from", "margin_below", "accepted_to"])
def test_a_bound_that_is_no_number_is_refused(name: str) -> None:
    with pytest.raises(UserError) as error:
        replace(Listing(), **{name: float("nan")}).filter()
    assert code_of(error) == "EXPLORE002"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"least": 0.9, "most": 0.1}, "no confidence lies from 0.9 to 0.1"),
        ({"margin_from": 2.0, "margin_below": 1.0}, "no number lies from 2 to below 1"),
    ],
)
def test_bounds_the_wrong_way_round_are_refused(changes: dict[str, float], problem: str) -> None:
    with pytest.raises(UserError) as error:
        replace(Listing(), **changes).filter()
    assert (code_of(error), error.value.diagnostics[0].problem) == ("EXPLORE002", problem)


@pytest.mark.parametrize("address", ["/api/images?set=foo", "/api/images?order=foo", "/api/images?changed=foo"])
def test_a_name_that_a_list_has_not_is_told_with_those_it_has(study: OpenedStudy, address: str) -> None:
    field = address.partition("?")[2].partition("=")[0]
    with pytest.raises(UserError) as error:
        answered(study.exploration, address)
    diagnostic = error.value.diagnostics[0]
    assert (diagnostic.code, diagnostic.problem) == ("EXPLORE002", f"{field} cannot be 'foo'")
    assert diagnostic.fix.startswith("it is one of: ")
    assert {"set": "wrong", "order": "weakest", "changed": "fixed"}[field] in diagnostic.fix


def test_pairs_that_mistakes_lose_are_listed_of_concepts_that_are_seen_alone(study: OpenedStudy) -> None:
    every = study.exploration.overview().broken_pairs
    assert every
    name = every[0].pair.split(" > ")[0]
    results = study.exploration._results
    concepts = tuple(
        replace(concept, grade="not seen" if concept.name == name else "seen") for concept in results.concepts
    )
    study.exploration._results = replace(results, concepts=concepts)
    kept = study.exploration.overview().broken_pairs
    assert {entry.pair for entry in every if name not in entry.pair.split(" > ")} <= {entry.pair for entry in kept}
    assert all(name not in entry.pair.split(" > ") for entry in kept)


@pytest.mark.parametrize(
    ("question", "code", "problem"),
    [
        (Listing(broken="x > y"), "EXPLORE001", "no failure lost the pair 'x > y'"),
        (
            Listing(changed=ChangedSide.BROKEN),
            "EXPLORE010",
            "nothing is known to have changed: the explorer was opened on one study",
        ),
    ],
)
def test_a_condition_that_the_study_cannot_answer_is_refused(
    study: OpenedStudy, question: Listing, code: str, problem: str
) -> None:
    with pytest.raises(UserError) as error:
        study.exploration.images(question.filter(), order=Order.FILE, offset=0, limit=0)
    assert (code_of(error), error.value.diagnostics[0].problem) == (code, problem)


def test_what_the_table_of_images_refuses_is_told_of_the_table(study: OpenedStudy) -> None:
    with pytest.raises(UserError) as error:
        table(study.exploration, "limit=many")
    assert error.value.diagnostics[0].problem.startswith("/images.csv: ")
