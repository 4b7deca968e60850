"""The third series of kinds: made after the first two had been looked at, and judged once, by weights that saw none of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from conspect.core.spaces import AffineMap, Floats
from conspect.faults.planting.encoders import blocks
from conspect.faults.planting.further import Change, LabelChange, Network
from conspect.faults.planting.heads import HeadMutator
from conspect.faults.planting.pipelines import Picture, Pipeline
from conspect.statistics.logistic import fit_logistic

Labels = NDArray[np.int64]
# Deviation of the logarithm of a column's factor, of biases in lengths of a row, and images that an overfitted head has at least.
COLUMNS, BIASES, FEWEST = 3.0, 4.0, 12
UNUSED, NOISE, LEVELS = 0.2, 3.0, 64


def _columns_scaled(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Each input counts by a factor of its own, as when its standardisation was forgotten."""
    factor = np.exp(strength * COLUMNS * rng.standard_normal(head.weight.shape[1]))
    return AffineMap(head.weight * factor, head.offset)


def _largest_lost(head: AffineMap, strength: float, _rng: np.random.Generator) -> AffineMap:
    """The largest weights, up to half of them, become a hundredth."""
    most = np.quantile(np.abs(head.weight), 1 - strength / 2)
    return AffineMap(np.where(np.abs(head.weight) > most, head.weight / 100, head.weight), head.offset)


def _wrapped(head: AffineMap, strength: float, _rng: np.random.Generator) -> AffineMap:
    """Weights beyond a bound come out on the other side, as integers that overflow do."""
    bound = float(np.abs(head.weight).max()) * (1 - 0.9 * strength) + 1e-12
    return AffineMap((head.weight + bound) % (2 * bound) - bound, head.offset)


