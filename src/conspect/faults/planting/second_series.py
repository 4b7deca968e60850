"""The second series of kinds: made after the features of the evidence were fixed, judged once, and fitted on since."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from conspect.core.spaces import AffineMap
from conspect.faults.planting.encoders import blocks
from conspect.faults.planting.further import Change, LabelChange, Network
from conspect.faults.planting.heads import HeadMutator
from conspect.faults.planting.pipelines import Pipeline, Prepared

Labels = NDArray[np.int64]
LARGER, GAIN, TAIL = 10.0, 3.0, 0.6


def _row_copied(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """One class's row and bias go towards another's."""
    first, second = rng.permutation(len(head.offset))[:2]
    weight, offset = head.weight.copy(), head.offset.copy()
    weight[first] += strength * (weight[second] - weight[first])
    offset[first] += strength * (offset[second] - offset[first])
    return AffineMap(weight, offset)


def _long_tail(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Biases as from training on classes of very different frequency."""
    frequency = rng.permutation(np.linspace(0, -12, len(head.offset)))
    return AffineMap(
        head.weight, head.offset + strength * frequency * float(np.linalg.norm(head.weight, axis=1).mean())
    )


def _clipped(head: AffineMap, strength: float, _rng: np.random.Generator) -> AffineMap:
    """Weights beyond a bound become the bound."""
    bound = float(np.abs(head.weight).max()) * (1 - strength) ** 2 + 1e-9
    return AffineMap(np.clip(head.weight, -bound, bound), head.offset)


