"""Images of a study explained: with planted failures, whose reasons are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from conspect.adapters.models import load_model
from conspect.adapters.models.onnx import OnnxModel
from conspect.analysis.explanation.maps import concept_map
from conspect.cli.concepts import concepts
from conspect.cli.explain import _map, _sets
from conspect.cli.explain import explain as explain_command
from conspect.core.capabilities import HasPositions
from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap, Lens
from conspect.report.wording import concept_warnings, findings, trust_rows
from conspect.results.explanations import ConceptMap, FoundSets, MinimalSets, SetMember
from conspect.results.heatmaps import LostPair
from conspect.results.localization import WorstClass
from conspect.study import Study
from conspect.study.config import VlmConfig
from conspect.study.demo import demo_vlm
from conspect.study.explaining import (
    ON_THE_BORDER,
    ExplanationRequest,
    ImageExplainer,
    concept_maps,
    explain,
    why_no_maps,
)
from tests.fakes import FakeModel


def failure(study: Study) -> str:
    """The id of a red image that the encoder takes for another class."""
    return next(image.id for image in study.results().localization.images if "encoder-" in image.id)


def test_a_failure_is_explained_by_the_color_it_shows_and_the_one_it_lacks(finished: Study) -> None:
    image = explain(finished.inputs, finished.measurements(), ExplanationRequest(images=[failure(finished)])).images[0]
    assert image.against == image.label != image.output
    sides = {reason.side for reason in image.explanation.reasons}
    assert "output" in sides or "label" in sides
    assert image.explanation.sentence.startswith(f"{image.label} taken for {image.output}: shows ")
    assert image.counterfactual is not None
    assert image.counterfactual.restored == image.label
    assert any("positions" in why for why in image.left_out)


def test_what_is_printed_of_a_counterfactual_restores_the_label_and_says_what_else_moves(finished: Study) -> None:
    name = failure(finished)
    image = explain(finished.inputs, finished.measurements(), ExplanationRequest(images=[name])).images[0]
    told = CliRunner().invoke(explain_command, [str(finished.folder), name]).stdout
    change = image.counterfactual
    assert change is not None
    printed = [f"{shift.words} {shift.deviations:+.{change.decimals}f}" for shift in change.shifts]
    assert ", ".join(printed) in told
    assert all(
        float(line.rsplit(" ", 1)[1]) == shift.deviations for line, shift in zip(printed, change.shifts, strict=True)
    )
    explaining = ImageExplainer(finished.inputs, finished.measurements(), 0.1)
    row = finished.measurements().ids.index(name)
    z = finished.measurements().test.model_embeddings(np.array([row]))[0].astype(np.float64)
    shift = np.zeros(len(explaining.taken))
    for line, moved in zip(printed, change.shifts, strict=True):
        shift[explaining.lens.concept_names.index(moved.concept)] = float(line.rsplit(" ", 1)[1])
    after = z + explaining.moves @ shift
    head = finished.inputs.model.head
    assert head.logits(after[None])[0].argmax() == finished.inputs.model.class_names.index(image.label)
    spread = explaining.sample.by_model[:, explaining.taken].std(axis=0)
    moves = np.abs(np.diff(explaining.lens.strengths(np.stack([z, after])), axis=0)[0]) / spread
    assert change.cosines_move == pytest.approx(moves[shift == 0].max(initial=0.0), abs=1e-3)
    assert change.on_the_border is bool(np.abs(shift).max() < ON_THE_BORDER)


def test_a_concept_that_the_image_lacks_is_nowhere_in_its_map() -> None:
    values = ((-0.75, -0.25), (-0.5, -0.25))
    lacking = ConceptMap(concept="horns", values=values, usual=0.04)
    assert lacking.lacking
    lines = _map(lacking, ("horns",), "deer")
    assert lines[0].startswith("  where “horns” is lacking, and where least (")
    assert "from -0.75 to -0.25" in lines[0]
    assert not any("#" in line or "+" in line for line in lines[1:])
    shown = ConceptMap(concept="horns", values=((0.0, 0.5), (0.0, 0.04)), usual=0.04)
    assert not shown.lacking
    assert _map(shown, ("horns", "antlers"), "deer")[0].startswith("  where “horns” or “antlers” is (")
    assert _map(shown, ("horns",), "deer")[1:] == ["    ..##", "    ...."]


def member(concept: str, by: Literal["presence", "lack", "either"] = "presence", *twins: str) -> SetMember:
    return SetMember(concept=concept, twins=twins, by=by, seen="in part" if twins else "seen")


def test_sets_are_told_with_their_lack_their_twins_and_how_many_more_there_are() -> None:
    several = tuple((member(name),) for name in "abcd")
    sets = MinimalSets(
        abductive=FoundSets(
            sets=((member("long-snout", "lack"), member("ears", "presence", "hairy")),), known=1, all_up_to=2
        ),
        contrastive=FoundSets(sets=several, known=67, all_up_to=2),
        complete=False,
        concepts=58,
    )
    assert _sets(sets) == [
        "  alone keeps it: lack of “long snout” and (“ears” or “hairy”) (there may be others of more than 2 concepts)",
        "  without these it changes: “a”; or “b”; or “c”; and 64 more (there may be others of more than 2 concepts)",
        "  (seen only in part: “ears”, “hairy”)",
    ]
    assert "others" not in " ".join(_sets(msgspec.structs.replace(sets, complete=True)))


def test_an_output_that_needs_no_concept_but_changes_without_some_is_no_contradiction() -> None:
    sets = MinimalSets(
        abductive=FoundSets(sets=((),), known=1, all_up_to=1),
        contrastive=FoundSets(sets=((member("red"),),), known=1, all_up_to=1),
        complete=True,
        concepts=2,
    )
    assert _sets(sets) == [
        "  no concept is needed for it: with all 2 erased the output stays, since what erasing one takes away, erasing another "
        "gives back",
        "  but with only these erased it changes: “red”",
    ]
    none = msgspec.structs.replace(sets, contrastive=FoundSets(sets=(), known=0, all_up_to=1), concepts=1)
    assert _sets(none) == [
        "  no concept is needed for it: with the only one erased the output stays",
        "  without these it changes: no set of concepts",
    ]


def test_erasing_a_contrastive_set_changes_the_output(finished: Study) -> None:
    image = explain(
        finished.inputs, finished.measurements(), ExplanationRequest(images=[failure(finished)]), seconds=5
    ).images[0]
    assert image.sets is not None
    assert image.sets.abductive.sets
    named = {m.concept for kind in (image.sets.abductive, image.sets.contrastive) for some in kind.sets for m in some}
    assert image.sets.contrastive.sets or image.sets.needs_none
    assert named <= set(finished.inputs.concepts.names)


def test_an_image_that_is_not_there_is_named(finished: Study) -> None:
    with pytest.raises(UserError) as caught:
        explain(finished.inputs, finished.measurements(), ExplanationRequest(images=["nowhere.png"]))
    assert caught.value.diagnostics[0].code == "STUDY002"
    assert "nowhere.png" in str(caught.value)


def test_the_command_prints_the_sentence_or_json(finished: Study) -> None:
    name = failure(finished)
    told = CliRunner().invoke(explain_command, [str(finished.folder), name])
    assert told.exit_code == 0, told.output
    assert " taken for " in told.stdout
    printed = json.loads(CliRunner().invoke(explain_command, [str(finished.folder), name, "--json"]).stdout)
    assert [image["id"] for image in printed["images"]] == [name]


def cell_of(study: Study) -> tuple[str, str]:
    image = next(failed for failed in study.results().localization.images if "encoder-" in failed.id)
    return image.label, image.output


def test_a_confusion_cell_is_explained_as_one_behaviour(finished: Study) -> None:
    label, output = cell_of(finished)
    asked = ExplanationRequest(cells=[f"{label}:{output}"], classes=[output])
    cell, right = explain(finished.inputs, finished.measurements(), asked, seconds=2).behaviours
    confusion = finished.results().model.confusion
    classes = finished.results().classes
    assert cell.images == cell.taken == confusion[classes.index(label)][classes.index(output)]
    assert cell.explanation.sentence.startswith(f"{label} taken for {output}")
    assert right.images == confusion[classes.index(output)][classes.index(output)]
    assert right.against != right.output
    assert right.explanation.sentence.startswith(f"{output}, not {right.against}")
    for behaviour in (cell, right):
        assert behaviour.sets is not None
        assert behaviour.sets.abductive.sets or behaviour.sets.contrastive.sets
    call = [str(finished.folder), "--cell", f"{label}:{output}", "--class", output]
    told = CliRunner().invoke(explain_command, call)
    assert told.exit_code == 0, told.output
    assert f"{label} taken for {output} ({cell.images} images):" in told.stdout
    assert f"{output}, classified right" in told.stdout
    assert "on at least 50 % of them" in told.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (ExplanationRequest(cells=["red"]), "'red' names no pair of classes"),
        (ExplanationRequest(cells=["red:red"]), "red:red is no confusion"),
        (ExplanationRequest(cells=["red:nothing"]), "names no pair of classes"),
        (ExplanationRequest(classes=["nothing"]), "'nothing' names no class of this study"),
        (ExplanationRequest(classes=["Rde"]), "(?s)'Rde' names no class of this study.*did you mean red"),
        (ExplanationRequest(cells=["RED:gren"]), "(?s)'RED:gren' names no pair.*did you mean red:green"),
    ],
)
def test_a_cell_that_is_none_is_refused(finished: Study, asked: ExplanationRequest, said: str) -> None:
    with pytest.raises(UserError, match=said):
        explain(finished.inputs, finished.measurements(), asked)


def test_a_cell_without_images_is_refused(finished: Study) -> None:
    results = finished.results()
    label, output = next(
        (a, b)
        for i, a in enumerate(results.classes)
        for j, b in enumerate(results.classes)
        if not results.model.confusion[i][j]
    )
    with pytest.raises(UserError, match="nothing to explain"):
        explain(finished.inputs, finished.measurements(), ExplanationRequest(cells=[f"{label}:{output}"]))


def test_the_command_wants_something_to_explain(finished: Study) -> None:
    told = CliRunner().invoke(explain_command, [str(finished.folder)])
    assert told.exit_code == 2
    assert "--cell" in told.output


def test_concepts_score_prints_every_grade(finished: Study) -> None:
    told = CliRunner().invoke(concepts, ["score", str(finished.folder)])
    assert told.exit_code == 0, told.output
    names = finished.inputs.concepts.names
    assert len(names) >= 3
    assert all(name in told.stdout for name in names)
    printed = json.loads(CliRunner().invoke(concepts, ["score", str(finished.folder), "--json"]).stdout)
    recorded = {concept.name: concept.grade for concept in finished.results().concepts}
    assert {concept["name"]: concept["grade"] for concept in printed["concepts"]} == recorded


def test_a_concept_map_adds_up_to_what_is_compared() -> None:
    rng = np.random.default_rng(0)
    lens = Lens(AffineMap(rng.normal(size=(4, 6)), rng.normal(size=4)), ("a", "b"), rng.normal(size=(2, 4)))
    positions = rng.normal(size=(3, 5, 6))
    maps = concept_map(lens, positions)
    assert maps.shape == (2, 3, 5)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), lens.folded(positions.mean(axis=(0, 1))[None])[0], rtol=1e-12)


class Averaging(FakeModel):
    """Its embedding is the mean over the image's pixels in the middle; or, where it is not, there are no positions."""

    def __init__(self, averages: bool) -> None:
        self.averages = averages

    def positions(self, batch: np.ndarray) -> np.ndarray | None:
        return batch[:, 5:11, 5:11] if self.averages else None


