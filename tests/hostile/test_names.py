"""Names from outside (classes, concepts, ids, files, reasons) are text on every page and never anything else."""

import copy
import json
import unicodedata
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from conspect.adapters.datasets import image_folder
from conspect.core.concepts import Concept, ConceptSet
from conspect.report.html import render
from conspect.results.diagnosis import CauseName, SuspectName
from conspect.results.results import Results
from conspect.study import Study, StudyConfig, StudyInputs
from conspect.study.config import PropertiesConfig
from tests.fakes import CLASSES, COLOURS, FakeModel, FakeVlm, picture
from tests.hostile.files import NAMES
from tests.records import plain, record_of
from tests.report.pages import Page

# No file system has a slash in a name; this one only looks like it.
FILE_NAMES = tuple(name.replace("/", "\u2215") for name in NAMES)
PIXEL = "data:image/png;base64,iVBORw0KGgo="
SPECIFICATION = """\
property {name}:
    for all x in focus("{name}", gamma = 0.5):
        predict(x, "{name}") implies reddish > greenish
"""
# Words that the results use as codes: the report looks them up and never got them from outside.
CODES = {
    *("head", "encoder", "undecided", "holds", "violated", "unknown", "accept", "suspect", "uncertain"),
    *("forall", "statistical", "region", "share", "box", "ellipsoid", "pca-box", "held-out", "split"),
    *("evidence", "evidence without records", "seen", "partly", "not seen", "label", "output"),
    *get_args(SuspectName),
    *get_args(CauseName),
}


class Named(FakeModel):
    """The planted model with other class names."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.class_names = names  # type: ignore[assignment]


def written(folder: Path, names: tuple[str, ...]) -> None:
    """Class folders called `names`, with an image for every hostile name in the first and a few in the others."""
    rng = np.random.default_rng(0)
    for place, (name, colour) in enumerate(zip(names, (*list(COLOURS)[:3], "murky"), strict=True)):
        (folder / name).mkdir(parents=True)
        for number, stem in enumerate(FILE_NAMES if place == 0 else FILE_NAMES[:12]):
            shade = tuple(int(v) for v in np.array(COLOURS[colour]) + rng.integers(-5, 6, 3))
            Image.fromarray(picture(shade)).save(folder / name / f"{stem[:40]}{number}.png")
        (folder / name / f"broken{name[:40]}.png").write_bytes(b"")


@pytest.mark.parametrize("start", range(0, len(NAMES), 4))
def test_a_study_of_hostile_names_runs_and_loses_no_image(tmp_path: Path, start: int) -> None:
    folders = (FILE_NAMES + FILE_NAMES)[start : start + 4]
    written(tmp_path / "images", folders)
    data = image_folder.load(tmp_path / "images")
    # An accent may be written in two ways on disk; it is one name.
    names = tuple(unicodedata.normalize("NFC", name) for name in folders)
    assert sorted(data.class_names) == sorted(names)
    assert len(data) == len(NAMES) + 3 * 12 + 4
    words = ("red", "green", "blue", "grey")
    concepts = ConceptSet(tuple(Concept(name + "'", (word,)) for name, word in zip(names, words, strict=True)))
    inputs = StudyInputs(data, data, Named(names), FakeVlm(), concepts, None)
    record = Study(tmp_path / "study", StudyConfig(), inputs).run()
    results = plain(record)
    assert results["dataset"]["readable"] + 4 == results["dataset"]["images"] == len(data)
    listed = {entry["id"] for entry in results["unreadable"]}
    assert listed == {f"{name}/broken{name[:40]}.png" for name in folders}
    assert json.loads((tmp_path / "study/results.json").read_text())["classes"] == list(names)
    page = Page((tmp_path / "study/report.html").read_text())
    assert page.data["classes"] == list(names)
    usual = with_names(results, {"": "plain"})
    pictures = {image["id"]: "data:image/png;base64,iVBORw0KGgo=" for image in usual["localization"]["images"]}
    nothing_but_text(page, Page(render(record_of(usual, Results), pictures)))


def nothing_but_text(page: Page, plain: Page) -> None:
    """The page has the elements and attributes that one with plain names has, and no address from outside."""
    assert len(page.raw["script"]) == 2
    assert page.raw["script"][1] == plain.raw["script"][1]
    usual = {(tag, name) for tag, attributes in plain.elements for name in [*attributes, ""]}
    for tag, attributes in page.elements:
        assert {(tag, name) for name in [*attributes, ""]} <= usual
        for name in ("src", "href", "action", "formaction"):
            assert str(attributes.get(name) or "#").startswith(("#", "data:image/png;base64,")), (tag, name)
        assert attributes.get("style") in {a.get("style") for _, a in plain.elements}


@pytest.fixture(scope="module")
def rich(tmp_path_factory) -> dict[str, Any]:
    """Results with everything that a report can show."""
    pytest.importorskip("highspy")
    folder = tmp_path_factory.mktemp("rich")
    written(folder / "images", CLASSES)
    data = image_folder.load(folder / "images")
    words = {"reddish": "red", "greenish": "green", "bluish": "blue", "grey": "grey"}
    concepts = ConceptSet(tuple(Concept(name, (word,)) for name, word in words.items()))
    (folder / "my.cspec").write_text("".join(SPECIFICATION.format(name=name) for name in CLASSES[:3]))
    config = StudyConfig(properties=PropertiesConfig(("my.cspec",)))
    return plain(Study(folder, config, StudyInputs(data, data, FakeModel(), FakeVlm(), concepts, None)).run())


def with_names(value: Any, names: dict[str, str]) -> Any:
    """The value with every text but codes replaced, the same text by the same."""
    if isinstance(value, dict):
        return {key: with_names(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        return [with_names(entry, names) for entry in value]
    if not isinstance(value, str) or value in CODES:
        return value
    return names.setdefault(value, f"{names['']}{len(names)}")


def images_of(results: dict[str, Any]) -> list[str]:
    return [image["id"] for image in results["localization"]["images"]]


TEXTS = st.one_of(
    st.sampled_from(NAMES),
    st.text(alphabet=st.sampled_from("<>&'\"/!-=()[]{}%`\\ \n\t\u2028\u202eascriptonload:"), max_size=30),
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20),
)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(text=TEXTS)
def test_no_text_of_the_results_becomes_an_element_or_an_attribute(rich: dict[str, Any], text: str) -> None:
    names = {"": text}
    hostile = with_names(copy.deepcopy(rich), names)
    images = images_of(hostile)
    page = Page(render(record_of(hostile, Results), dict.fromkeys(images, PIXEL)))
    nothing_but_text(page, Page(render(record_of(rich, Results), dict.fromkeys(images_of(rich), PIXEL))))
    assert page.data["classes"] == hostile["classes"]
    assert [image["id"] for image in page.data["failures"]] == images
