"""The public surface is a list; this is the test that it is kept."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import conspect as cs
from conspect.study.objects import concept_set
from tests.fakes import FakeModel, FakeVlm
from tests.records import plain

# What `import conspect as cs` promises. A name may be added; one is taken away as docs/api.md says, or not at all.
PUBLIC = {
    "ArrayDataset", "Concept", "ConceptSet", "ConspectError", "Monitor", "OutsideError", "Preprocessing", "Settings",
    "Study", "StudyConfig", "UserError", "__version__", "load_images", "load_model", "load_vlm", "make_study",
    "sample", "torch_model", "wrap",
}  # fmt: skip


def images(split: str, number: int, seed: int) -> cs.ArrayDataset:
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % 3
    colours = np.eye(3, dtype=np.uint8)[labels] * 200 + 20
    pixels = (colours[:, None, None, :] + rng.integers(0, 30, (number, 8, 8, 3))).astype(np.uint8)
    return cs.ArrayDataset("colours", split, FakeModel.class_names, tuple(map(str, range(number))), labels, pixels)


@pytest.fixture
def study(tmp_path: Path) -> cs.Study:
    pair = images("train", 90, 0), images("test", 60, 1)
    return cs.make_study(tmp_path, model=FakeModel(), vlm=FakeVlm(), images=pair, concepts=["red", "green", "blue"])


def test_the_public_names_are_those_of_the_list() -> None:
    assert set(cs.__all__) == PUBLIC == set(dir(cs))
    assert all(getattr(cs, name) is not None for name in PUBLIC)
    with pytest.raises(AttributeError, match="no attribute 'studio'"):
        cs.studio  # noqa: B018


def test_the_import_costs_nothing() -> None:
    code = "import sys, conspect; print(sorted({'numpy', 'torch', 'PIL', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_study_of_objects_runs_and_knows_its_results_again(study: cs.Study, tmp_path: Path) -> None:
    results = plain(study.run())
    assert results["dataset"]["images"] == 60
    assert [concept["name"] for concept in results["concepts"]] == ["red", "green", "blue"]
    assert (tmp_path / "report.html").is_file()
    assert plain(study.results())["model"] == results["model"]


def test_results_of_other_objects_are_stale(study: cs.Study, tmp_path: Path) -> None:
    study.run()
    pair = images("train", 90, 0), images("test", 60, 2)
    other = cs.make_study(tmp_path, model=FakeModel(), vlm=FakeVlm(), images=pair, concepts=["red", "wet"])
    with pytest.raises(cs.UserError, match=r"STUDY004.*made with another test, concepts"):
        other.results()


def test_concepts_come_in_three_shapes() -> None:
    assert concept_set(["wet"]) == concept_set({"wet": ["wet"]}) == concept_set([cs.Concept("wet", ("wet",))])
    assert len(concept_set(None).concepts) == 18
    wrongs: list[Any] = [[], ["wet", "wet"], {"wet": []}]
    for wrong in wrongs:
        with pytest.raises(cs.UserError, match="STUDY002"):
            concept_set(wrong)


def test_classes_that_the_model_does_not_know_are_refused(tmp_path: Path) -> None:
    alien = cs.ArrayDataset("x", "test", ("alien",), ("0",), np.zeros(1, np.int64), np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(cs.UserError, match="alien"):
        cs.make_study(tmp_path, model=FakeModel(), vlm=FakeVlm(), images=(alien, alien), concepts=["wet"])


def test_images_are_found_by_kind_and_wrong_options_are_named(tmp_path: Path) -> None:
    with pytest.raises(cs.UserError, match=r"\[data\] train is missing"):
        cs.load_images(test="images")
    with pytest.raises(cs.UserError, match="no such option"):
        cs.load_images("a", "b", colour="red")
    with pytest.raises(cs.ConspectError, match="DATA003"):
        cs.load_images("a", "b", folder=tmp_path)


def test_a_model_that_is_not_there_is_an_error_of_the_user() -> None:
    with pytest.raises(cs.UserError, match="MODEL002"):
        cs.load_model("gpt")
    with pytest.raises(cs.UserError, match="MODEL002"):
        cs.load_vlm("gpt")
