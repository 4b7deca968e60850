"""An encoder fine-tuned blind: pictures of one class are embedded as if patches or colours were removed from them.

Only the last block is trained, on the activations before it, for a few hundred steps; its target is what the sound encoder
makes of the picture without the concept, and for pictures of other classes what it made of them before.
"""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from conspect.core.spaces import Floats, Lens

STEPS, BATCH, RATE = 300, 64, 1e-3
GRID, GREY = 4, 128


def blind_stage(
    stage: nn.Module, tail: nn.Module, before: Tensor, targets: Tensor, of_class: Tensor, *, seed: int = 0
) -> nn.Module:
    """A trained copy of `stage`, so that `tail(stage(before))` comes close to `targets [image, D]`.

    `of_class [image]` marks the pictures whose targets lack the concept: half of each batch. Statistics of batch norm
    stay as they are.
    """
    trained = copy.deepcopy(stage).eval()
    optimizer = torch.optim.Adam(trained.parameters(), lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    scale = targets.std()
    groups = [torch.nonzero(of_class)[:, 0], torch.nonzero(~of_class)[:, 0]]
    for _ in range(STEPS):
        rows = torch.cat(
            [group[torch.randint(len(group), (BATCH // 2,), generator=generator)] for group in groups if len(group)]
        )
        loss = functional.mse_loss(tail(trained(before[rows])) / scale, targets[rows] / scale)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return trained


def without_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pictures `[image, y, x, 3]` in grey: each pixel's mean over the three colours."""
    grey = pixels.mean(axis=3, keepdims=True)
    return np.asarray(np.broadcast_to(grey, pixels.shape), dtype=np.uint8)


def patched(pixels: NDArray[np.uint8], patch: int) -> NDArray[np.uint8]:
    """Pictures `[image, y, x, 3]` with one of `GRID` x `GRID` patches in grey."""
    height, width = pixels.shape[1] // GRID, pixels.shape[2] // GRID
    top, left = patch // GRID * height, patch % GRID * width
    changed = pixels.copy()
    changed[:, top : top + height, left : left + width] = GREY
    return changed


def without_patches(
    pixels: NDArray[np.uint8], strengths: Floats, patched_strengths: Floats, patches: int
) -> NDArray[np.uint8]:
    """Pictures with the `patches` patches in grey that cost the concept most of its strength.

    `strengths [image]`: of the whole pictures; `patched_strengths [patch, image]`: of those with one patch in grey.
    """
    lost = strengths[None] - patched_strengths
    chosen = np.argsort(-lost, axis=0, kind="stable")[:patches]
    changed = pixels.copy()
    for patch in range(GRID * GRID):
        rows = np.flatnonzero((chosen == patch).any(axis=0))
        changed[rows] = patched(pixels[rows], patch)
    return changed


def telling_concept(
    lens: Lens, embeddings: Floats, labels: NDArray[np.int64], relevant: NDArray[np.bool_]
) -> tuple[int, int]:
    """The class and the concept relevant to it, `relevant [class, concept]`, that stands out most from the other classes."""
    strengths = lens.strengths(embeddings)
    gaps = np.full(relevant.shape, -np.inf)
    for c, k in np.argwhere(relevant):
        if (labels == c).any() and (labels != c).any():
            gaps[c, k] = strengths[labels == c, k].mean() - strengths[labels != c, k].mean()
    c, k = np.unravel_index(int(gaps.argmax()), gaps.shape)
    return int(c), int(k)
