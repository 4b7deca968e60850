"""The usual mistakes of image pipelines, undone: each change of the input is fed to the model, and what it embeds is kept."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.analysis.diagnosis.mendings import PLAINLY
from conspect.core.protocols import Progress, unseen

Picture: TypeAlias = NDArray[np.uint8]
Prepared: TypeAlias = NDArray[np.float32]
BATCH = 128
# What prepared pixels may be: their raw value 0..255, less the first, over the second.
RANGES = {
    "values from 0 to 1": ((0.0,) * 3, (255.0,) * 3),
    "values from 0 to 255": ((0.0,) * 3, (1.0,) * 3),
    "values from -1 to 1": ((127.5,) * 3, (127.5,) * 3),
    "ImageNet's means and deviations": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "CLIP's means and deviations": ((122.77, 116.75, 104.09), (68.5, 66.63, 70.32)),
}
OWN = "these images' own means and deviations"
# Name, what to do, factor of the values' distance from their mean, and what is added, in their deviations.
LEVELS = (
    ("half the contrast", "halve the contrast of the values", 0.5, 0.0),
    ("two thirds of the contrast", "lower the contrast of the values to two thirds", 0.67, 0.0),
    ("half as much contrast again", "raise the contrast of the values by a half", 1.5, 0.0),
    ("double the contrast", "double the contrast of the values", 2.0, 0.0),
    ("values lowered", "subtract one deviation from the values (another mean)", 1.0, -1.0),
    ("values lowered by half", "subtract half a deviation from the values (another mean)", 1.0, -0.5),
    ("values raised by half", "add half a deviation to the values (another mean)", 1.0, 0.5),
    ("values raised", "add one deviation to the values (another mean)", 1.0, 1.0),
)


class Feedable(Protocol):
    """What of a vision model is needed here."""

    def prepare(self, image: Picture) -> Prepared:
        """A picture to the network's input, `[3, y, x]` or `[y, x, 3]`."""

    def embed(self, batch: Prepared) -> NDArray[np.float32]:
        """Embeddings `[image, D]`."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of pictures before they are prepared, or of prepared ones (`later`); `fix` says what it means to do."""

    name: str
    fix: str
    picture: Callable[[Picture], Picture] | None = None
    later: Callable[[Prepared], Prepared] | None = None


def _zoomed(factor: float) -> Callable[[Picture], Picture]:
    """More than 1: the middle alone; less: the picture amid its own mirror image."""

    def change(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        if factor > 1:
            down, across = (max(1, round(side / factor)) for side in (height, width))
            top, left = (height - down) // 2, (width - across) // 2
            return picture[top : top + down, left : left + across]
        down, across = (round(side * (1 / factor - 1) / 2) for side in (height, width))
        return np.pad(picture, ((down, down), (across, across), (0, 0)), mode="symmetric")

    return change


def _squared(picture: Picture) -> Picture:
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return picture[top : top + side, left : left + side]


def _squashed(picture: Picture) -> Picture:
    side = min(picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))


