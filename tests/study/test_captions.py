"""Captioned photographs: which are read, and what a study says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from conspect.adapters.datasets.captioned import captioned_images
from conspect.cli.concepts import concepts
from conspect.core.diagnostics import UserError
from conspect.results.results import Results
from conspect.study import Study, captions, inputs
from conspect.study.captions import caption_retrieval
from tests.fakes import FakeModel, FakeVlm, write_study


def put(folder: Path, name: str, caption: str | None, color: str = "red") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGBA", (9, 7), color).save(path)
    if caption is not None:
        path.with_suffix(".txt").write_text(caption, encoding="utf-8")


@pytest.fixture
def stamps(tmp_path: Path) -> Path:
    folder = tmp_path / "stamps"
    put(folder, "animals/dog.png", "A  brown dog.\nde.utf8=Ein brauner Hund.\n")
    put(folder, "animals/cat.png", "\ufeffA cat.", "blue")
    put(folder, "animals/cat2.png", "A cat.", "blue")
    put(folder, "animals/cartoon/dog.png", "A drawn dog.")
    put(folder, "symbols/a.png", "The letter a.")
    put(folder, "no-caption.png", None)
    put(folder, "empty.png", "\n")
    (folder / "text-alone.txt").write_text("A text.", encoding="utf-8")
    (folder / "linked.png").symlink_to(folder / "animals/dog.png")
    (folder / "linked.txt").write_text("A link.", encoding="utf-8")
    return folder


def test_photographs_with_captions_are_read_and_drawings_links_and_the_uncaptioned_are_not(stamps: Path) -> None:
    photographs = captioned_images(stamps)
    assert photographs.ids == ("animals/cat.png", "animals/cat2.png", "animals/dog.png")
    assert photographs.captions == ("A cat.", "A cat.", "A brown dog.")
    assert photographs.class_names == ("A cat.", "A brown dog.")
    np.testing.assert_array_equal(photographs.labels, [0, 0, 1])
    assert photographs.image(0).shape == (7, 9, 3)
    digest = photographs.digest
    put(stamps, "animals/cat2.png", "A cat.", "green")
    assert captioned_images(stamps).digest != digest


def test_how_to_install_the_photographs_is_said_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="apt-get install tuxpaint-stamps-default"):
        captioned_images(tmp_path / "nowhere")
    with pytest.raises(UserError) as caught:
        captioned_images(tmp_path)
    assert caught.value.diagnostics[0].code == "DATA003"


def test_a_study_is_asked_for_captions_and_gives_the_chance_level(finished: Study, stamps: Path) -> None:
    retrieval = caption_retrieval(finished.inputs.vlm, finished.store, stamps)
    assert (retrieval.images, retrieval.captions, retrieval.chance, retrieval.chance_in_five) == (3, 2, 0.5, 1.0)
    assert retrieval.in_five.value == 1.0
    call = ["captions", str(finished.folder), "--folder", str(stamps)]
    told = CliRunner().invoke(concepts, call)
    assert told.exit_code == 0, told.output
    assert "of 3 photographs; by chance 50.0 %" in told.stdout
    assert json.loads(CliRunner().invoke(concepts, [*call, "--json"]).stdout)["captions"] == 2


def test_a_run_records_it_where_the_package_is_installed(
    tmp_path: Path, stamps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captions, "STAMPS", stamps)
    monkeypatch.setattr(inputs, "model_of", lambda request: FakeModel())
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
    study = Study.open(write_study(tmp_path / "study"))
    results: Results = study.run()
    assert results.vlm.caption_retrieval is not None
    assert results.vlm.caption_retrieval.pack == "tuxpaint-stamps-default"
    assert results.vlm.caption_retrieval_left_out is None
    assert "The right caption among 2" in (study.folder / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (lambda folder: None, "there is no folder of captioned photographs"),
        (lambda folder: folder.mkdir(), "fewer than two images here have captions"),
        (
            lambda folder: broken_stamps(folder, ("a", "b")),
            "none of the captioned photographs can be read",
        ),
    ],
    ids=["not installed", "empty", "unreadable"],
)
def test_a_run_without_readable_photographs_says_why_and_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Callable[[Path], object], why: str
) -> None:
    broken(tmp_path / "stamps")
    monkeypatch.setattr(captions, "STAMPS", tmp_path / "stamps")
    monkeypatch.setattr(inputs, "model_of", lambda request: FakeModel())
    monkeypatch.setattr(inputs, "vlm_of", lambda request, cache: FakeVlm())
    results: Results = Study.open(write_study(tmp_path / "study")).run()
    assert results.vlm.caption_retrieval is None
    assert results.vlm.caption_retrieval_left_out is not None
    assert results.vlm.caption_retrieval_left_out.startswith(why)
    assert "install" in results.vlm.caption_retrieval_left_out


def broken_stamps(folder: Path, names: tuple[str, ...]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / f"{name}.png").write_bytes(b"no picture")
        (folder / f"{name}.txt").write_text(f"A {name}.", encoding="utf-8")
