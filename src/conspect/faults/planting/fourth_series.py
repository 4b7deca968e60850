"""The fourth series of kinds: made after the weights had been fitted on the three before, and judged once."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from conspect.core.spaces import AffineMap, Floats
from conspect.faults.planting.encoders import blocks
from conspect.faults.planting.further import Change, LabelChange, Network, tuned_stage
from conspect.faults.planting.heads import HeadMutator
from conspect.faults.planting.pipelines import Picture, Pipeline, Prepared
from conspect.statistics.logistic import fit_logistic

Labels = NDArray[np.int64]
# Images that a row is made of, deviation of the logarithm of a row's factor, and of a stale head's embeddings.
FEW, ROWS_APART, STALE = 5, 1.5, 1.5
LOUD, MOVED, HARD = 60.0, 4, 0.5
# Offsets of the channels that belong to other channels, in prepared values.
OFFSETS = (0.7, -0.7, 0.35)


def _leaning(head: AffineMap, strength: float, _rng: np.random.Generator) -> AffineMap:
    """Each class's row goes towards the next one's."""
    weight = head.weight + strength * (np.roll(head.weight, 1, axis=0) - head.weight)
    return AffineMap(weight, head.offset)


def _negative_lost(head: AffineMap, strength: float, _rng: np.random.Generator) -> AffineMap:
    """Negative weights fade, as in a format without a sign."""
    return AffineMap(np.where(head.weight < 0, (1 - strength) * head.weight, head.weight), head.offset)


def _rows_apart(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Each class's row and bias have a factor of their own."""
    factor = np.exp(strength * ROWS_APART * rng.standard_normal(len(head.offset)))
    return AffineMap(head.weight * factor[:, None], head.offset * factor)


