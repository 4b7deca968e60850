"""Ordinary changes of a picture: what a camera or a file does to it without changing what it shows.

A change is named as study.toml writes it ("shift 1", "brightness 10%"); each gives one picture or several, so that no
direction is preferred. Lengths are pixels of the picture as it is stored.
"""

from __future__ import annotations

import importlib
import inspect
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from conspect.adapters.datasets.drawn.patterns import generator_for
from conspect.adapters.datasets.views.derived import DerivedImages
from conspect.core.diagnostics import UserError, user_error
from conspect.core.digests import digest_bytes, digest_json

FORMAT = 1
Pixels: TypeAlias = NDArray[np.uint8]  # [y, x, 3]
Change: TypeAlias = Callable[[Pixels, np.random.Generator], Pixels]
_NAMED = re.compile(r"([a-z]+)(?: +([0-9]+(?:\.[0-9]+)?)(%?))?")
_OWN = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, eq=False)
class ChangedPicture:
    """One way to change a picture. `kind`: what study.toml calls it ("shift"); `words`: what was done, "10 % brighter"."""

    kind: str
    words: str
    change: Change


@dataclass(frozen=True, slots=True)
class _Kind:
    """A named change: the range and the unit of its amount, and the pictures that it gives. `unit` None: no amount."""

    unit: str | None
    low: float
    high: float
    pictures: Callable[[float], list[tuple[str, Change]]]

    @property
    def example(self) -> str:
        """The range in words."""
        return f"from {self.low:g}{self.unit} to {self.high:g}{self.unit}"


def pictures_of(name: str) -> list[ChangedPicture]:
    """The pictures that a change gives. Raises UserError STUDY002 for a name that is no change, STUDY008 for a function
    that cannot be imported.

    `name`: "mirror", "shift 1", "crop 90%", "rotation 5", "brightness 10%", "contrast 10%", "blur 0.5", "noise 1%",
    "jpeg 80", or "module:function" of the user's own: the function takes and gives `[y, x, 3]` uint8.
    """
    if _OWN.fullmatch(name):
        return [ChangedPicture(name, f"changed by {name}", _own(name))]
    match = _NAMED.fullmatch(name)
    kind = KINDS.get(match[1]) if match else None
    if match is None or kind is None:
        known = ", ".join(KINDS)
        raise user_error(
            "STUDY002", f"[neighbourhoods] changes: {name!r} is no change", f"known: {known}, or module:function"
        )
    if (match[2] is None) != (kind.unit is None) or (kind.unit is not None and match[3] != ("%" * (kind.unit == "%"))):
        fix = (
            f'write "{match[1]}"'
            if kind.unit is None
            else f'write "{match[1]} {kind.low:g}{kind.unit}", {kind.example}'
        )
        raise user_error("STUDY002", f"[neighbourhoods] changes: {name!r} has an amount it does not take, or none", fix)
    amount = float(match[2] or 0)
    if not kind.low <= amount <= kind.high:
        raise user_error("STUDY002", f"[neighbourhoods] changes: {name!r} is out of range", f"write one {kind.example}")
    return [ChangedPicture(match[1], words, change) for words, change in kind.pictures(amount)]


def changes_misfits(names: Sequence[str]) -> list[UserError]:
    """What is wrong with a list of changes; the user's own functions are not imported for this. UserErrors STUDY002."""
    problems: list[UserError] = []
    for name in names:
        try:
            if not _OWN.fullmatch(name):
                pictures_of(name)
        except UserError as error:
            problems.append(error)
    if not names:
        problems.append(user_error("STUDY002", "[neighbourhoods] changes is empty", 'name one, such as "mirror"'))
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems.append(user_error("STUDY002", f"[neighbourhoods] changes names {name!r} twice", "keep one of the two"))
    return problems


def all_pictures(names: Sequence[str]) -> list[ChangedPicture]:
    """The pictures of several changes, in order. Raises UserErrors STUDY002, STUDY008."""
    problems = changes_misfits(names)
    if problems:
        raise UserError(*(problem.diagnostics[0] for problem in problems))
    return [picture for name in names for picture in pictures_of(name)]


@dataclass(frozen=True, eq=False)
class ChangedImages(DerivedImages):
    """Every image of `whole` in every changed picture, image after image; fulfils `ImageDataset`.

    What is random depends on `seed`, the change and the image's id.
    """

    names: tuple[str, ...]
    seed: int = 0

    @cached_property
    def pictures(self) -> list[ChangedPicture]:
        """The changed pictures of each image, in order."""
        return all_pictures(self.names)

    @property
    def name(self) -> str:
        """The whole data set's name and the changes."""
        return f"{self.whole.name} under {', '.join(self.names)}"

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The original's id and what was done, such as "test/00012, 10% brighter"."""
        return tuple(f"{image_id}, {picture.words}" for image_id in self.whole.ids for picture in self.pictures)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """The original's label."""
        return np.repeat(self.whole.labels, len(self.pictures))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the whole's digest, the changes, the source of the user's own, and the seed."""
        return digest_json([FORMAT, self.whole.digest, changes_digest(self.names), self.seed])

    def image(self, index: int) -> Pixels:
        """Changed image `[height, width, 3]` uint8, RGB. Raises UnreadableImage, STUDY008 for what a function gives."""
        row, which = divmod(index, len(self.pictures))
        picture = self.pictures[which]
        random = generator_for(self.seed, picture.kind, picture.words, self.whole.ids[row])
        return picture.change(self.whole.image(row), random)


def changes_digest(names: Sequence[str]) -> str:
    """SHA-256 over the names of changes, and over the source of the modules that the user's own lie in."""
    sources = [_source(name) if _OWN.fullmatch(name) else "" for name in names]
    return digest_json([FORMAT, list(names), sources])


