"""Rendered scenes whose concepts are known: one object with a shape, a texture and a colour, on a noisy ground.

The class is the object's shape with its texture; each class has a colour of its own that most of its objects have.
A scene can be drawn again without one of its concepts, and with all else the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

SIDE = 32
SHAPES = ("disc", "square", "triangle", "cross")
TEXTURES = ("plain", "striped", "dotted")
COLOURS = ("red", "green", "blue", "yellow")
CONCEPTS = (*SHAPES, *TEXTURES, *COLOURS)
# Shape, texture and usual colour of each class.
CLASSES = (
    ("disc", "plain", "red"),
    ("disc", "striped", "green"),
    ("disc", "dotted", "blue"),
    ("square", "plain", "yellow"),
    ("square", "striped", "blue"),
    ("triangle", "dotted", "red"),
    ("triangle", "plain", "green"),
    ("cross", "striped", "yellow"),
)
CLASS_NAMES = tuple(f"{texture} {shape}" for shape, texture, _ in CLASSES)
ClassTable: TypeAlias = tuple[tuple[str, str, str], ...]
RGB = {"red": (200, 60, 60), "green": (60, 180, 70), "blue": (70, 80, 210), "yellow": (200, 190, 60)}
GREY = (128, 128, 128)
USUAL_COLOUR, NOISE, MARK = 0.75, 80.0, 0.4
Kind: TypeAlias = Literal["shape", "texture", "colour"]


@dataclass(frozen=True, slots=True)
class Scene:
    """What is drawn. `shape`, `texture` and `colour` index the lists above; -1: the scene is drawn without it."""

    label: int
    shape: int
    texture: int
    colour: int
    seed: int

    def without(self, kind: Kind) -> Scene:
        """The same scene, its label kept, without its shape (a faint cloud), texture (plain) or colour (grey)."""
        return replace(self, **{kind: -1})


def scenes(images: int, seed: int, classes: ClassTable = CLASSES) -> list[Scene]:
    """Scenes of random classes of the table; equal seeds give equal scenes."""
    rng = np.random.default_rng(seed)
    pictures = []
    for label in rng.integers(0, len(classes), images):
        shape, texture, usual = classes[label]
        colour = COLOURS.index(usual) if rng.random() < USUAL_COLOUR else int(rng.integers(len(COLOURS)))
        pictures.append(
            Scene(int(label), SHAPES.index(shape), TEXTURES.index(texture), colour, int(rng.integers(2**31)))
        )
    return pictures


def draw(scene: Scene) -> NDArray[np.uint8]:
    """`[32, 32, 3]` uint8, RGB. Place, size, tilt, ground and noise come from the scene's seed alone."""
    rng = np.random.default_rng(scene.seed)
    centre, radius, tilt = rng.uniform(11, 21, 2), rng.uniform(6, 10), rng.uniform(-0.4, 0.4)
    phase, ground, slope = rng.uniform(0, 4, 2), rng.uniform(60, 190), rng.uniform(-2, 2, 2)
    noise, tint = rng.normal(0, NOISE, (SIDE, SIDE, 3)), rng.normal(0, 18, 3)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float64)
    dy, dx = y - centre[0], x - centre[1]
    u, v = (np.cos(tilt) * dx + np.sin(tilt) * dy) / radius, (np.cos(tilt) * dy - np.sin(tilt) * dx) / radius
    inside = _outline(scene.shape, u, v)
    mark = _marks(scene.texture, u * radius + phase[0], v * radius + phase[1])
    colour = np.array(GREY if scene.colour < 0 else RGB[COLOURS[scene.colour]], dtype=np.float64) + tint
    paint = colour * (1 - MARK * mark[..., None])
    picture = ground + slope[0] * (y - 16)[..., None] + slope[1] * (x - 16)[..., None]
    picture = picture * (1 - inside[..., None]) + paint * inside[..., None] + noise
    return np.asarray(np.clip(picture, 0, 255), dtype=np.uint8)


def concept_labels(drawn: list[Scene]) -> NDArray[np.float64]:
    """`[scene, concept]`: 1 where the scene shows the concept, in the order of `CONCEPTS`."""
    shown = np.zeros((len(drawn), len(CONCEPTS)))
    starts = (0, len(SHAPES), len(SHAPES) + len(TEXTURES))
    for row, scene in enumerate(drawn):
        for start, value in zip(starts, (scene.shape, scene.texture, scene.colour), strict=True):
            if value >= 0:
                shown[row, start + value] = 1.0
    return shown


def _outline(shape: int, u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
    """0..1: how much of each pixel belongs to the object, in the object's own coordinates."""
    if shape < 0:
        return np.asarray(0.5 * np.exp(-(u**2 + v**2)))
    name = SHAPES[shape]
    if name == "disc":
        within = u**2 + v**2 < 1
    elif name == "square":
        within = np.maximum(abs(u), abs(v)) < 0.88
    elif name == "triangle":
        within = (v < 0.8) & (abs(u) < (v + 1.1) / 1.9)
    else:
        within = np.minimum(abs(u), abs(v)) < 0.34
        within &= np.maximum(abs(u), abs(v)) < 1
    return within.astype(np.float64)


def _marks(texture: int, across: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where the object's texture darkens it, in pixels of the object's own axes."""
    name = "plain" if texture < 0 else TEXTURES[texture]
    if name == "striped":
        return np.asarray((np.mod(down, 4) < 2), dtype=np.float64)
    if name == "dotted":
        return np.asarray((np.mod(across, 4) < 2) & (np.mod(down, 4) < 2), dtype=np.float64)
    return np.zeros_like(across)
