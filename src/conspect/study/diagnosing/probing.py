"""What of a picture a model's own preparation keeps, found by changing pictures and preparing them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from conspect.analysis.diagnosis.preparation import Preparation
from conspect.core.spaces import Float64
from conspect.study.diagnosing.feeding import Feedable, Picture, channel_axis, prepared_by
from conspect.study.diagnosing.placing import placement_of

# Pictures that are changed, by how much, and how long the fine pattern is, in pixels of the input.
PICTURES, STEP, PERIOD = 8, 40.0, 3.0
# Less of an answer to brightness than the first part of that to a colour is none; a channel is held to answer the second.
ANSWERED, LEAST_ANSWER = 0.1, 1e-3
# Smaller pictures carry no pattern to look for.
LEAST_SIDE = 16
# Levels of grey that are prepared, pictures of noise, and how strong the noise is on which grey.
LEVELS, NOISES, NOISE, GREY = np.linspace(0, 255, 18).round().astype(np.uint8), 3, 64, 128


def preparation_of(model: Feedable, pictures: Sequence[Picture]) -> Preparation | None:
    """Of the first `PICTURES`; None for tiny pictures, and where what is prepared has no three channels or does not answer to
    brightness.
    """
    # Squares, so that a crop along a longer side is not taken for one of the border; paler, so that nothing saturates.
    plain = [_pale(_square(picture)) for picture in pictures[:PICTURES]]
    if not plain or min(picture.shape[0] for picture in plain) < LEAST_SIDE:
        return None
    prepared = prepared_by(model, [_picture(picture) for picture in plain])
    axis = channel_axis(prepared)
    if axis is None:
        return None
    height, width = (prepared.shape[k] for k in range(1, 4) if k != axis)

    def answer(change: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Mean absolute change of what is prepared, `[channel, y, x]`."""
        changed = prepared_by(model, [_picture(picture + step) for picture, step in zip(plain, change, strict=True)])
        return np.asarray(np.moveaxis(np.abs(changed - prepared), axis, 1).mean(0), dtype=np.float64)

    each = answer([np.full(picture.shape, STEP) for picture in plain]).mean((1, 2))
    if each.max() <= 1e-9:
        return None
    by_colour = np.stack([answer([_one_colour(picture, k) for picture in plain]).mean((1, 2)) for k in range(3)])
    # Where each picture is scaled by itself, brightness moves next to nothing, and one colour moves the others.
    by_itself = each.max() < ANSWERED * by_colour.max()
    colours = np.eye(3) if by_itself else by_colour / np.maximum(each, LEAST_ANSWER * each.max())
    each = np.full(3, by_colour.max()) if by_itself else np.maximum(each, LEAST_ANSWER * each.max())
    coarse = answer([_waves(picture, min(picture.shape[:2]) / 2, STEP) for picture in plain]) / each[:, None, None]
    fine = (
        answer([_waves(picture, _fine(picture, min(height, width)), STEP) for picture in plain]) / each[:, None, None]
    )
    side = plain[0].shape[0]

    def prepared_as(pixels: Picture) -> Float64:
        return np.asarray(np.moveaxis(prepared_by(model, [pixels]), axis, 1)[0], dtype=np.float64)

    again = prepared_by(model, [_picture(picture) for picture in plain])
    placement = placement_of(prepared_as, side)
    enlarged = 1.0 if placement is None else placement.enlarged
    strongest = np.sort(colours, axis=0)
    bent, inverted = _levels(prepared_as, side)
    return Preparation(
        colour=float((colours.max(1) - colours.min(1)).mean()),
        detail=float(fine.mean() / max(coarse.mean(), 1e-12)),
        sharp=_sharpness(prepared_as, side, (height, width)) * max(enlarged, 1.0),
        balance=float(each.min() / each.max()),
        mixed=float((strongest[1] / np.maximum(strongest[2], 1e-12)).max()),
        bent=bent,
        inverted=inverted,
        varied=float(np.abs(again - prepared).max() / max(float(prepared.std()), 1e-12)),
        placement=placement,
    )


def _levels(prepare: Callable[[Picture], Float64], side: int) -> tuple[float, bool]:
    """How far levels of grey are prepared from a straight line, at most, as part of all that they span, and whether it falls; 0
    where none differ."""
    levels = np.array([prepare(np.full((side, side, 3), level, dtype=np.uint8)).mean((1, 2)) for level in LEVELS])
    span = np.ptp(levels, axis=0)
    if not np.isfinite(levels).all() or span.min() <= 1e-9:
        return 0.0, False
    given = np.vander(LEVELS / 255.0, 2)
    line = np.linalg.lstsq(given, levels, rcond=None)[0]
    return float((np.abs(levels - given @ line) / span).max()), bool((line[0] < 0).all())


def _sharpness(prepare: Callable[[Picture], Float64], side: int, size: tuple[int, int]) -> float:
    """How much neighbouring pixels of prepared noise differ, against the same noise resized plainly."""
    rng, cell = np.random.default_rng(0), max(1, round(side / min(size)))
    ratios = []
    for _ in range(NOISES):
        cells = rng.integers(GREY - NOISE, GREY + NOISE, (-(-side // cell), -(-side // cell)), dtype=np.uint8)
        grey = np.repeat(np.repeat(cells, cell, 0), cell, 1)[:side, :side]
        resized = np.asarray(Image.fromarray(grey).resize(size[::-1], Image.Resampling.BILINEAR), dtype=np.float64)
        ratios.append(_roughness(prepare(np.repeat(grey[..., None], 3, 2)).mean(0)) / max(_roughness(resized), 1e-12))
    return float(np.mean(ratios))


def _roughness(values: Float64) -> float:
    """Root mean square of the differences of neighbours, over the deviation."""
    power = np.square(np.diff(values, axis=0)).mean() + np.square(np.diff(values, axis=1)).mean()
    return float(np.sqrt(power) / max(float(values.std()), 1e-12))


def _square(picture: Picture) -> Picture:
    side = min(picture.shape[:2])
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    return picture[top : top + side, left : left + side]


def _pale(picture: Picture) -> NDArray[np.float64]:
    return 64 + picture.astype(np.float64) / 2


def _picture(values: NDArray[np.float64]) -> Picture:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _one_colour(picture: NDArray[np.float64], channel: int) -> NDArray[np.float64]:
    step = np.zeros_like(picture)
    step[..., channel] = STEP
    return step


def _fine(picture: NDArray[np.float64], side: int) -> float:
    """Length of the fine pattern in the picture's own pixels; a picture smaller than the input cannot carry a finer one."""
    return PERIOD * max(float(min(picture.shape[:2])) / side, 1.0)


def _waves(picture: NDArray[np.float64], period: float, step: float) -> NDArray[np.float64]:
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
    waves = np.sin(2 * np.pi * x / period) + np.sin(2 * np.pi * y / period)
    return np.asarray(step / 2 * np.repeat(waves[..., None], 3, axis=2), dtype=np.float64)