def _row_of_few(embeddings: Floats, labels: Labels) -> HeadMutator:
    """The row of one class goes towards the mean of a few of its images, less the mean of all, as for a class added later."""

    def mutate(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
        chosen = int(rng.integers(len(head.offset)))
        rows = rng.permutation(np.flatnonzero(labels == chosen))[:FEW]
        aim = embeddings[rows].mean(0) - embeddings.mean(0)
        aim *= 2 * np.linalg.norm(head.weight[chosen]) / max(float(np.linalg.norm(aim)), 1e-12)
        weight = head.weight.copy()
        weight[chosen] += strength * (aim - weight[chosen])
        return AffineMap(weight, head.offset)

    return HeadMutator("a row from five images", mutate)


def _stale(embeddings: Floats, labels: Labels) -> HeadMutator:
    """A head fitted to embeddings as they were before the encoder moved on: turned and stretched at random."""

    def mutate(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
        width = embeddings.shape[1]
        drift = np.eye(width) + strength * STALE * rng.standard_normal((width, width)) / np.sqrt(width)
        fitted = fit_logistic(embeddings @ drift, labels, len(head.offset), iterations=60)
        return AffineMap(np.ascontiguousarray(fitted.weight.T), fitted.bias)

    return HeadMutator("a stale head", mutate)


def heads(embeddings: Floats, labels: Labels) -> tuple[HeadMutator, ...]:
    """Faults of the head; two are made from `embeddings [image, D]` with `labels [image]`."""
    return (
        HeadMutator("each row leans on the next", _leaning),
        HeadMutator("negative weights faded", _negative_lost),
        HeadMutator("rows scaled apart", _rows_apart),
        _row_of_few(embeddings, labels),
        _stale(embeddings, labels),
    )


class _Then(nn.Module):
    """A stage, and a function of what it gives."""

    def __init__(self, stage: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.stage, self.change = copy.deepcopy(stage), change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self.stage(x))


def _asleep(stage: nn.Module, strength: float, _seed: int, *, mean: Tensor) -> nn.Module:
    """What a block gives goes towards its mean over images."""
    return _Then(stage, lambda x: x + strength * (mean - x)).eval()


def _moved(stage: nn.Module, strength: float, seed: int, *, width: int) -> nn.Module:
    """A share of the channels arrives some positions away."""
    chosen = torch.randperm(width, generator=torch.Generator().manual_seed(seed))[: round(strength * width)]

    def moved(x: Tensor) -> Tensor:
        out = x.clone()
        if x.ndim == 4:
            out[:, chosen] = x[:, chosen].roll((MOVED // 2, MOVED // 2), (2, 3))
        else:
            out[..., chosen] = x[..., chosen].roll(MOVED, 1)
        return out

    return _Then(stage, moved).eval()


def _loud(stage: nn.Module, strength: float, seed: int, *, width: int) -> nn.Module:
    """One channel is many times as large."""
    factor = torch.ones(width)
    factor[int(torch.randint(width, (), generator=torch.Generator().manual_seed(seed)))] = 1 + LOUD * strength
    return _Then(stage, lambda x: x * (factor[:, None, None] if x.ndim == 4 else factor)).eval()


def _leaking(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    """Each image is mixed with the one before it in its batch."""
    return _Then(stage, lambda x: x + strength * (x.roll(1, 0) - x)).eval()


def _clipped(encoder: nn.Sequential, strength: float, *, most: float) -> nn.Sequential:
    """Embeddings beyond a bound become the bound."""
    bound = most * (1 - strength) ** 2 + 1e-6
    return nn.Sequential(*list(encoder)[:-1], _Then(encoder[-1], lambda z: torch.clamp(z, -bound, bound))).eval()


def encoder_faults(network: Network, sample: Tensor) -> Iterator[tuple[str, Change]]:
    """Name and the encoder for each strength; `sample`: prepared images."""
    places = blocks(network.encoder)
    middle, last = places[len(places) // 2], places[-1]
    with torch.inference_mode():
        out, most = network.encoder[: middle + 1](sample), float(network.encoder(sample).abs().max())
    width = out.shape[1] if out.ndim == 4 else out.shape[-1]
    yield "a block half asleep", partial(network.with_stage, middle, partial(_asleep, mean=out.mean(0, keepdim=True)))
    yield "channels out of place", partial(network.with_stage, middle, partial(_moved, width=width))
    yield "one channel too loud", partial(network.with_stage, middle, partial(_loud, width=width))
    yield "embeddings clipped", partial(_clipped, network.encoder, most=most)
    yield "images leak into the next", partial(network.with_stage, last, _leaking)
    half = network.labels < (int(network.labels.max()) + 1) // 2
    known = Network(network.encoder, network.head, network.images[half], network.labels[half], network.seed)
    yield "half of the classes forgotten", partial(_towards, network, last, tuned_stage(known, known.labels))


def _towards(network: Network, place: int, aim: nn.Module, strength: float) -> nn.Module:
    stage = copy.deepcopy(network.encoder[place])
    for name, value in stage.state_dict().items():
        if value.is_floating_point():
            value.lerp_(aim.state_dict()[name], strength)
    stages = list(network.encoder)
    return nn.Sequential(*stages[:place], stage, *stages[place + 1 :])


def _meshed(picture: Picture) -> Picture:
    """Every third row and column is black."""
    meshed = picture.copy()
    meshed[::3] = meshed[:, ::3] = 0
    return meshed


def _hue_turned(picture: Picture) -> Picture:
    hue = np.array(Image.fromarray(picture).convert("HSV"))
    hue[..., 0] += 50
    return np.asarray(Image.fromarray(hue, "HSV").convert("RGB"))


def _stretched(picture: Picture) -> Picture:
    """The middle half of the width alone, over all of it."""
    height, width = picture.shape[:2]
    part = Image.fromarray(picture[:, width // 4 : width - width // 4])
    return np.asarray(part.resize((width, height), Image.Resampling.BILINEAR))


def _covered(picture: Picture) -> Picture:
    """The lower two fifths are black."""
    covered = picture.copy()
    covered[round(0.6 * len(picture)) :] = 0
    return covered


def _wrapped(picture: Picture) -> Picture:
    """Values times three that begin again at 256."""
    return (picture.astype(np.int64) * 3 % 256).astype(np.uint8)


def _waved(picture: Picture) -> Picture:
    """Each row is shifted, as far as a sine of its place says."""
    rows = np.arange(len(picture))
    shifts = np.rint(picture.shape[1] / 6 * np.sin(2 * np.pi * 3 * rows / len(picture))).astype(int)
    return np.stack([np.roll(row, shift, axis=0) for row, shift in zip(picture, shifts, strict=True)])


def _ghost(picture: Picture) -> Picture:
    """The picture and its mirror image, half of each."""
    return ((picture.astype(np.int64) + picture[:, ::-1]) // 2).astype(np.uint8)


def _other_offsets(prepared: Prepared) -> Prepared:
    return np.asarray(prepared + np.array(OFFSETS, dtype=np.float32).reshape(-1, 1, 1), dtype=np.float32)


PIPELINES = (
    Pipeline("a black mesh", picture=_meshed),
    Pipeline("hues turned", picture=_hue_turned),
    Pipeline("stretched in width", picture=_stretched),
    Pipeline("the lower part black", picture=_covered),
    Pipeline("values that wrap around", picture=_wrapped),
    Pipeline("rows in waves", picture=_waved),
    Pipeline("a ghost image", picture=_ghost),
    Pipeline("other means for each channel", later=_other_offsets),
)
# Faults of both parts that are planted together: of the head, of the encoder.
BOTH = (("rows scaled apart", "one channel too loud"), ("negative weights faded", "channels out of place"))


def label_mistakes(classes: int) -> Iterator[tuple[str, LabelChange]]:
    """Name and what becomes of the labels of a split."""

    def missing(labels: Labels, split: str, rng: np.random.Generator) -> Labels:
        return np.where((rng.random(len(labels)) < 0.12) & (split == "test"), 0, labels)

    def reversed_end(labels: Labels, split: str, _rng: np.random.Generator) -> Labels:
        changed, first = labels.copy(), len(labels) - len(labels) // 5
        if split == "test":
            changed[first:] = changed[first:][::-1]
        return changed

    def merged(labels: Labels, split: str, _rng: np.random.Generator) -> Labels:
        return np.where((labels == 1 % classes) & (split == "test"), 2 % classes, labels)

    yield "missing test labels filled with the first class", missing
    yield "the last fifth of the test labels reversed", reversed_end
    yield "one class labelled as the next under test", merged


def shifted(encoder: nn.Module, head: AffineMap, *, seed: int) -> tuple[nn.Module, AffineMap]:
    """The same answers: one vector added to all embeddings, and taken off by the biases."""
    more = np.random.default_rng(seed).normal(size=head.weight.shape[1])
    vector = torch.tensor(more, dtype=torch.float32)
    return _Then(encoder, lambda z: z + vector).eval(), AffineMap(head.weight, head.offset - head.weight @ more)


def reordered(encoder: nn.Module, head: AffineMap, *, seed: int) -> tuple[nn.Module, AffineMap]:
    """The same answers: embedding dimensions in another order, each with a factor of its own."""
    rng = np.random.default_rng(seed)
    order, factor = rng.permutation(head.weight.shape[1]), np.exp(rng.normal(size=head.weight.shape[1]))
    scale = torch.from_numpy(factor.astype(np.float32))
    changed = _Then(encoder, lambda z: z[:, torch.from_numpy(order)] * scale).eval()
    return changed, AffineMap(head.weight[:, order] / factor, head.offset)


def half_precision(encoder: nn.Module, head: AffineMap) -> tuple[nn.Module, AffineMap]:
    """All weights rounded to sixteen bits."""
    changed = copy.deepcopy(encoder)
    with torch.no_grad():
        for value in changed.parameters():
            value.copy_(value.half().float())
    return changed.eval(), AffineMap(head.weight.astype(np.float16).astype(np.float64), head.offset)


def harder_rows(logits: NDArray[np.floating], share: float = HARD) -> NDArray[np.int64]:
    """Rows of the images that a model is least sure of, a `share` of them: `logits [image, class]`."""
    top = np.sort(logits, axis=1)
    margin = top[:, -1] - top[:, -2]
    return np.sort(np.argsort(margin)[: round(share * len(margin))])
