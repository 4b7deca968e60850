import copy
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from conspect.report.html import render
from conspect.report.pictures import pictured
from conspect.results.results import Results
from conspect.study import Study, inputs
from conspect.study.pictures import thumbnails
from tests.fakes import FakeModel, FakeVlm, write_study
from tests.records import plain, record_of

from .pages import Page

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_study(tmp_path_factory.mktemp("report"))


def run(folder: Path) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inputs, "model_of", lambda request: FakeModel())
        patch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
        return plain(Study.open(folder).run())


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    return run(folder)


def page_of(results: dict[str, Any]) -> Page:
    return Page(
        render(record_of(results, Results), {image["id"]: PIXEL for image in results["localization"]["images"]})
    )


def replaced(value: Any, names: dict[str, str]) -> Any:
    """The results with texts replaced wherever they stand."""
    if isinstance(value, dict):
        return {key: replaced(entry, names) for key, entry in value.items()}
    if isinstance(value, list):
        return [replaced(entry, names) for entry in value]
    return names.get(value, value) if isinstance(value, str) else value


def test_a_page_is_well_formed_and_its_anchors_lead_somewhere(results: dict) -> None:
    page = page_of(results)
    assert len(page.ids) == len(set(page.ids))
    links = {str(attributes["href"]) for tag, attributes in page.elements if tag == "a"}
    assert links >= {
        "#summary",
        "#reading",
        "#trust",
        "#heatmaps",
        "#localization",
        "#classes",
        "#failures",
        "#validation",
        "#method",
    }
    assert {link.removeprefix("#") for link in links} <= set(page.ids)
    labelled = {str(a[key]) for _, a in page.elements for key in ("aria-labelledby", "for") if key in a}
    assert labelled <= set(page.ids)


def test_a_page_loads_nothing_from_anywhere(results: dict) -> None:
    html = render(record_of(results, Results), {image["id"]: PIXEL for image in results["localization"]["images"]})
    page = Page(html)
    assert not {"link", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "poster", "data", "background", "formaction"):
            assert str(attributes.get(name, "#")).startswith(("#", "data:")), (tag, name)
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv") == "Content-Security-Policy")
    assert str(policy).startswith("default-src 'none'")
    for way in ("url(", "@import", "fetch(", "XMLHttpRequest", "import(", "http://", "https://", "//cdn"):
        assert way not in html


def test_the_script_writes_no_html(results: dict) -> None:
    script = page_of(results).raw["script"][1]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "setHTML"):
        assert way not in script


def test_the_page_shows_what_the_results_say(results: dict) -> None:
    words = page_of(results).words
    diagnosis = results["diagnosis"]
    for fragment in (
        "How often is it right? 82.7 % 13 of 75 test images of test come out wrong.",
        "Where does it fail most? green 13 images of this class come out wrong, 13 of them as blue.",
        diagnosis["headline"],
        diagnosis["sentence"],
        *diagnosis["evidence"],
        "The encoder keeps no records of its training",
        "colour words",
        "greenish > bluish",
        "Unreadable none",
    ):
        assert fragment in words


def test_the_script_gets_the_results_as_they_are(results: dict) -> None:
    data = page_of(results).data
    assert data["heatmaps"] | {"examples": data["examples"]} == results["heatmaps"] | {
        "examples": results["heatmaps"]["examples"]
    }
    assert data["heatmaps"]["examples"] == []
    assert data["failures"] == results["localization"]["images"]
    assert data["classes"][data["start"]] == "green"
    assert data["shown"] == [0, 1, 2, 3]


