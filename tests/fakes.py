"""A vision model and a VLM with planted faults, and images whose colour is their class: every answer is known beforehand.

The model sees (r, g, b), the mean of an image's centre. A white top left corner makes its *encoder* see (b, r, g), so that
green looks blue; its *head* favours blue, which costs it murky greens. The VLM sees (r, g, b, 1/2); a white bottom right
corner makes it see (b, r, g).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.adapters.datasets.arrays import ArrayDataset
from conspect.adapters.sources.request import Request
from conspect.core.spaces import Head

SIDE = 16
CLASSES = ("red", "green", "blue", "yellow")  # no image is yellow
COLOURS = {"red": (200, 30, 60), "green": (60, 200, 30), "blue": (30, 60, 200), "murky": (60, 140, 110)}
AXES = {
    **{"red": 0, "reddish": 0, "crimson": 0, "green": 1, "greenish": 1, "leafy": 1},
    **{"blue": 2, "bluish": 2, "azure": 2, "grey": 3, "dull": 3},
}
# Test images: class, colour, what is planted, how many. 75 images, 13 failures: 6 head, 4 encoder, 3 undecided.
PLANTED = (
    ("red", "red", "right", 20),
    ("red", "red", "vlm-blind", 2),
    ("green", "green", "right", 20),
    ("green", "murky", "head", 6),
    ("green", "green", "encoder", 4),
    ("green", "green", "undecided", 3),
    ("blue", "blue", "right", 20),
)
CONCEPTS = """\
concept_templates = ["a photo of something {}", "{}"]
class_templates = ["a photo of a {} thing"]

[concepts]
reddish = { phrases = ["reddish", "red"], unseen = "crimson" }
greenish = { phrases = ["greenish"], unseen = "leafy" }
bluish = ["bluish"]
grey = ["grey"]
"""
ATTRIBUTES = (
    "class,reddish,greenish,bluish,grey\nred,1,0,0,0.3\ngreen,0,1,0,0.3\nblue,0,0,1,0.3\nyellow,0.3,0.3,0,0.3\n"
)
STUDY = """\
[data]
kind = "image-folder"
train = "images/train"
test = "images/test"

[model]
name = "planted"

[concepts]
file = "concepts.toml"
class_attributes = "attributes.csv"
"""


class ColourEncoder:
    """The part that both fakes share."""

    preprocessing = f"resized to {SIDE} x {SIDE}"

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        if image.shape != (SIDE, SIDE, 3):
            image = np.asarray(Image.fromarray(image).resize((SIDE, SIDE)))
        return np.asarray(image.astype(np.float32) / 255, dtype=np.float32)

    def centres(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        return batch[:, 5:11, 5:11].mean(axis=(1, 2), dtype=np.float64).astype(np.float32)


class FakeModel(ColourEncoder):
    name, digest, embedding_size, class_names = "planted", "model-1", 3, CLASSES
    head = Head.linear(np.vstack([10 * np.eye(3), np.zeros(3)]), np.array([0.0, 0.0, 2.0, -50.0]))

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        seen = self.centres(batch)
        marked = batch[:, :4, :4].min(axis=(1, 2, 3)) > 0.9
        return np.where(marked[:, None], seen[:, [2, 0, 1]], seen)


class EarlierModel(FakeModel):
    """The model before its head came to favour blue: right on the murky greens."""

    name, digest = "planted earlier", "model-0"
    head = Head.linear(np.vstack([10 * np.eye(3), np.zeros(3)]), np.array([0.0, 0.0, 0.0, -50.0]))


def fake_model(request: Request) -> FakeModel:
    """The fake that a study.toml names."""
    return EarlierModel() if request.name == EarlierModel.name else FakeModel()


class FakeVlm(ColourEncoder):
    name, digest, embedding_size = "colour words", "vlm-1", 4

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        seen = self.centres(batch)
        marked = batch[:, -4:, -4:].min(axis=(1, 2, 3)) > 0.9
        seen = np.where(marked[:, None], seen[:, [2, 0, 1]], seen)
        return np.column_stack([seen, np.full(len(seen), 0.5, np.float32)])

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The sum of the axes of the words it knows, grey when it knows none."""
        rows = [np.eye(4)[[AXES[word] for word in text.split() if word in AXES] or [3]].sum(0) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], dtype=np.float32)


def picture(colour: Sequence[int], *, top_left: bool = False, bottom_right: bool = False) -> NDArray[np.uint8]:
    pixels = np.full((SIDE, SIDE, 3), colour, dtype=np.uint8)
    if top_left:
        pixels[:4, :4] = 255
    if bottom_right:
        pixels[-4:, -4:] = 255
    return pixels


def write_images(folder: Path) -> None:
    """`folder`/train and `folder`/test, as `PLANTED` says; colours vary a little from image to image."""
    rng = np.random.default_rng(0)
    train = tuple(
        (label, colour, "right", 10) for label, colour, *_ in PLANTED if not (label == "red" and colour != "red")
    )
    for split, plan in (("train", train), ("test", PLANTED)):
        number = 0
        for label, colour, plan_name, count in plan:
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                shade = tuple(int(v) for v in np.array(COLOURS[colour]) + rng.integers(-5, 6, 3))
                pixels = picture(
                    shade,
                    top_left=plan_name in ("encoder", "undecided"),
                    bottom_right=plan_name in ("vlm-blind", "undecided"),
                )
                Image.fromarray(pixels).save(folder / split / label / f"{plan_name}-{number:03d}.png")
                number += 1


def write_study(folder: Path) -> Path:
    """A whole study folder for the fakes."""
    write_images(folder / "images")
    for name, text in (("study.toml", STUDY), ("concepts.toml", CONCEPTS), ("attributes.csv", ATTRIBUTES)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def colour_dataset(images: int, *, side: int = 8) -> ArrayDataset:
    """Random images in memory, all of one class."""
    pixels = np.random.default_rng(images).integers(0, 256, (images, side, side, 3), dtype=np.uint8)
    ids = tuple(f"{row:06d}" for row in range(images))
    return ArrayDataset("noise", "test", ("thing",), ids, np.zeros(images, dtype=np.int64), pixels)
