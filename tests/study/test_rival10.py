"""The case study of both papers, run as the example is, on a small imitation of RIVAL10's layout.

An image is a strip of eighteen grey columns, one for each attribute: bright where it is shown. The model sees the columns, and so
does the lens; the model's head takes most ships for planes.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.datasets import DataSource, open_split, rival10
from conspect.adapters.datasets.rival10 import ATTRIBUTES, CLASS_NAMES, SYNSETS
from conspect.core.concepts import ClassAttributes
from conspect.core.diagnostics import ConspectError
from conspect.core.spaces import Head
from conspect.language import from_attribute_table, write
from conspect.study import Study, inputs, packages
from conspect.study.config import read_config
from tests.records import plain
from tests.report.pages import Page

EXAMPLE = Path(__file__).parents[2] / "examples" / "rival10"
SIDE = 4
TABLE = [line.split(",") for line in (EXAMPLE / "class_attributes.csv").read_text().splitlines() if line[0] != "#"]
WRITTEN = ClassAttributes(
    tuple(row[0] for row in TABLE[1:]), tuple(TABLE[0][1:]), np.asarray([row[1:] for row in TABLE[1:]], dtype=float)
)
SHARES = WRITTEN.aligned_to(CLASS_NAMES, ATTRIBUTES)
PHRASES = {
    phrase: name
    for name, phrases in tomllib.loads((EXAMPLE / "concepts.toml").read_text())["concepts"].items()
    for phrase in phrases
}


class Strip:
    """Eighteen numbers of an image: how bright each attribute's column is."""

    preprocessing = "eighteen columns, averaged"

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        if image.shape[1] != SIDE * len(ATTRIBUTES):
            return np.zeros(len(ATTRIBUTES), np.float32)
        return image.reshape(SIDE, len(ATTRIBUTES), SIDE, 3).mean(axis=(0, 2, 3)).astype(np.float32) / 255


class StripModel(Strip):
    """Likelihood of the attributes' shares; its head hardly tells ships from planes, and prefers planes."""

    name, digest, embedding_size, class_names = "resnet18", "strips-1", len(ATTRIBUTES), CLASS_NAMES

    @property
    def head(self) -> Head:
        odds = np.clip(SHARES.shares, 0.02, 0.98)
        weight, bias = np.log(odds) - np.log(1 - odds), np.log(1 - odds).sum(1)
        plane, ship = CLASS_NAMES.index("plane"), CLASS_NAMES.index("ship")
        for part in (weight, bias):
            part[ship] = part[plane] + 0.3 * (part[ship] - part[plane])
        bias[ship] -= 1.5
        return Head.linear(weight, bias)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.clip((batch - 0.3) / 0.4, 0, 1).astype(np.float32)


class StripVlm(Strip):
    """One axis for each attribute; a class is the mean of its attributes."""

    name, digest, embedding_size = "ViT-B-16", "strips-2", len(ATTRIBUTES)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return (batch / np.linalg.norm(batch, axis=1, keepdims=True).clip(1e-6)).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [self._axis(text) for text in texts]
        return np.asarray([row / np.linalg.norm(row) for row in rows], dtype=np.float32)

    def _axis(self, text: str) -> NDArray[np.float64]:
        for name, shares in zip(CLASS_NAMES, SHARES.shares, strict=True):
            if text.endswith(f" {name}") or text == name:
                return shares + 1e-3
        known = [phrase for phrase in PHRASES if phrase in text]
        return np.eye(len(ATTRIBUTES))[ATTRIBUTES.index(PHRASES[max(known, key=len)])] + 1e-3


def imitation(folder: Path, *, each: int, seed: int = 0) -> None:
    """`each` images of every synset in both splits, attributes drawn with their class's shares, with masks and pickles."""
    for split in ("train", "test"):
        root = folder / split / "ordinary"
        root.mkdir(parents=True)
        rng = np.random.default_rng([seed, split == "test"])
        for synset, (class_name, _) in SYNSETS.items():
            for number in range(each):
                shown = rng.random(len(ATTRIBUTES)) < SHARES.shares[CLASS_NAMES.index(class_name)]
                brightness = np.where(shown, 180, 76) + rng.integers(-20, 21, len(ATTRIBUTES))
                pixels = np.tile(np.repeat(brightness, SIDE)[None, :, None], (SIDE, 1, 3)).astype(np.uint8)
                stem = root / f"{synset}_{number}"
                Image.fromarray(pixels).save(f"{stem}.JPEG", quality=95)
                Image.fromarray(pixels).save(f"{stem}_merged_mask.JPEG")
                np.save(f"{stem}_attr_labels.npy", np.stack([shown, np.zeros_like(shown)]).astype(np.int64))
                Path(f"{stem}_attr_dict.pkl").write_bytes(b"cos\nsystem\n(S'touch PWNED'\ntR.")


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """The example's own folder, copied, with the imitation in place of RIVAL10 and the strips in place of both networks."""
    pytest.importorskip("highspy")
    folder = shutil.copytree(
        EXAMPLE, tmp_path_factory.mktemp("case") / "rival10", ignore=shutil.ignore_patterns("RIVAL10")
    )
    imitation(folder / "RIVAL10", each=10)
    text = (folder / "rival10.cspec").read_text()
    head, *properties = text.split("property ")
    kept = [body for body in properties if body.startswith(("ship_", "cat_"))][::20]  # all 540 take minutes
    (folder / "rival10.cspec").write_text("property ".join([head, *kept]))
    (folder / "RIVAL10/test/ordinary/n02391049_3.JPEG").write_bytes(b"broken")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(inputs, "model_of", lambda request: StripModel())
        patch.setattr(inputs, "vlm_of", lambda request, cache: StripVlm())
        patch.setattr(packages, "require", lambda _: None)
        study = Study.open(folder)
        study.run()
    assert not list(folder.rglob("PWNED")), "a pickle was run"
    return study