def test_maps_are_drawn_where_a_model_has_positions_and_refused_where_it_says_that_it_has_none() -> None:
    rng = np.random.default_rng(1)
    lens = Lens(AffineMap(rng.normal(size=(4, 3)), rng.normal(size=4)), ("a", "b-c"), rng.normal(size=(2, 4)))
    image = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    model = Averaging(averages=True)
    maps = concept_maps(model, lens, image, ["b-c"])
    assert maps is not None
    assert [concept_map.concept for concept_map in maps] == ["b-c"]
    values = np.array(maps[0].values)
    assert values.shape == (6, 6)
    compared = lens.folded(model.embed(model.prepare(image)[None]))[0, 1]
    assert values.mean() == pytest.approx(compared, abs=1e-4)
    assert concept_maps(Averaging(averages=False), lens, image, ["b-c"]) is None
    assert concept_maps(FakeModel(), lens, image, ["b-c"]) is None


class OfOtherPositions(Averaging):
    """Says positions whose mean is not its embedding, or that have another form."""

    def __init__(self, made: Callable[[np.ndarray], np.ndarray]) -> None:
        super().__init__(averages=True)
        self.made = made

    def positions(self, batch: np.ndarray) -> np.ndarray:
        return self.made(batch)


@pytest.mark.parametrize(
    "made",
    [
        lambda batch: batch,
        lambda batch: batch.mean((1, 2)),
        lambda batch: batch[:, 5:11, 5:11, :2],
        lambda batch: batch[0],
    ],
    ids=["another mean", "no places", "another size", "no batch"],
)
def test_positions_whose_mean_is_not_the_embedding_make_no_map(made: Callable[[np.ndarray], np.ndarray]) -> None:
    lens = Lens(AffineMap(np.eye(3), np.zeros(3)), ("a",), np.eye(3)[:1])
    image = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert concept_maps(OfOtherPositions(made), lens, image, ["a"]) is None


