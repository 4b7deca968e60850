"""The fifth series of kinds: made when evidence, thresholds and the cases to be fitted on were fixed, and judged once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from conspect.core.spaces import AffineMap
from conspect.faults.planting.encoders import blocks
from conspect.faults.planting.further import Change, LabelChange, Labels, Network
from conspect.faults.planting.heads import HeadMutator
from conspect.faults.planting.pipelines import Picture, Pipeline

# Factor of a weight of which a bit of the exponent is turned, degrees of a tilt, levels of a poster, share of pixels lost.
TURNED_BIT, TILT, POSTER, LOST_PIXELS = 16.0, 25, 4, 0.08
BRIGHTER = np.array([1.5, 1.0, 0.5])


def _towards_mean(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """The rows of two classes go towards the mean row."""
    chosen = rng.permutation(len(head.offset))[:2]
    weight = head.weight.copy()
    weight[chosen] += strength * (head.weight.mean(0) - weight[chosen])
    return AffineMap(weight, head.offset)


def _columns_turned(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """A share of the inputs has the other sign."""
    weight, width = head.weight.copy(), head.weight.shape[1]
    weight[:, rng.permutation(width)[: round(strength * width)]] *= -1
    return AffineMap(weight, head.offset)


def _bits_turned(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """A small share of the weights is many times as large."""
    chosen = rng.random(head.weight.shape) < 0.2 * strength
    return AffineMap(np.where(chosen, TURNED_BIT * head.weight, head.weight), head.offset)


def _deaf(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """A third of the classes does not use a share of the inputs, another for each."""
    weight, width = head.weight.copy(), head.weight.shape[1]
    for row in rng.permutation(len(head.offset))[: max(1, len(head.offset) // 3)]:
        weight[row, rng.permutation(width)[: round(strength * width)]] = 0.0
    return AffineMap(weight, head.offset)


HEADS = (
    HeadMutator("two rows towards the mean", _towards_mean),
    HeadMutator("inputs with the other sign", _columns_turned),
    HeadMutator("bits turned in the head", _bits_turned),
    HeadMutator("a third of the classes deaf", _deaf),
)


def _layers(stage: nn.Module) -> list[Tensor]:
    return [layer.weight for layer in stage.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]


def _bits_of_stage(stage: nn.Module, strength: float, seed: int) -> nn.Module:
    """A few weights are many times as large."""
    changed, generator = copy.deepcopy(stage), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in _layers(changed):
            chosen = torch.rand(weight.shape, generator=generator) < 0.1 * strength
            weight[chosen] *= TURNED_BIT
    return changed


def _decayed(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    """All weights fade."""
    changed = copy.deepcopy(stage)
    with torch.no_grad():
        for weight in _layers(changed):
            weight.mul_(1 - strength)
    return changed


def _filters_dealt(stage: nn.Module, strength: float, seed: int) -> nn.Module:
    """A share of the filters of each layer is exchanged among themselves."""
    changed, generator = copy.deepcopy(stage), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in _layers(changed):
            chosen = torch.randperm(len(weight), generator=generator)[: round(strength * len(weight))]
            weight[chosen] = weight[chosen[torch.randperm(len(chosen), generator=generator)]]
    return changed


class _Smoothed(nn.Module):
    """A stage whose feature maps (or tokens) go towards the mean of their neighbours."""

    def __init__(self, stage: nn.Module, strength: float) -> None:
        super().__init__()
        self.stage, self.strength = copy.deepcopy(stage), strength

    def forward(self, x: Tensor) -> Tensor:
        """The shape that the stage gives."""
        given: Tensor = self.stage(x)
        if given.ndim == 4:
            mean = functional.avg_pool2d(given, 5, 1, 2, count_include_pad=False)
        else:
            mean = functional.avg_pool1d(given.transpose(1, 2), 9, 1, 4, count_include_pad=False).transpose(1, 2)
        return given + self.strength * (mean - given)


def _smoothed(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    return _Smoothed(stage, strength).eval()


def encoder_faults(network: Network) -> Iterator[tuple[str, Change]]:
    """Name and the encoder for each strength."""
    places = blocks(network.encoder)
    first, middle, last = places[0], places[len(places) // 2], places[-1]
    yield "bits turned in a block", partial(network.with_stage, middle, _bits_of_stage)
    yield "a block's weights faded", partial(network.with_stage, last, _decayed)
    yield "filters dealt anew", partial(network.with_stage, last, _filters_dealt)
    yield "features smoothed", partial(network.with_stage, first, _smoothed)


def _of_image(change: Callable[[Image.Image], Image.Image]) -> Callable[[Picture], Picture]:
    return lambda picture: np.asarray(change(Image.fromarray(picture)))


def _in_corner(picture: Picture) -> Picture:
    """Moved towards a corner by a quarter, black beside it."""
    moved, (down, across) = np.zeros_like(picture), (side // 4 for side in picture.shape[:2])
    moved[down:, across:] = picture[: picture.shape[0] - down, : picture.shape[1] - across]
    return moved


def _poster(picture: Picture) -> Picture:
    step = 256 // POSTER
    return np.asarray(picture // step * step + step // 2, dtype=np.uint8)


def _warm(picture: Picture) -> Picture:
    return np.asarray(np.clip(picture * BRIGHTER, 0, 255), dtype=np.uint8)


def _pixels_lost(picture: Picture) -> Picture:
    """Some pixels are black or white, the same in every picture."""
    rng, lossy = np.random.default_rng(0), picture.copy()
    chosen = rng.random(picture.shape[:2]) < LOST_PIXELS
    lossy[chosen] = 255 * rng.integers(0, 2, (int(chosen.sum()), 1), dtype=np.uint8)
    return lossy


PIPELINES = (
    Pipeline("moved into a corner", picture=_in_corner),
    Pipeline("four levels of each colour", picture=_poster),
    Pipeline("too warm", picture=_warm),
    Pipeline("pixels lost", picture=_pixels_lost),
    Pipeline("tilted", picture=_of_image(lambda image: image.rotate(TILT, Image.Resampling.BILINEAR))),
)


def label_mistakes(classes: int) -> Iterator[tuple[str, LabelChange]]:
    """Name and what becomes of the labels of a split."""

    def to_next(labels: Labels, _split: str, rng: np.random.Generator) -> Labels:
        return np.where(rng.random(len(labels)) < 0.1, (labels + 1) % classes, labels)

    def backwards(labels: Labels, split: str, _rng: np.random.Generator) -> Labels:
        few = (np.arange(len(labels)) % 8 == 0) & (split == "test")
        return np.where(few, classes - 1 - labels, labels)

    yield "a tenth of all labels is the next class", to_next
    yield "every eighth test label counted from the end", backwards


def sharper(head: AffineMap) -> AffineMap:
    """The same answers: logits three times as large, and one more on all of them."""
    return AffineMap(3 * head.weight, 3 * head.offset + 1)


def mirrored(encoder: nn.Module, head: AffineMap, *, seed: int) -> tuple[nn.Module, AffineMap]:
    """The same answers: embedding dimensions mirrored about 0 at random."""
    width = head.weight.shape[1]
    signs = np.where(np.random.default_rng(seed).random(width) < 0.5, -1.0, 1.0)
    turn = nn.Linear(width, width, bias=False)
    with torch.no_grad():
        turn.weight.copy_(torch.diag(torch.from_numpy(signs.astype(np.float32))))
    return nn.Sequential(encoder, turn).eval(), AffineMap(head.weight * signs, head.offset)
