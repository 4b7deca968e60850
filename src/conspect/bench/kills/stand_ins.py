"""A small study that needs no download and no network: images of one colour, a model and a VLM that see colours.

What is killed is the real command; only the two networks are replaced, so that a call takes a second instead of minutes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.core.spaces import Head

SIDE, SIZE = 16, 12
CLASSES = ("red", "green", "blue")
COLOURS = np.array([[200, 60, 60], [60, 190, 60], [70, 70, 200]])
# Wide enough that classes overlap: a monitor needs failures.
NOISE = 55
TRAIN, TEST = 120, 1100  # two shards of test images
# Seconds a batch takes, as a network would: there has to be something to kill.
BATCH_SECONDS = 0.005
CONCEPTS = "[concepts]\n" + "".join(f'{name}ish = ["{name}ish"]\n' for name in CLASSES) + 'grey = ["grey"]\n'
SPECIFICATION = "".join(
    f"property {name}_over_{other}:\n    for all x in focus({name}, gamma = 0.5):\n"
    f"        predict(x, {name}) implies {name}ish > {other}ish\n"
    for name in CLASSES
    for other in CLASSES
    if name != other
)
STUDY = """\
[data]
kind = "image-folder"
train = {train}
test = {test}

[model]
name = "demo-resnet"

[concepts]
file = "concepts.toml"

[properties]
files = ["colours.cspec"]
"""


class _Colours:
    """Mean colour of an image, in 0..1."""

    preprocessing = "none"

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """`[height, width, 3]` uint8 to `[SIDE, SIDE, 3]` float32."""
        resized = np.asarray(Image.fromarray(image).resize((SIDE, SIDE)), dtype=np.float32)
        return resized / np.float32(255)

    def _seen(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        time.sleep(BATCH_SECONDS)
        return np.asarray(batch.mean(axis=(1, 2)), dtype=np.float64)


class ColourModel(_Colours):
    """Mixes the colour into `SIZE` dimensions; its linear head takes the nearest class colour."""

    name, digest, embedding_size, class_names = "colours", "stand-in model 1", SIZE, CLASSES

    def __init__(self) -> None:
        self._mix = np.linalg.qr(np.random.default_rng(0).normal(size=(SIZE, 3)))[0]
        centres = COLOURS / 255
        self.head = Head.linear(20 * centres @ self._mix.T, -10 * (centres**2).sum(1))

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, SIZE]`."""
        return np.asarray(self._seen(batch) @ self._mix.T, dtype=np.float32)


class ColourVlm(_Colours):
    """Images as (r, g, b, 1/2); a text is the axis of the colour it names."""

    name, digest, embedding_size = "colour words", "stand-in VLM 1", 4

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embeddings `[image, 4]`."""
        return np.column_stack([self._seen(batch), np.full(len(batch), 0.5)]).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit embeddings `[text, 4]`; grey when no colour is named."""
        return np.stack([np.eye(4, dtype=np.float32)[_axis(text)] for text in texts])


def _axis(text: str) -> int:
    return next((k for k, name in enumerate(CLASSES) if name in text), 3)


def write_study(folder: Path, images: Path) -> None:
    """A study in `folder`, ready for `conspect run`; its `TRAIN` and `TEST` images go to `images`."""
    rng = np.random.default_rng(0)
    for split, count in (("train", TRAIN), ("test", TEST)):
        for row in range(count):
            label = row % len(CLASSES)
            colour = np.clip(COLOURS[label] + rng.normal(0, NOISE, 3), 0, 255).astype(np.uint8)
            path = images / split / CLASSES[label] / f"{row:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((SIDE, SIDE, 3), colour, dtype=np.uint8)).save(path)
    study = STUDY.format(train=json.dumps(str(images / "train")), test=json.dumps(str(images / "test")))
    folder.mkdir()
    for name, text in (("study.toml", study), ("concepts.toml", CONCEPTS), ("colours.cspec", SPECIFICATION)):
        (folder / name).write_text(text, encoding="utf-8")


def put_in_place() -> None:
    """From now on every study of this process gets the stand-ins, whatever it names."""
    from conspect.study import inputs

    stand_ins = {"model_of": lambda *_, **__: ColourModel(), "vlm_of": lambda *_, **__: ColourVlm()}
    unknown = stand_ins.keys() - vars(inputs).keys()
    if unknown:  # what is put where nobody looks would let the real networks run
        raise AttributeError(f"conspect.study.inputs has no {', '.join(sorted(unknown))}")
    vars(inputs).update(stand_ins)