def test_a_map_is_refused_by_what_the_model_is() -> None:
    assert "class token" in why_no_maps(Averaging(averages=False))
    assert why_no_maps(FakeModel()).startswith("FakeModel is a model of your own without a method `positions`")
    opened = OnnxModel.__new__(OnnxModel)
    assert why_no_maps(opened).startswith("an ONNX file gives what it was exported to give")


def test_the_mean_over_the_demo_models_positions_is_its_embedding() -> None:
    pytest.importorskip("torch")
    model = load_model("demo-resnet", None)
    assert isinstance(model, HasPositions)
    batch = np.stack(
        [model.prepare(image) for image in np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)]
    )
    positions = model.positions(batch)
    assert positions is not None
    np.testing.assert_allclose(positions.mean(axis=(1, 2)), model.embed(batch), atol=1e-5)


def test_a_vlm_fitted_on_other_classes_is_warned_of_in_the_first_lines(finished: Study) -> None:
    results = finished.results()
    assert results.vlm.strange_classes == ()
    strange = msgspec.structs.replace(
        results, vlm=msgspec.structs.replace(results.vlm, strange_classes=("zebra", "yak"))
    )
    assert "Careful" in findings(strange)[2]
    assert "zebra, yak" in findings(strange)[2]
    assert not any("Careful" in line for line in findings(results))


