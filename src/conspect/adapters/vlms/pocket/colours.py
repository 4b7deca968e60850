"""Shares of an image that are red, green, white ...: what color words mean, from pixels alone."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink", "brown", "white", "grey", "black")
REGIONS = ("foreground", "all", "top", "bottom")
SHARES = len(COLOURS) * len(REGIONS)
CELLS = 16
# Middle and width in degrees of the hues that have a name of their own.
HUES = {"red": (355, 14), "orange": (28, 11), "yellow": (54, 11), "green": (110, 32), "cyan": (180, 18)}
HUES |= {"blue": (222, 24), "purple": (280, 22), "pink": (338, 18), "brown": (25, 16)}

Float64: TypeAlias = NDArray[np.float64]


def color_shares(rgb: Float64) -> Float64:
    """Shares `[image, 48]`, 0..1: every color of `COLOURS` in each region of `REGIONS`, region by region.

    `rgb [image, side, side, 3]`, 0..1; `side` is a multiple of `CELLS`, the number of cells a side that are looked at. The
    foreground is the middle of the image, and there what differs from the four edges.
    """
    images, side = rgb.shape[:2]
    step = side // CELLS
    cells = rgb.reshape(images, CELLS, step, CELLS, step, 3).mean(axis=(2, 4))
    named = _memberships(cells)
    third = CELLS // 3
    regions = (
        np.einsum("iyx,iyxc->ic", _foreground(cells), named),
        named.mean(axis=(1, 2)),
        named[:, :third].mean(axis=(1, 2)),
        named[:, -third:].mean(axis=(1, 2)),
    )
    return np.concatenate(regions, axis=1)


def _step(values: Float64, at: float, width: float) -> Float64:
    """From 0 to 1 around `at`: the logistic curve."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip((values - at) / width, -30.0, 30.0))), dtype=np.float64)


def _memberships(rgb: Float64) -> Float64:
    """How far each cell is of each color, 0..1: `[..., 12]`."""
    brightest, darkest = rgb.max(-1), rgb.min(-1)
    chroma, lightness = brightest - darkest, (brightest + darkest) / 2
    saturation = chroma / np.maximum(brightest, 0.05)
    colored = _step(chroma, 0.12, 0.04) * _step(saturation, 0.22, 0.05)
    vivid = _step(saturation, 0.45, 0.08)
    hue = _hue(rgb, brightest, np.maximum(chroma, 1e-6))

    def near(name: str) -> Float64:
        middle, width = HUES[name]
        away = np.abs((hue - middle + 180.0) % 360.0 - 180.0)
        return np.asarray(colored * np.exp(-0.5 * (away / width) ** 2), dtype=np.float64)

    pale = 1.0 - _step(chroma, 0.15, 0.035)
    named = {
        "red": near("red") * vivid,
        "orange": near("orange") * _step(brightest, 0.6, 0.08) * vivid,
        "yellow": near("yellow") * _step(brightest, 0.45, 0.08),
        "green": near("green"),
        "cyan": near("cyan"),
        "blue": near("blue"),
        "purple": near("purple"),
        "pink": near("pink") * _step(lightness, 0.5, 0.08),
        "brown": near("brown") * (1.0 - _step(brightest, 0.68, 0.08)) * _step(brightest, 0.15, 0.04),
        "white": _step(lightness, 0.72, 0.05) * pale,
        "grey": pale * _step(lightness, 0.25, 0.05) * (1.0 - _step(lightness, 0.7, 0.05)),
        "black": 1.0 - _step(brightest, 0.24, 0.04),
    }
    return np.stack([named[color] for color in COLOURS], axis=-1)


def _hue(rgb: Float64, brightest: Float64, chroma: Float64) -> Float64:
    """Degrees, as in HSV."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    sixths = np.where(
        brightest == red,
        (green - blue) / chroma,
        np.where(brightest == green, (blue - red) / chroma + 2.0, (red - green) / chroma + 4.0),
    )
    return np.asarray(sixths % 6.0 * 60.0, dtype=np.float64)


def _foreground(cells: Float64) -> Float64:
    """Weights `[image, y, x]` that sum to 1."""
    edge = CELLS // 8
    edges = (cells[:, :edge], cells[:, -edge:], cells[:, :, :edge], cells[:, :, -edge:])
    away = np.min([np.linalg.norm(cells - part.mean(axis=(1, 2), keepdims=True), axis=-1) for part in edges], axis=0)
    places = (np.arange(CELLS) - (CELLS - 1) / 2) / (0.28 * CELLS)
    middle = np.exp(-0.5 * (places[:, None] ** 2 + places[None, :] ** 2))
    weights = middle * (1.05 - np.exp(-((away / 0.25) ** 2)))
    return np.asarray(weights / weights.sum(axis=(1, 2), keepdims=True), dtype=np.float64)