def _all_biases(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Every bias is another one."""
    length = float(np.linalg.norm(head.weight, axis=1).mean())
    return AffineMap(head.weight, head.offset + strength * BIASES * length * rng.standard_normal(len(head.offset)))


def _of_few_images(embeddings: Floats, labels: Labels) -> HeadMutator:
    """A head trained without care on ever fewer images."""

    def mutate(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
        number = round(len(labels) * (FEWEST / len(labels)) ** strength)
        rows = rng.permutation(len(labels))[: max(number, FEWEST)]
        fitted = fit_logistic(embeddings[rows], labels[rows], len(head.offset), penalty=1e-4, iterations=60)
        return AffineMap(np.ascontiguousarray(fitted.weight.T), fitted.bias)

    return HeadMutator("trained on few images", mutate)


def heads(embeddings: Floats, labels: Labels) -> tuple[HeadMutator, ...]:
    """Faults of the head; one is trained on `embeddings [image, D]` with `labels [image]`."""
    return (
        HeadMutator("inputs scaled apart", _columns_scaled),
        HeadMutator("largest weights lost", _largest_lost),
        HeadMutator("weights wrapped around", _wrapped),
        HeadMutator("all biases noised", _all_biases),
        _of_few_images(embeddings, labels),
    )


class _After(nn.Module):
    """A stage, and a function of what it gives."""

    def __init__(self, stage: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stage, self.change = copy.deepcopy(stage), change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self.stage(x))


def _rounded_activations(stage: nn.Module, strength: float, _seed: int, *, most: float) -> nn.Module:
    """What a block gives in steps, up to half of the largest value."""
    step = most * 0.5 * strength**2 + most / LEVELS**2
    return _After(stage, lambda x: torch.round(x / step) * step).eval()


def _noisy_activations(stage: nn.Module, strength: float, seed: int, *, deviation: float) -> nn.Module:
    """Noise on what a block gives, the same for the same batch of images."""

    def noised(x: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return x + strength * NOISE * deviation * torch.randn(x.shape, generator=generator)

    return _After(stage, noised).eval()


def _dropping(stage: nn.Module, strength: float, seed: int) -> nn.Module:
    """Dropout that was left on: another share of the channels of each image is zero, the others are larger."""

    def dropped(x: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        shape = x.shape[:2] + (1,) * (x.ndim - 2) if x.ndim != 3 else (x.shape[0], 1, x.shape[2])
        kept = (torch.rand(shape, generator=generator) >= 0.95 * strength).float()
        return x * kept / (1 - 0.95 * strength)

    return _After(stage, dropped).eval()


def _filters_merged(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    """Each filter goes towards its mean with the next one."""
    changed = copy.deepcopy(stage)
    with torch.no_grad():
        for layer in changed.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight.lerp_((layer.weight + layer.weight.roll(1, 0)) / 2, strength)
    return changed


def _scales_forgotten(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    """Factors and offsets of norms, and biases of other layers, go towards what they were before training."""
    changed = copy.deepcopy(stage)
    with torch.no_grad():
        for layer in changed.modules():
            if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm):
                layer.weight.lerp_(torch.ones_like(layer.weight), strength)
                layer.bias.mul_(1 - strength)
            elif isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
                layer.bias.mul_(1 - strength)
    return changed


def encoder_faults(network: Network, sample: Tensor) -> Iterator[tuple[str, Change]]:
    """Name and the encoder for each strength; `sample`: prepared images."""
    places = blocks(network.encoder)
    middle, late, last = places[len(places) // 2], places[max(len(places) - 2, 0)], places[-1]
    with torch.inference_mode():
        out = network.encoder[: middle + 1](sample)
    most, deviation = float(out.abs().max()), float(out.std())
    yield "activations rounded", partial(network.with_stage, middle, partial(_rounded_activations, most=most))
    yield "activations noised", partial(network.with_stage, middle, partial(_noisy_activations, deviation=deviation))
    yield "dropout left on", partial(network.with_stage, last, _dropping)
    yield "filters merged", partial(network.with_stage, late, _filters_merged)
    yield "scales forgotten", partial(network.with_stage, last, _scales_forgotten)


def _pale(picture: Picture) -> Picture:
    return (96 + picture.astype(np.int64) // 4).astype(np.uint8)


def _blue_weak(picture: Picture) -> Picture:
    weak = picture.copy()
    weak[..., 2] //= 4
    return weak


def _pixelated(picture: Picture) -> Picture:
    """Squares of 4 x 4 pixels in one colour."""
    return np.repeat(np.repeat(picture[2::4, 2::4], 4, axis=0), 4, axis=1)[: picture.shape[0], : picture.shape[1]]


def _letterboxed(picture: Picture) -> Picture:
    """Half as high, between grey bars."""
    low, boxed = picture[::2], np.full_like(picture, 128)
    boxed[picture.shape[0] // 4 :][: len(low)] = low
    return boxed


def _corner(picture: Picture) -> Picture:
    """The upper left quarter alone."""
    height, width = picture.shape[:2]
    return np.repeat(np.repeat(picture[: height // 2, : width // 2], 2, axis=0), 2, axis=1)


PIPELINES = (
    Pipeline("a quarter of the contrast", picture=_pale),
    Pipeline("blue at a quarter", picture=_blue_weak),
    Pipeline("pixelated", picture=_pixelated),
    Pipeline("half as high between bars", picture=_letterboxed),
    Pipeline("a corner alone", picture=_corner),
)


def label_mistakes(classes: int) -> Iterator[tuple[str, LabelChange]]:
    """Name and what becomes of the labels of a split."""

    def rotated(labels: Labels, _split: str, _rng: np.random.Generator) -> Labels:
        order = np.arange(classes)
        order[:3] = np.roll(order[:3], 1)
        return order[labels]

    def a_row_off(labels: Labels, split: str, _rng: np.random.Generator) -> Labels:
        changed, number = labels.copy(), len(labels) // 6
        if split == "test":
            changed[:number] = np.roll(labels[:number], 1)
        return changed

    yield "three classes in a circle", rotated
    yield "a sixth of the test labels one row off", a_row_off


def common_row(head: AffineMap, *, seed: int) -> AffineMap:
    """The same answers: one row and one number added to those of every class."""
    rng = np.random.default_rng(seed)
    more = 2 * head.weight.std() * rng.standard_normal(head.weight.shape[1])
    return AffineMap(head.weight + more, head.offset + 1.0)


def unused_inputs(encoder: nn.Module, head: AffineMap, *, seed: int) -> tuple[nn.Module, AffineMap]:
    """The same answers: further embedding dimensions that mix the others and that the head does not use."""
    width = head.weight.shape[1]
    more = max(1, round(UNUSED * width))
    mix = nn.Linear(width, width + more, bias=False)
    drawn = np.random.default_rng(seed).normal(size=(more, width)) / np.sqrt(width)
    with torch.no_grad():
        mix.weight.copy_(torch.from_numpy(np.concatenate([np.eye(width), drawn]).astype(np.float32)))
    weight = np.concatenate([head.weight, np.zeros((len(head.offset), more))], axis=1)
    return nn.Sequential(encoder, mix).eval(), AffineMap(weight, head.offset)


def probed_head(head: AffineMap, embeddings: Floats, labels: Labels) -> AffineMap:
    """A sound head of another origin: fitted by logistic regression on the training images."""
    fitted = fit_logistic(embeddings, labels, len(head.offset))
    return AffineMap(np.ascontiguousarray(fitted.weight.T), fitted.bias)