def _mirror(_: float) -> list[tuple[str, Change]]:
    return [("mirrored", lambda image, random: np.ascontiguousarray(image[:, ::-1]))]


def _shift(pixels: float) -> list[tuple[str, Change]]:
    """Moved by whole pixels; what comes in at the border repeats it."""
    steps = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}
    count = int(pixels)

    def by(down: int, right: int) -> Change:
        def change(image: Pixels, _: np.random.Generator) -> Pixels:
            rows = np.clip(np.arange(image.shape[0]) - down * count, 0, image.shape[0] - 1)
            columns = np.clip(np.arange(image.shape[1]) - right * count, 0, image.shape[1] - 1)
            return np.ascontiguousarray(image[np.ix_(rows, columns)])

        return change

    plural = "" if count == 1 else "s"
    return [(f"shifted {where} by {count} pixel{plural}", by(*step)) for where, step in steps.items()]


def _crop(percent: float) -> list[tuple[str, Change]]:
    def change(image: Pixels, _: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        trim = (1 - percent / 100) / 2
        box = (width * trim, height * trim, width * (1 - trim), height * (1 - trim))
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR, box=box))

    return [(f"cropped to its middle {percent:g}%", change)]


def _rotation(degrees: float) -> list[tuple[str, Change]]:
    def by(angle: float) -> Change:
        def change(image: Pixels, _: np.random.Generator) -> Pixels:
            height, width = image.shape[:2]
            side = max(height, width)  # a repeated border, wide enough that no corner is empty
            padded = Image.fromarray(np.pad(image, ((side, side), (side, side), (0, 0)), mode="edge"))
            turned = padded.rotate(angle, Image.Resampling.BILINEAR)
            return np.asarray(turned.crop((side, side, side + width, side + height)))

        return change

    return [(f"turned left by {degrees:g}°", by(degrees)), (f"turned right by {degrees:g}°", by(-degrees))]


def _brightness(percent: float) -> list[tuple[str, Change]]:
    def by(factor: float) -> Change:
        return lambda image, _: _pixels(np.asarray(image * factor, dtype=np.float64))

    return [(f"{percent:g}% brighter", by(1 + percent / 100)), (f"{percent:g}% darker", by(1 - percent / 100))]


def _contrast(percent: float) -> list[tuple[str, Change]]:
    def by(factor: float) -> Change:
        def change(image: Pixels, _: np.random.Generator) -> Pixels:
            mean = float(image.mean())
            return _pixels(np.asarray((image - mean) * factor + mean, dtype=np.float64))

        return change

    more, less = by(1 + percent / 100), by(1 - percent / 100)
    return [(f"with {percent:g}% more contrast", more), (f"with {percent:g}% less contrast", less)]


def _blur(deviation: float) -> list[tuple[str, Change]]:
    def change(image: Pixels, _: np.random.Generator) -> Pixels:
        return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(deviation)))

    return [(f"blurred by {deviation:g} pixels", change)]


def _noise(percent: float) -> list[tuple[str, Change]]:
    def change(image: Pixels, random: np.random.Generator) -> Pixels:
        return _pixels(np.asarray(image + random.normal(0.0, 2.55 * percent, image.shape), dtype=np.float64))

    return [(f"with {percent:g}% noise", change)]


def _jpeg(quality: float) -> list[tuple[str, Change]]:
    def change(image: Pixels, _: np.random.Generator) -> Pixels:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=int(quality))
        with Image.open(file, formats=["JPEG"]) as stored:
            return np.asarray(stored.convert("RGB"))

    return [(f"stored as JPEG of quality {int(quality)}", change)]


KINDS: dict[str, _Kind] = {
    "mirror": _Kind(None, 0, 0, _mirror),
    "shift": _Kind("", 1, 1000, _shift),
    "crop": _Kind("%", 50, 99.9, _crop),
    "rotation": _Kind("", 0.1, 45, _rotation),
    "brightness": _Kind("%", 1, 90, _brightness),
    "contrast": _Kind("%", 1, 90, _contrast),
    "blur": _Kind("", 0.1, 50, _blur),
    "noise": _Kind("%", 0.1, 50, _noise),
    "jpeg": _Kind("", 1, 100, _jpeg),
}


def _pixels(values: NDArray[np.float64]) -> Pixels:
    return np.asarray(np.rint(np.clip(values, 0, 255)), dtype=np.uint8)


def _own(name: str) -> Change:
    module, _, function = name.partition(":")
    fix = "name an importable function (PYTHONPATH) that takes and gives an image [y, x, 3] uint8"
    try:
        own = getattr(importlib.import_module(module), function)
    except Exception as error:
        raise user_error("STUDY008", f"{name} cannot be imported: {type(error).__name__}: {error}", fix) from error

    def change(image: Pixels, _: np.random.Generator) -> Pixels:
        try:
            changed = own(image.copy())
        except Exception as error:
            raise user_error("STUDY008", f"{name} failed: {type(error).__name__}: {error}", fix) from error
        if not (isinstance(changed, np.ndarray) and changed.dtype == np.uint8 and changed.shape[2:] == (3,)):
            raise user_error("STUDY008", f"{name} gives no image [y, x, 3] uint8", fix)
        return changed

    return change


def _source(name: str) -> str:
    module = importlib.import_module(name.partition(":")[0])
    try:
        return digest_bytes(inspect.getsource(module).encode())
    except (OSError, TypeError):
        return ""