def _grey(picture: Picture) -> Picture:
    grey = np.rint(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _compressed(picture: Picture) -> Picture:
    memory = io.BytesIO()
    Image.fromarray(picture).save(memory, "JPEG", quality=50)
    return np.asarray(Image.open(memory, formats=("JPEG",)).convert("RGB"))


def _as_rgb(picture: Picture) -> Picture:
    return np.asarray(Image.frombuffer("YCbCr", picture.shape[1::-1], np.ascontiguousarray(picture)).convert("RGB"))


def _from_hsv(picture: Picture) -> Picture:
    return np.asarray(Image.frombuffer("HSV", picture.shape[1::-1], np.ascontiguousarray(picture)).convert("RGB"))


def _hue_turned(degrees: float) -> Callable[[Picture], Picture]:
    def change(picture: Picture) -> Picture:
        hue = np.array(Image.fromarray(picture).convert("HSV"))
        hue[..., 0] += np.uint8(round(degrees / 360 * 256) % 256)
        return _from_hsv(hue)

    return change


def _gamma(exponent: float) -> Callable[[Picture], Picture]:
    table = np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
    return lambda picture: table[picture]


def _channels(order: tuple[int, int, int]) -> Callable[[Picture], Picture]:
    return lambda picture: np.ascontiguousarray(picture[..., list(order)])


PICTURE_CHANGES = (
    Change("channels in the order BGR", "exchange red and blue (RGB for BGR)", _channels((2, 1, 0))),
    Change("channels in the order GBR", "put the channels in the order RGB (they come as BRG)", _channels((1, 2, 0))),
    Change("channels in the order BRG", "put the channels in the order RGB (they come as GBR)", _channels((2, 0, 1))),
    Change("channels in the order GRB", "exchange red and green", _channels((1, 0, 2))),
    Change("channels in the order RBG", "exchange green and blue", _channels((0, 2, 1))),
    Change("upside down", "turn the images upside down", lambda picture: np.ascontiguousarray(picture[::-1])),
    Change("mirrored", "mirror the images left to right", lambda picture: np.ascontiguousarray(picture[:, ::-1])),
    Change("turned by 180 degrees", "turn the images by 180 degrees", lambda p: np.ascontiguousarray(p[::-1, ::-1])),
    Change("height and width exchanged", "exchange height and width", lambda p: np.ascontiguousarray(p.swapaxes(0, 1))),
    Change(
        "turned to the left", "turn the images by 90 degrees to the left", lambda p: np.ascontiguousarray(np.rot90(p))
    ),
    Change(
        "turned to the right",
        "turn the images by 90 degrees to the right",
        lambda p: np.ascontiguousarray(np.rot90(p, 3)),
    ),
    Change("YCbCr read as RGB", "convert the images from YCbCr to RGB", _as_rgb),
    Change("HSV read as RGB", "convert the images from HSV to RGB", _from_hsv),
    Change("hues turned by 60 degrees", "turn the hues by 60 degrees", _hue_turned(60)),
    Change("hues turned back by 60 degrees", "turn the hues back by 60 degrees", _hue_turned(-60)),
    Change("brighter", "raise the values to the power 1/2.2 (they come in linear light)", _gamma(1 / 2.2)),
    Change("darker", "raise the values to the power 2.2 (they come too bright)", _gamma(2.2)),
    Change("inverted", "invert the values (255 - value)", lambda picture: np.asarray(255 - picture, dtype=np.uint8)),
    Change("in grey", "feed grey images", _grey),
    Change("compressed", "feed JPEG images, as in training", _compressed),
    Change("the middle 80 %", "crop the middle (about 80 % of each side)", _zoomed(1.25)),
    Change("the middle 65 %", "crop the middle (about 65 % of each side)", _zoomed(1.54)),
    Change("more around it, 80 %", "show more of the image: the crop takes too little", _zoomed(0.8)),
    Change("more around it, 65 %", "show more of the image: the crop takes too little", _zoomed(0.65)),
)
OBLONG_CHANGES = (
    Change("cropped to a square", "crop the middle square instead of squashing the image", _squared),
    Change("squashed to a square", "resize the whole image to a square instead of cropping it", _squashed),
)


def changes_of(pictures: Sequence[Picture], prepared: Prepared) -> tuple[Change, ...]:
    """All changes for `pictures`, whose prepared form is `prepared [image, ...]`: what is already so is left out."""
    changes = [*PICTURE_CHANGES]
    if any(picture.shape[0] != picture.shape[1] for picture in pictures):
        changes += OBLONG_CHANGES
    axis = channel_axis(prepared)
    if axis is None:  # nothing that has three channels: only pictures can be changed
        return tuple(changes)
    others = tuple(k for k in range(prepared.ndim) if k != axis)
    mean, deviation = prepared.mean(others, dtype=np.float64), prepared.std(others, dtype=np.float64)
    raw = np.concatenate([picture.reshape(-1, 3) for picture in pictures]).astype(np.float64)
    raw_mean, raw_deviation = raw.mean(0), raw.std(0)
    shape = tuple(-1 if k == axis else 1 for k in range(1, prepared.ndim))
    aims = {**RANGES, OWN: (tuple(raw_mean), tuple(np.maximum(raw_deviation, 1.0)))}
    usable = np.where(deviation > 0, deviation, np.inf)
    for name, (less, over) in aims.items():
        slope = raw_deviation / usable / np.asarray(over)
        offset = (raw_mean - np.asarray(less)) / np.asarray(over) - slope * mean
        if np.allclose(slope, 1, atol=0.05) and np.allclose(offset, 0, atol=0.05):
            continue
        changes.append(Change(name, f"scale the values to {name}", later=_affine(slope, offset, shape)))
    for name, fix, factor, added in LEVELS:
        slope = np.full(3, factor)
        changes.append(Change(name, fix, later=_affine(slope, (1 - slope) * mean + added * deviation, shape)))
    for name, factor in (("values over 255", 1 / 255), ("values times 255", 255.0)):
        changes.append(Change(name, "divide the values by 255 once more" if factor < 1 else
                            "do not divide the values by 255 twice", later=_scaled(factor)))  # fmt: skip
    return tuple(changes)


def _affine(
    slope: NDArray[np.float64], offset: NDArray[np.float64], shape: tuple[int, ...]
) -> Callable[[Prepared], Prepared]:
    a, b = slope.reshape(shape).astype(np.float32), offset.reshape(shape).astype(np.float32)
    return lambda prepared: np.asarray(prepared * a + b, dtype=np.float32)


def _scaled(factor: float) -> Callable[[Prepared], Prepared]:
    return lambda prepared: np.asarray(prepared * np.float32(factor))


def channel_axis(prepared: Prepared) -> int | None:
    """The axis of three channels in a batch of images; None where there is none."""
    if prepared.ndim != 4:
        return None
    return next((axis for axis in (1, 3) if prepared.shape[axis] == 3), None)


def prepared_by(model: Feedable, pictures: Sequence[Picture]) -> Prepared:
    """`[image, ...]` as the network takes them."""
    return np.stack([model.prepare(picture) for picture in pictures])


def embedded(model: Feedable, prepared: Prepared, advance: Progress = unseen) -> NDArray[np.float32]:
    """Embeddings `[image, D]` of prepared images, in batches."""
    parts = []
    for start in range(0, len(prepared), BATCH):
        parts.append(model.embed(prepared[start : start + BATCH]))
        advance(len(parts[-1]))
    return np.concatenate(parts)


def changed_inputs(
    model: Feedable, pictures: Sequence[Picture], *, only: frozenset[str] | None = None
) -> Iterator[tuple[tuple[str, str], Prepared]]:
    """((name, fix), what the network is fed `[image, ...]`) of every change (or those called `only`) that leaves the network's
    input as large as it is."""
    plain = prepared_by(model, pictures)
    for change in changes_of(pictures, plain):
        if only is not None and change.name not in only:
            continue
        if change.picture is not None:
            changed = [model.prepare(change.picture(picture)) for picture in pictures]
            if any(batch.shape != plain.shape[1:] for batch in changed):
                continue
            given = np.stack(changed)
        else:
            assert change.later is not None
            given = change.later(plain)
        yield (change.name, change.fix), given
    plainly = plain_preparation(model, pictures[0], plain) if only is None or PLAINLY in only else None
    if plainly is not None:
        fix = "prepare the images plainly (the whole image, resized, in colour, its levels in a straight line)"
        yield (PLAINLY, fix), np.stack([plainly(picture) for picture in pictures])


def changed_embeddings(
    model: Feedable, pictures: Sequence[Picture], advance: Progress = unseen, *, only: frozenset[str] | None = None
) -> Iterator[tuple[tuple[str, str], NDArray[np.float32]]]:
    """((name, fix), embeddings `[image, D]`) of each of `changed_inputs`."""
    for key, given in changed_inputs(model, pictures, only=only):
        yield key, embedded(model, given, advance)


def plain_preparation(model: Feedable, picture: Picture, prepared: Prepared) -> Callable[[Picture], Prepared] | None:
    """The middle square of a picture, resized, each channel on the straight line between what the model's own preparation makes
    of black and of white; channels in its order, where it only exchanges them. None where black and white are no different.

    `picture`: one as the model is given; `prepared [image, ...]`: pictures as it prepares them.
    """
    axis = channel_axis(prepared)
    if axis is None:
        return None
    height, width = (prepared.shape[k] for k in range(1, 4) if k != axis)

    def level(*colour: int) -> NDArray[np.float64]:
        given = model.prepare(np.full(picture.shape, colour, dtype=np.uint8))
        middle = np.moveaxis(given, axis - 1, 0)[
            :, height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None
        ]
        return np.asarray(middle.mean((1, 2)), dtype=np.float64)

    black, white = level(0, 0, 0), level(255, 255, 255)
    if not np.isfinite(black + white).all() or not np.abs(white - black).min() > 0:
        return None
    grey = level(128, 128, 128)
    answers = np.abs([level(*(192 if k == channel else 128 for k in range(3))) - grey for channel in range(3)])
    order = answers.argmax(0)
    order = order if len(set(order.tolist())) == 3 else np.arange(3)

    def prepare(given: Picture) -> Prepared:
        resized = Image.fromarray(_squared(given)).resize((width, height), Image.Resampling.BILINEAR)
        values = black + (white - black) * np.asarray(resized)[..., order] / 255.0
        return np.ascontiguousarray(np.moveaxis(values, 2, axis - 1), dtype=np.float32)

    return prepare