HOSTILE = {
    "script": "</script><script>alert(1)</script>",
    "markup": "<img src=x onerror=alert(1)>",
    "quotes": "\"'`&amp;&lt;",
    "lines": "two\nlines\r\n\tand a tab",
    "direction": "abc\u202egnp.exe\u202c\u200f\u05d0",
    "separators": "a\u2028b\u2029c",
    "template": "{{ r.classes }} {% raw %} ${x} <!-- -->",
    "null and bell": "a\x07b",
    "nothing": "",
    "empty comment": "<!--<script>",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_names_are_text_and_nothing_else(results: dict, text: str) -> None:
    plain = page_of(results)
    image = results["localization"]["images"][0]["id"]
    names = {
        "green": text,
        "greenish": text + "2",
        image: text + "3",
        "planted": text,
        "colour words": text,
        "test": text,
    }
    hostile = replaced(copy.deepcopy(results), names)
    hostile["unreadable"] = [{"split": text, "id": text, "reason": text}]
    hostile["model"]["preprocessing"] = text
    page = page_of(hostile)
    assert page.data["classes"][1] == text
    assert page.data["heatmaps"]["concepts"][1] == text + "2"
    assert page.data["failures"][0]["id"] == text + "3"
    assert len(page.raw["script"]) == len(plain.raw["script"]) == 2
    assert page.raw["script"][1] == plain.raw["script"][1]
    kinds = [tag for tag, _ in plain.elements]
    assert {tag for tag, _ in page.elements} - set(kinds) <= {"ul", "li"}
    assert not any(name.startswith("on") and name != "onsubmit" for _, a in page.elements for name in a)
    assert re.sub(r"\s+", " ", text).strip() in re.sub(r"\s+", " ", page.words)


def test_one_concept_is_enough_for_a_page(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "study")
    (copied / "concepts.toml").write_text('[concepts]\nreddish = ["reddish"]\n')
    (copied / "attributes.csv").write_text("class,reddish\nred,1\ngreen,0\nblue,0\nyellow,0\n")
    results = run(copied)
    assert results["heatmaps"]["ground_truth"][0] == {
        "images": 22,
        "greater": [[0]],
        "intervals": [[0, 0.0, 0.148655, True]],
    }
    page = page_of(results)
    assert "No pair differs significantly" in page.words


def test_a_model_without_failures_has_a_page(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "study")
    for path in (copied / "images/test/green").glob("*"):
        if not path.name.startswith("right"):
            path.unlink()
    results = run(copied)
    assert results["localization"]["failures"] == 0
    page = page_of(results)
    assert "0 of 62 test images of test come out wrong." in page.words
    assert page.data["start"] == 0
    assert "nothing to compare" in page.words


def test_failures_that_nobody_can_place_have_a_page(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "study")
    for path in (copied / "images/test/green").glob("*"):
        if not path.name.startswith(("right", "undecided")):
            path.unlink()
    page = page_of(run(copied))
    assert "The lens decides no failure, so there is nothing to compare." in page.words


def test_a_class_without_images_is_shown_as_such(results: dict) -> None:
    words = page_of(results).words
    assert "yellow recall –, precision –, 0 failures" in words


def test_a_page_without_room_for_a_picture_says_so_and_keeps_the_budget(
    results: dict, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "model_of", lambda request: FakeModel())
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
    record = record_of(results, Results)
    wanted = pictured(record)
    assert (
        len(wanted) == len(set(wanted)) == len(results["localization"]["images"]) + len(results["heatmaps"]["examples"])
    )
    images = Study.open(folder).inputs.test
    whole = thumbnails(images, wanted)
    few = thumbnails(images, wanted, budget=sum(map(len, list(whole.values())[:5])))
    assert list(few) == wanted[:5]
    # Failures and right images take turns, so that little room shows some of both.
    wrong = {image["id"] for image in results["localization"]["images"]}
    assert 0 < len(wrong & set(few)) < 5
    assert "no room for its picture" in render(record, few)


def test_no_table_of_attributes_is_said(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "study")
    text = (copied / "study.toml").read_text()
    (copied / "study.toml").write_text(text.replace("class_attributes", "# class_attributes"))
    words = page_of(run(copied)).words
    assert "No class-attribute table fits" in words
    assert "Relevant concept over irrelevant one" not in words


def test_more_concepts_than_can_be_shown_are_chosen_and_said(folder: Path, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "study")
    lines = [f'"c{k:02d}" = ["{("red", "green", "blue", "thing")[k % 4]}"]' for k in range(60)]
    (copied / "concepts.toml").write_text("[concepts]\n" + "\n".join(lines))
    (copied / "study.toml").write_text((copied / "study.toml").read_text().replace("class_attributes", "# "))
    results = run(copied)
    assert len(results["heatmaps"]["concepts"]) == 48
    # What tells classes apart is kept: the fifteen concepts that mean nothing go first.
    assert sum(int(name[1:]) % 4 == 3 for name in results["heatmaps"]["concepts"]) == 3
    assert "48 of 60 concepts" in page_of(results).words
