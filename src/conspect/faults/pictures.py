"""Faults of the input: changed pictures, each with a strength from 0 (as it was) to 1. The network stays sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from conspect.core.spaces import AffineMap

Pixels: TypeAlias = NDArray[np.uint8]
# Takes pictures `[image, y, x, 3]` and the strength.
PictureMutation: TypeAlias = Callable[[Pixels, float], Pixels]

NOISE, GREY = 120.0, 128
# Prepared pictures move by this along the sign of the gradient: about 4/255 where pixels are scaled by their deviation.
STEP = 0.06
BATCH = 256


@dataclass(frozen=True)
class PictureMutator:
    """A fault of the pictures, `[image, y, x, 3]` uint8, with its name in the results."""

    name: str
    mutate: PictureMutation


def add_noise(pixels: Pixels, strength: float, *, seed: int = 0) -> Pixels:
    """Gaussian noise of deviation `strength` times `NOISE`, the same pattern at every strength."""
    noise = np.random.default_rng(seed).standard_normal(pixels.shape, dtype=np.float32)
    return np.asarray(np.clip(pixels + strength * NOISE * noise, 0, 255), dtype=np.uint8)


def occlude(pixels: Pixels, strength: float, *, seed: int = 0) -> Pixels:
    """A grey square over a share `strength` of each picture, at a random place."""
    images, height, width = pixels.shape[:3]
    side = round(float(np.sqrt(strength * height * width)))
    places = np.random.default_rng(seed).random((images, 2))
    changed = pixels.copy()
    for row, (down, across) in enumerate(places):
        top, left = round(down * max(height - side, 0)), round(across * max(width - side, 0))
        changed[row, top : top + side, left : left + side] = GREY
    return changed


def attack(
    encoder: nn.Module, head: AffineMap, labels: NDArray[np.int64], prepared: NDArray[np.float32]
) -> Callable[[float, int | None], NDArray[np.float32]]:
    """Takes a strength and how many images are wanted; gives prepared pictures, `[image, ...]`.

    A share `strength` of them, in random order, has taken one step of the gradient's sign (FGSM).
    """
    weight, offset = (torch.from_numpy(part.astype(np.float32)) for part in (head.weight, head.offset))
    signs = []
    for batch, truth in zip(
        torch.split(torch.from_numpy(prepared), BATCH), torch.split(torch.from_numpy(labels), BATCH), strict=True
    ):
        given = batch.clone().requires_grad_(True)
        loss = functional.cross_entropy(encoder(given) @ weight.T + offset, truth, reduction="sum")
        signs.append(torch.autograd.grad(loss, given)[0].sign().numpy())
    moved = prepared + STEP * np.concatenate(signs)
    order = np.random.default_rng(0).permutation(len(prepared))

    def attacked(strength: float, images: int | None) -> NDArray[np.float32]:
        changed = prepared[:images].copy()
        rows = order[order < len(changed)][: round(strength * len(changed))]
        changed[rows] = moved[rows]
        return changed

    return attacked
