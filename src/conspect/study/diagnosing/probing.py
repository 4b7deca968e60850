"""What of a picture a model's own preparation keeps, found by changing pictures and preparing them again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.preparation import Preparation
from conspect.study.diagnosing.feeding import Feedable, Picture, channel_axis, prepared_by

# Pictures that are changed, by how much, and how long the fine pattern is, in pixels of the input.
PICTURES, STEP, PERIOD = 8, 40.0, 3.0
# Where the answer to a change is less than this part of the greatest, nothing has arrived.
ARRIVED = 0.25
# Smaller pictures carry no pattern to look for.
LEAST_SIDE = 16


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

    each = np.maximum(answer([np.full(picture.shape, STEP) for picture in plain]).mean((1, 2)), 1e-12)
    if each.min() <= 1e-9:
        return None
    colours = np.stack([answer([_one_colour(picture, k) for picture in plain]).mean((1, 2)) / each for k in range(3)])
    coarse = answer([_waves(picture, min(picture.shape[:2]) / 2, STEP) for picture in plain]) / each[:, None, None]
    fine = (
        answer([_waves(picture, _fine(picture, min(height, width)), STEP) for picture in plain]) / each[:, None, None]
    )
    middle = answer([_middle(picture) for picture in plain]).mean(0)
    share = float((middle > ARRIVED * middle.max()).mean())
    return Preparation(
        colour=float((colours.max(1) - colours.min(1)).mean()),
        detail=float(fine.mean() / max(coarse.mean(), 1e-12)),
        enlarged=float(np.sqrt(share / 0.25)),
    )


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


def _middle(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """A brighter square of half the side."""
    step, (height, width) = np.zeros_like(picture), picture.shape[:2]
    step[height // 4 : height - height // 4, width // 4 : width - width // 4] = STEP
    return step
