"""Images of a study explained: with planted failures, whose reasons are known."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from conspect.adapters.models import load_model
from conspect.analysis.explanation.maps import concept_map
from conspect.cli.concepts import concepts
from conspect.cli.explain import explain as explain_command
from conspect.core.capabilities import HasPositions
from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap, Lens
from conspect.report.wording import findings
from conspect.study import Study
from conspect.study.config import VlmConfig
from conspect.study.demo import demo_vlm
from conspect.study.explaining import Asked, concept_maps, explain
from tests.fakes import FakeModel


def failure(study: Study) -> str:
    """The id of a red image that the encoder takes for another class."""
    return next(image.id for image in study.results().localization.images if "encoder-" in image.id)


def test_a_failure_is_explained_by_the_color_it_shows_and_the_one_it_lacks(finished: Study) -> None:
    image = explain(finished.inputs, finished.measurements(), Asked(images=[failure(finished)])).images[0]
    assert image.against == image.label != image.output
    sides = {reason.side for reason in image.explanation.reasons}
    assert "output" in sides or "label" in sides
    assert image.explanation.sentence.startswith(f"{image.label} taken for {image.output}: shows ")
    assert image.counterfactual is not None
    assert image.counterfactual.restored == image.label
    assert any("positions" in why for why in image.left_out)


def test_erasing_a_contrastive_set_changes_the_output(finished: Study) -> None:
    image = explain(finished.inputs, finished.measurements(), Asked(images=[failure(finished)]), seconds=5).images[0]
    assert image.sets is not None
    assert image.sets.abductive or image.sets.contrastive
    assert {name for members in image.sets.contrastive for name in members} <= set(finished.inputs.concepts.names)


def test_an_image_that_is_not_there_is_named(finished: Study) -> None:
    with pytest.raises(UserError) as caught:
        explain(finished.inputs, finished.measurements(), Asked(images=["nowhere.png"]))
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
    asked = Asked(cells=[f"{label}:{output}"], classes=[output])
    cell, right = explain(finished.inputs, finished.measurements(), asked, seconds=2).behaviours
    confusion = finished.results().model.confusion
    classes = finished.results().classes
    assert cell.images == cell.taken == confusion[classes.index(label)][classes.index(output)]
    assert cell.explanation is not None
    assert cell.explanation.sentence.startswith(f"{label} taken for {output}")
    assert right.images == confusion[classes.index(output)][classes.index(output)]
    assert right.explanation is None
    for behaviour in (cell, right):
        assert behaviour.sets is not None
        assert behaviour.sets.abductive or behaviour.sets.contrastive
    call = [str(finished.folder), "--cell", f"{label}:{output}", "--class", output]
    told = CliRunner().invoke(explain_command, call)
    assert told.exit_code == 0, told.output
    assert f"{label} taken for {output} ({cell.images} images):" in told.stdout
    assert f"{output}, classified right" in told.stdout
    assert "on at least 50 % of them" in told.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(cells=["red"]), "'red' names no class, or no pair"),
        (Asked(cells=["red:nothing"]), "names no class, or no pair"),
        (Asked(classes=["nothing"]), "names no class, or no pair"),
    ],
)
def test_a_cell_that_is_none_is_refused(finished: Study, asked: Asked, said: str) -> None:
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
        explain(finished.inputs, finished.measurements(), Asked(cells=[f"{label}:{output}"]))


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
    interval = results.vlm.zero_shot_interval
    guess = msgspec.structs.replace(interval, low=0.2, value=0.25, high=0.3)
    guessing = msgspec.structs.replace(results.vlm, zero_shot_accuracy=0.25, zero_shot_interval=guess)
    lines = findings(msgspec.structs.replace(results, vlm=guessing))
    assert lines[2] == (
        f"Careful: asked for the classes by name, {results.vlm.name} is right on 25.0 % of the images, and guessing on 25.0 %. "
        "Nothing that is said here in its words should be believed."
    )
    better = msgspec.structs.replace(guessing, zero_shot_interval=msgspec.structs.replace(guess, low=0.26))
    assert "guessing" not in " ".join(findings(msgspec.structs.replace(results, vlm=better)))


def test_the_demo_takes_another_vlm_by_one_word(tmp_path: Path) -> None:
    assert demo_vlm("open-clip:ViT-B-32/laion2b_s34b_b79k") == VlmConfig(
        kind="open-clip", name="ViT-B-32", weights="laion2b_s34b_b79k"
    )
    assert demo_vlm("transformers:openai/clip-vit-base-patch32").name == "openai/clip-vit-base-patch32"
    assert demo_vlm(f"open-clip:{tmp_path}").path == str(tmp_path.resolve())
    assert demo_vlm("pocket") == VlmConfig()
    for wrong in ("ViT-B-32", "open-clip:", "open-clip:ViT-B-32", "onnx:x"):
        with pytest.raises(UserError):
            demo_vlm(wrong)
