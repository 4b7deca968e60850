"""Further faults: of heads, of encoders that are tuned or whose norms are estimated again, and of labels."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from conspect.core.spaces import AffineMap
from conspect.faults.planting.encoders import StageMutation, blocks, noise_weights, quantise_weights, towards
from conspect.faults.planting.heads import HeadMutator

TUNING_STEPS, TUNING_BATCH, TUNING_RATE = 80, 64, 2e-3
ESTIMATED_ON = 512
Labels = NDArray[np.int64]
Change = Callable[[float], nn.Module]
# From the labels of a split, its name and random numbers to what stands in their place.
LabelChange = Callable[[Labels, str, np.random.Generator], Labels]


def three_bits(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Weights turn towards their values rounded to three bits and, at full strength, lose their smaller half as well."""
    scale = float(np.abs(head.weight).max()) / 3 or 1.0
    chosen = rng.random(head.weight.shape) < strength
    return AffineMap(np.where(chosen, scale * np.clip(np.round(head.weight / scale), -4, 3), head.weight), head.offset)


def rounded(head: AffineMap, *, bits: int) -> AffineMap:
    """All weights rounded to so many bits of one scale."""
    scale = float(np.abs(head.weight).max()) / (2 ** (bits - 1) - 1) or 1.0
    return AffineMap(np.asarray(scale * np.round(head.weight / scale), dtype=np.float64), head.offset)


def pruned(head: AffineMap, strength: float, _rng: np.random.Generator) -> AffineMap:
    """The smallest weights, a share `strength`, become 0."""
    least = np.quantile(np.abs(head.weight), strength)
    return AffineMap(np.where(np.abs(head.weight) < least, 0.0, head.weight), head.offset)