def test_the_example_asks_for_what_the_papers_used() -> None:
    config = read_config(EXAMPLE / "study.toml")
    assert (config.data.kind, config.model.kind, config.model.name) == ("rival10", "torchvision", "resnet18")
    assert (config.vlm.kind, config.vlm.weights) == ("open-clip", "openai")
    assert config.model.classes == CLASS_NAMES
    text = (EXAMPLE / "rival10.cspec").read_text()
    assert text.rstrip() == write(from_attribute_table(WRITTEN), "house").rstrip()


def test_the_case_study_runs_and_says_where_the_model_fails(study: Study) -> None:
    results = plain(study.results())
    assert results["dataset"]["images"] == 200
    assert results["dataset"]["readable"] == 199
    assert [image["id"] for image in results["unreadable"]] == ["test/n02391049_3"]
    assert results["classes"] == list(CLASS_NAMES)
    worst = {group["value"] for group in results["slices"]["slices"][:2]}
    assert worst == {"ocean liner", "container vessel"}
    assert len(results["slices"]["slices"]) == 20
    assert {entry["class"] for entry in results["verification"]["properties"]} == {"ship", "cat"}


def test_attribute_labels_say_that_this_lens_sees_every_concept(study: Study) -> None:
    labels = plain(study.results())["concept_labels"]
    assert {concept["concept"] for concept in labels["concepts"]} == set(ATTRIBUTES)
    assert labels["not_asked"] == []
    for concept in labels["concepts"]:
        assert concept["vlm"]["auroc"] > 0.95, concept["concept"]
        inside = concept["vlm"]["within_classes"]
        assert inside is None or inside > 0.9, concept["concept"]
        assert concept["lens"]["auroc"] > 0.9, concept["concept"]
    assert labels["mean_vlm"] > 0.97


def test_the_labels_of_training_images_make_the_table(study: Study) -> None:
    table = study.inputs.attributes
    assert table is not None
    assert np.abs(table.aligned_to(CLASS_NAMES, ATTRIBUTES).shares - SHARES.shares).max() < 0.3
    assert plain(study.results())["validation"]["expected_pairs"]["mean_share"] > 0.6


def test_the_report_of_the_case_study_has_all_its_sections(study: Study) -> None:
    page = Page((study.folder / "report.html").read_text())
    assert {"slices", "concepts", "proofs", "heatmaps", "localization"} <= set(page.ids)
    assert "Egyptian cat" in page.words


def test_pickle_is_not_even_imported_by_the_reader_of_rival10(study: Study, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pickle", None)
    source = DataSource("rival10", directory="RIVAL10")
    images = open_split(source, "test", folder=study.folder, cache=study.folder)
    assert len(images) == 200
    assert set(np.unique(images.concept_labels)) == {0.0, 1.0}  # type: ignore[attr-defined]


def labels_of(folder: Path, content: bytes) -> NDArray[np.float64]:
    root = folder / "test" / "ordinary"
    root.mkdir(parents=True)
    (root / "n02391049_1.JPEG").write_bytes(b"x")
    (root / "n02391049_1_attr_labels.npy").write_bytes(content)
    return rival10.load("test", directory=folder).concept_labels


def npy(values: NDArray[np.generic], *, pickled: bool = False) -> bytes:
    import io

    out = io.BytesIO()
    np.save(out, values, allow_pickle=pickled)
    return out.getvalue()


class Runs:
    def __reduce__(self) -> tuple[object, ...]:
        return open, ("PWNED", "w")


@pytest.mark.parametrize(
    "content",
    [
        npy(np.array([Runs()] * 18, dtype=object), pickled=True),
        npy(np.zeros(17)),
        npy(np.full(18, 2)),
        npy(np.zeros((18, 2))),
        npy(np.zeros(18))[:-1],
        npy(np.zeros(18)).replace(b"(18,)", b"(1.8,"),
        b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999,), }".ljust(128),
        b"\x80\x02cos\nsystem\n(S'touch PWNED'\ntR.",
        b"",
        b"x" * 100_000,
    ],
)
def test_a_label_file_that_is_no_list_of_attributes_is_refused(tmp_path: Path, monkeypatch, content: bytes) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConspectError, match=r"DATA002.*n02391049_1_attr_labels"):
        labels_of(tmp_path, content)
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize("shape", [(18,), (2, 18)])
@pytest.mark.parametrize("kind", [np.int64, np.float32, np.bool_])
def test_both_forms_of_label_files_are_read(tmp_path: Path, shape: tuple[int, ...], kind: type) -> None:
    values: NDArray[Any] = np.zeros(shape, dtype=kind)
    values.flat[3] = 1
    assert labels_of(tmp_path, npy(values)).tolist() == [[0, 0, 0, 1] + [0] * 14]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConspectError, match="DATA004"):
        rival10.load("test", directory=tmp_path)
    (tmp_path / "test" / "ordinary").mkdir(parents=True)
    (tmp_path / "test" / "ordinary" / "n00000000_1.JPEG").write_bytes(b"x")
    with pytest.raises(ConspectError, match=r"DATA002.*none of RIVAL10's twenty synsets"):
        rival10.load("test", directory=tmp_path)
    with pytest.raises(ConspectError, match="DATA005"):
        rival10.load("val", directory=tmp_path)