def test_a_vlm_that_is_no_better_than_guessing_is_warned_of_in_the_first_lines(finished: Study) -> None:
    results = finished.results()
    assert results.vlm.chance == 1 / len(results.classes)
    assert results.vlm.above_chance == (results.vlm.zero_shot_interval.low > 1 / len(results.classes))
    guessing = msgspec.structs.replace(results.vlm, zero_shot_accuracy=0.25, chance=0.25, above_chance=False)
    lines = findings(msgspec.structs.replace(results, vlm=guessing))
    assert lines[2] == (
        f"Careful: asked for the classes by name, {results.vlm.name} is right on 25.0 % of the images, and guessing on 25.0 %. "
        "Nothing that is said here in its words should be believed."
    )
    better = msgspec.structs.replace(guessing, above_chance=True)
    assert "guessing" not in " ".join(findings(msgspec.structs.replace(results, vlm=better)))


def test_the_demo_takes_another_vlm_by_one_word(tmp_path: Path) -> None:
    assert demo_vlm("open-clip:ViT-B-32/laion2b_s34b_b79k") == VlmConfig(
        kind="open-clip", name="ViT-B-32", weights="laion2b_s34b_b79k"
    )
    assert demo_vlm("transformers:openai/clip-vit-base-patch32").name == "openai/clip-vit-base-patch32"
    assert demo_vlm(f"open-clip:{tmp_path}").path == str(tmp_path.resolve())
    assert demo_vlm("pocket") == VlmConfig()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("ViT-B-32", "names no VLM"),
        ("open-clip:", "names no VLM"),
        ("open-clip:ViT-B-32", "names no VLM"),
        ("onnx:x", "names no VLM"),
        ("", "names no VLM"),
        ("open-clip:./weights/here", "there is no file or folder weights/here"),
        ("transformers:/nowhere/clip", "there is no file or folder /nowhere/clip"),
        ("open-clip:~/no/such/folder", "there is no file or folder"),
    ],
)
def test_what_names_no_vlm_is_refused_before_anything_is_fetched(wrong: str, told: str) -> None:
    with pytest.raises(UserError) as refused:
        demo_vlm(wrong)
    assert refused.value.diagnostics[0].code == "CLI004"
    assert told in refused.value.diagnostics[0].problem


def test_the_report_says_how_well_images_of_one_class_are_told_apart_where_labels_say_it(finished: Study) -> None:
    results = finished.results()
    assert not any(row.name == "Images of one class told apart" for row in trust_rows(results))
    labelled = msgspec.structs.replace(results, vlm=msgspec.structs.replace(results.vlm, within_class_auroc=0.7264))
    row = next(row for row in trust_rows(labelled) if row.name == "Images of one class told apart")
    assert row.value == "0.73"


def test_the_first_lines_say_a_pair_in_words(finished: Study) -> None:
    results = finished.results()
    shares = {
        "correct_share": 0.9,
        "incorrect_share": 0.25,
        "difference": 0.65,
        "low": 0.5,
        "high": 0.8,
        "p_value": 0.01,
    }
    lost = LostPair(stronger="floppy-ears", weaker="red", **shares)
    worst = WorstClass(class_name="green", failures=7, taken_for="blue", times=5, lost=lost)
    localization = msgspec.structs.replace(results.localization, worst=worst)
    assert any(
        "“floppy ears” is stronger than “red” in 90.0 % of the green images it gets right and in 25.0 % of those it gets"
        in line
        for line in findings(msgspec.structs.replace(results, localization=localization))
    )


def test_a_study_of_concepts_that_nothing_checks_says_so_first_and_warns_of_negations(finished: Study) -> None:
    results = finished.results()
    assert not concept_warnings(results.concepts)
    bare = [
        msgspec.structs.replace(
            concept,
            measures=msgspec.structs.replace(concept.measures, separation=None, shown=None),
            phrases=("no fur",),
        )
        for concept in results.concepts[:1]
    ]
    unchecked, negation = concept_warnings(bare)
    assert (
        "none was checked: only those that behave on these images like words without meaning are left out" in unchecked
    )
    assert "“no fur”" in negation
    assert concept_warnings([*bare, *results.concepts[1:]]) == [negation]