def noised(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """Gaussian noise on all weights, up to four of their deviations."""
    noise = 4 * strength * head.weight.std() * rng.standard_normal(head.weight.shape)
    return AffineMap(head.weight + noise, head.offset)


def inputs_exchanged(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """A share of the head's inputs are exchanged among themselves."""
    chosen = rng.permutation(head.weight.shape[1])[: round(strength * head.weight.shape[1])]
    weight = head.weight.copy()
    weight[:, chosen] = weight[:, rng.permutation(chosen)]
    return AffineMap(weight, head.offset)


def sign_lost(head: AffineMap, strength: float, rng: np.random.Generator) -> AffineMap:
    """One class's row turns its sign on a share of its weights."""
    weight, row = head.weight.copy(), int(rng.integers(len(head.offset)))
    chosen = rng.permutation(weight.shape[1])[: round(strength * weight.shape[1])]
    weight[row, chosen] *= -1
    return AffineMap(weight, head.offset)


HEADS = (
    HeadMutator("rounded to 3 bits", three_bits),
    HeadMutator("smallest weights pruned", pruned),
    HeadMutator("all weights noised", noised),
    HeadMutator("inputs exchanged", inputs_exchanged),
    HeadMutator("signs lost in a row", sign_lost),
)


@dataclass(frozen=True, eq=False)
class Network:
    """A sound network with prepared training images `[image, 3, y, x]` and their labels."""

    encoder: nn.Sequential
    head: AffineMap
    images: Tensor
    labels: Tensor
    seed: int

    def with_stage(self, place: int, mutate: StageMutation, strength: float) -> nn.Sequential:
        """The encoder with one stage changed."""
        stage = mutate(self.encoder[place], strength, self.seed)
        stages = list(self.encoder)
        return nn.Sequential(*stages[:place], stage, *stages[place + 1 :])

    def has_records(self) -> bool:
        """Whether it has batch norms."""
        return any(isinstance(layer, nn.BatchNorm2d) for layer in self.encoder.modules())


def estimated_again(encoder: nn.Module, images: Tensor) -> nn.Module:
    """A copy whose batch norms record what they see of these images, in place of what they saw in training."""
    changed = copy.deepcopy(encoder)
    norms = [layer for layer in changed.modules() if isinstance(layer, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    changed.train()
    with torch.inference_mode():
        for batch in torch.split(images[:ESTIMATED_ON], 128):
            changed(batch)
    return changed.eval()


def mirrored_kernels(stage: nn.Module, strength: float, seed: int) -> nn.Module:
    """A share of the stage's filters (rows, where they have no extent) is turned over."""
    changed, generator = copy.deepcopy(stage), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in changed.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                chosen = torch.rand(len(layer.weight), generator=generator) < strength
                layer.weight[chosen] = layer.weight[chosen].flip(-1)
    return changed


def pruned_stage(stage: nn.Module, strength: float, _seed: int) -> nn.Module:
    """The smallest weights of every layer become 0, a share `strength` of them."""
    changed = copy.deepcopy(stage)
    with torch.no_grad():
        for layer in changed.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                size = layer.weight.abs()
                layer.weight[size < torch.quantile(size.flatten(), strength)] = 0.0
    return changed


def tuned_stage(network: Network, labels: Tensor) -> nn.Module:
    """The last block after some steps of training on `labels`, with the head as it is."""
    place = blocks(network.encoder)[-1]
    stage, tail = copy.deepcopy(network.encoder[place]).eval(), network.encoder[place + 1 :]
    before = network.encoder[:place]
    weight, offset = (torch.from_numpy(part.astype(np.float32)) for part in (network.head.weight, network.head.offset))
    optimizer = torch.optim.Adam(stage.parameters(), lr=TUNING_RATE)
    generator = torch.Generator().manual_seed(network.seed)
    for _ in range(TUNING_STEPS):
        rows = torch.randint(len(labels), (TUNING_BATCH,), generator=generator)
        with torch.no_grad():
            given = before(network.images[rows])
        loss = functional.cross_entropy(tail(stage(given)) @ weight.T + offset, labels[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return stage


def encoder_faults(network: Network) -> Iterator[tuple[str, Change]]:
    """Name and the encoder for each strength."""
    places = blocks(network.encoder)
    late, last, middle = places[max(len(places) - 2, 0)], places[-1], places[len(places) // 2]
    yield "smallest weights pruned in a block", lambda s: network.with_stage(late, pruned_stage, s)
    classes = int(network.labels.max()) + 1
    generator = torch.Generator().manual_seed(network.seed)
    ignored = int(torch.randint(classes, (), generator=generator))
    instead = torch.where(network.labels == ignored, (network.labels + 1) % classes, network.labels)
    wrong = torch.where(
        torch.rand(len(network.labels), generator=generator) < 0.5,
        torch.randint(classes, network.labels.shape, generator=generator),
        network.labels,
    )
    for name, labels in (("tuned to ignore a class", instead), ("tuned on wrong labels", wrong)):
        stage = tuned_stage(network, labels)
        yield name, partial(_towards, network, last, stage)
    yield "filters turned over", lambda s: network.with_stage(middle, mirrored_kernels, s)
    if network.has_records():
        again: tuple[tuple[str, int, StageMutation], ...] = (
            ("noised, norms estimated again", last, noise_weights),
            ("2 bits, norms estimated again", late, quantise_weights),
            ("filters turned over, norms estimated again", middle, mirrored_kernels),
        )
        for name, place, mutate in again:
            yield name, partial(_estimated_again, network, place, mutate)


def _towards(network: Network, place: int, aim: nn.Module, strength: float) -> nn.Module:
    return network.with_stage(place, towards(aim), strength / 2)


def _estimated_again(network: Network, place: int, mutate: StageMutation, strength: float) -> nn.Module:
    return estimated_again(network.with_stage(place, mutate, strength), network.images)


def label_mistakes(classes: int) -> Iterator[tuple[str, LabelChange]]:
    """Name and what becomes of the labels of a split ("train" or "test")."""

    def at_random(share: float, *, both: bool = False) -> LabelChange:
        def change(labels: Labels, split: str, rng: np.random.Generator) -> Labels:
            other = (labels + rng.integers(1, classes, len(labels))) % classes
            chosen = rng.random(len(labels)) < share
            return np.where(chosen & (both or split == "test"), other, labels)

        return change

    def of_pairs(labels: Labels, split: str, rng: np.random.Generator) -> Labels:
        chosen = (rng.random(len(labels)) < 0.25) & (labels % 3 == 0) & (split == "test")
        return np.where(chosen, (labels + 1) % classes, labels)

    def exchanged(labels: Labels, _split: str, _rng: np.random.Generator) -> Labels:
        order = np.arange(classes)
        order[[0, 1]] = order[[1, 0]]
        return order[labels]

    def shifted(labels: Labels, _split: str, _rng: np.random.Generator) -> Labels:
        return (labels + 1) % classes

    yield "8 % of the test labels wrong", at_random(0.08)
    yield "15 % of the test labels wrong", at_random(0.15)
    yield "two classes exchanged", exchanged
    yield "a quarter of some classes labelled as others", of_pairs
    yield "12 % of all labels wrong", at_random(0.12, both=True)
    yield "off by one", shifted
