"""Objects that a caller holds bring their own digests: one that stayed while what is computed changed is refused by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conspect.core.diagnostics import UserError
from conspect.core.spaces import Head
from conspect.study import Study, inputs
from conspect.study.objects import make_study
from tests.fakes import CLASSES, FakeModel, FakeVlm, colour_dataset

CONCEPTS = {"reddish": ["reddish"], "greenish": ["greenish"]}


class Mended(FakeModel):
    """The same digest, another encoder."""

    def embed(self, batch: Any) -> Any:
        return super().embed(batch)[:, [1, 0, 2]]


class OtherHead(FakeModel):
    head = Head.linear(np.vstack([10 * np.eye(3), np.zeros(3)]), np.array([0.0, 9.0, 2.0, -50.0]))


class OtherWords(FakeVlm):
    """A tokenizer that reads capitals: no network changed."""

    def embed_texts(self, texts: Any) -> Any:
        return -super().embed_texts(texts)


class OtherPreparation(FakeVlm):
    def prepare(self, image: Any) -> Any:
        return super().prepare(image)[::-1] ** 2


class OwnImages:
    """Images of the caller's own class, whose digest does not follow their pixels."""

    name, split, class_names, digest = "own", "test", CLASSES, "always the same"

    def __init__(self, shade: int, labels: int = 0) -> None:
        self._shade, self.ids = shade, ("a", "b")
        self.labels = np.full(2, labels, dtype=np.int64)

    def __len__(self) -> int:
        return 2

    def image(self, index: int) -> Any:
        return np.full((16, 16, 3), self._shade + index, np.uint8)


def made(folder: Path, model: Any = None, vlm: Any = None, test: Any = None) -> Study:
    some = test or OwnImages(5)
    return make_study(folder, model=model or FakeModel(), vlm=vlm or FakeVlm(), images=(some, some), concepts=CONCEPTS)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model": Mended()}, "planted has the digest 'model-1'"),
        ({"model": OtherHead()}, "planted has the digest 'model-1'"),
        ({"vlm": OtherWords()}, "colour words has the digest 'vlm-1'"),
        ({"vlm": OtherPreparation()}, "colour words has the digest 'vlm-1'"),
        ({"test": OwnImages(6)}, r"own \(test\) has the digest 'always the'|own"),
        ({"test": OwnImages(5, labels=1)}, "own"),
    ],
)
def test_an_object_that_gives_something_else_under_its_old_digest_is_refused(
    changed: dict[str, Any], told: str, tmp_path: Path
) -> None:
    made(tmp_path)
    made(tmp_path)
    with pytest.raises(UserError, match=rf"STUDY006: ({told})"):
        made(tmp_path, **changed)
    made(tmp_path)
    made(tmp_path / "elsewhere", **changed)


def test_another_digest_is_another_thing(tmp_path: Path) -> None:
    made(tmp_path)
    mended = Mended()
    mended.digest = "model-2"
    assert made(tmp_path, model=mended).inputs.model is mended


def test_what_this_project_opens_is_not_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = colour_dataset(3)
    monkeypatch.setattr(inputs, "check_classes", lambda *_: None)
    model = FakeModel()
    model.class_names = ("thing", "green", "blue", "yellow")
    made(tmp_path, model=model, test=data)
    assert len(list((tmp_path / "embeddings").glob("probes-*.json"))) == 2  # of model and VLM, which are the test's own


def test_a_spoilt_note_is_refused_as_well(tmp_path: Path) -> None:
    made(tmp_path)
    for path in (tmp_path / "embeddings").glob("probes-*.json"):
        path.write_text("{")
    with pytest.raises(UserError, match="STUDY006"):
        made(tmp_path)