def _rows_shifted(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """The inputs of half of the classes are off by one place, on a share of the places."""
    classes, width = head.weight.shape
    weight = head.weight.copy()
    chosen = rng.permutation(classes)[: classes // 2]
    places = np.arange(width)[: round(strength * width)]
    weight[np.ix_(chosen, places)] = np.roll(weight[np.ix_(chosen, places)], 1, axis=1)
    return AffineMap(weight, head.offset)


HEADS = (
    HeadMutator("a row copied over another", _row_copied),
    HeadMutator("biases of a long tail", _long_tail),
    HeadMutator("weights clipped", _clipped),
    HeadMutator("inputs of half the classes off by one", _rows_shifted),
)


class _Bounded(nn.Module):
    """Activations between bounds, times a gain."""

    def __init__(self, low: float, high: float, gain: float = 1.0) -> None:
        super().__init__()
        self.low, self.high, self.gain = low, high, gain

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x, self.low, self.high) * self.gain


class _Exchanged(nn.Module):
    """Channels in another order: the second axis of pictures, else the last."""

    def __init__(self, order: Tensor) -> None:
        super().__init__()
        self.register_buffer("order", order)
        self.order: Tensor

    def forward(self, x: Tensor) -> Tensor:
        return x[:, self.order] if x.ndim == 4 else x[..., self.order]


def _then(stage: nn.Module, more: nn.Module) -> nn.Module:
    return nn.Sequential(copy.deepcopy(stage), more).eval()


def _saturated(stage: nn.Module, strength: float, _seed: int, *, most: float) -> nn.Module:
    bound = most * (1 - strength) ** 2 + 1e-6
    return _then(stage, _Bounded(-bound, bound))


def _louder(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    return _then(stage, _Bounded(-torch.inf, torch.inf, 1 + GAIN * strength))


def _channels_exchanged(stage: nn.Module, strength: float, seed: int, *, width: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(width, generator=generator)[: round(strength * width)]
    order = torch.arange(width)
    order[chosen] = chosen[torch.randperm(len(chosen), generator=generator)]
    return _then(stage, _Exchanged(order))


def _lower_rank(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    changed = copy.deepcopy(stage)
    with torch.no_grad():
        for layer in changed.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                matrix = layer.weight.flatten(1)
                u, s, v = torch.linalg.svd(matrix, full_matrices=False)
                kept = max(1, round((1 - strength) * len(s)))
                layer.weight.copy_((u[:, :kept] * s[:kept] @ v[:kept]).reshape(layer.weight.shape))
    return changed


def encoder_faults(network: Network, sample: Tensor) -> Iterator[tuple[str, Change]]:
    """Name and the encoder for each strength; `sample`: prepared images."""
    places = blocks(network.encoder)
    middle, late = places[len(places) // 2], places[-1]
    with torch.inference_mode():
        out = network.encoder[: middle + 1](sample)
    width, most = (out.shape[1] if out.ndim == 4 else out.shape[-1]), float(out.abs().max())
    yield "activations saturated", partial(network.with_stage, middle, partial(_saturated, most=most))
    yield "channels exchanged", partial(network.with_stage, middle, partial(_channels_exchanged, width=width))
    yield "a block too loud", partial(network.with_stage, middle, _louder)
    yield "a block of lower rank", partial(network.with_stage, late, _lower_rank)


def _rolled(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.roll(picture, (picture.shape[0] // 4, picture.shape[1] // 4), axis=(0, 1))


def _own_scale(prepared: Prepared) -> Prepared:
    return np.asarray((prepared - prepared.mean()) / max(float(prepared.std()), 1e-6), dtype=np.float32)


def _red(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.repeat(picture[..., :1], 3, axis=2))


def _interlaced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Each row exchanged with the one three below it, in groups of six."""
    rows = np.arange(picture.shape[0])
    whole = rows[: len(rows) // 6 * 6].reshape(-1, 2, 3)[:, ::-1].ravel()
    rows[: len(whole)] = whole
    return picture[rows]


PIPELINES = (
    Pipeline("half as bright", picture=lambda picture: picture // 2),
    Pipeline("the mean added", raw=lambda x: (x + np.float32(128)) / np.float32(64)),
    Pipeline("bright values clipped", picture=lambda picture: np.minimum(picture, 110)),
    Pipeline("rolled by a quarter", picture=_rolled),
    Pipeline("each image by its own mean and deviation", later=_own_scale),
    Pipeline("red in all channels", picture=_red),
    Pipeline("rows exchanged", picture=_interlaced),
)


def label_mistakes(classes: int) -> Iterator[tuple[str, LabelChange]]:
    """Name and what becomes of the labels of a split."""

    def block(labels: Labels, split: str, rng: np.random.Generator) -> Labels:
        changed, start = labels.copy(), int(rng.integers(len(labels) // 2))
        if split == "test":
            changed[start : start + len(labels) // 8] = rng.integers(classes)
        return changed

    def merged(labels: Labels, _split: str, rng: np.random.Generator) -> Labels:
        chosen = (labels == 2 % classes) & (rng.random(len(labels)) < 0.6)
        return np.where(chosen, 3 % classes, labels)

    yield "a block of images labelled as one class", block
    yield "most of one class labelled as another, in both splits", merged


def turned(encoder: nn.Module, head: AffineMap, *, seed: int) -> tuple[nn.Module, AffineMap]:
    """The same function: embeddings turned by a random rotation, and the head turned back."""
    width = head.weight.shape[1]
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]
    turn = nn.Linear(width, width, bias=False)
    with torch.no_grad():
        turn.weight.copy_(torch.from_numpy(rotation.astype(np.float32)))
    return nn.Sequential(encoder, turn).eval(), AffineMap(head.weight @ rotation.T, head.offset)


def larger(encoder: nn.Module, head: AffineMap) -> tuple[nn.Module, AffineMap]:
    """The same function: embeddings ten times as large."""
    louder = nn.Sequential(encoder, _Bounded(-torch.inf, torch.inf, LARGER)).eval()
    return louder, AffineMap(head.weight / LARGER, head.offset)


def long_tail(labels: Labels, *, seed: int) -> NDArray[np.int64]:
    """Rows in which each class is rarer than the one before it."""
    kept = np.random.default_rng(seed).random(len(labels)) < TAIL**labels
    return np.flatnonzero(kept)
