"""A table of faults at fixed strengths, planted in one network: those that an earlier diagnosis named wrongly, and their like.

Encoders whose norms were estimated again after the damage, encoders that unlearn a class, rounded and pruned heads, faults of
both parts, and sound versions that were called broken.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from conspect.core.spaces import AffineMap
from conspect.faults.planting import encoders, further
from conspect.faults.planting.cases import Part, PlantedCase, embed
from conspect.faults.planting.encoders import blocks
from conspect.faults.planting.further import Network
from conspect.faults.planting.heads import HeadMutation, head_mutators
from conspect.faults.subjects.sound_network import TEST, TRAIN, SoundNetwork
from conspect.statistics.logistic import fit_logistic

SEED, MIXED_STEPS, MIXED_RATE, ANIMALS = 5, 60, 3e-4, (2, 3, 4, 5, 6, 7)


def known_mutants(subject: SoundNetwork) -> Iterator[PlantedCase]:
    """Sound versions first. The class that is unlearned is the fourth, towards the sixth (cat and dog in CIFAR-10)."""
    prepared = torch.from_numpy(subject.prepared(subject.pixels[TRAIN]))
    network = Network(subject.encoder, subject.head, prepared, torch.from_numpy(subject.labels[TRAIN]), SEED)
    yield from _sound(subject, network)
    yield from _encoders(network)
    z = embed(subject.encoder, prepared.numpy())
    yield from _heads(subject, z)
    yield from _both(subject, network, z)


def _sound(subject: SoundNetwork, network: Network) -> Iterator[PlantedCase]:
    def sound(kind: str, **changed: object) -> PlantedCase:
        return PlantedCase(**{**_plain(subject), "kind": kind, "part": Part.NONE, **changed})  # type: ignore[arg-type]

    head = subject.head
    yield sound("sound")
    yield sound("sound, logits halved", head=AffineMap(head.weight / 2, head.offset / 2))
    yield sound("sound, animals alone", rows=np.flatnonzero(np.isin(subject.labels[TEST], ANIMALS)))
    if network.has_records():
        yield sound("sound, norms again", encoder=further.estimated_again(subject.encoder, network.images))
    yield sound("sound, last block tuned with mixed images", encoder=_with_last(network, mixed_stage(network)))
    z = embed(subject.encoder, network.images.numpy())
    fitted = fit_logistic(z, subject.labels[TRAIN], len(head.offset))
    yield sound("sound, another head", head=AffineMap(np.ascontiguousarray(fitted.weight.T), fitted.bias))


def _plain(subject: SoundNetwork) -> dict[str, object]:
    return {"drop": 0.0, "encoder": subject.encoder, "head": subject.head}


def _encoders(network: Network) -> Iterator[PlantedCase]:
    places = blocks(network.encoder)
    middle, late, last = places[len(places) // 2], places[max(len(places) - 2, 0)], places[-1]
    generator = torch.Generator().manual_seed(SEED)
    labels = network.labels
    wrong = torch.where(
        torch.rand(len(labels), generator=generator) < 0.5,
        torch.randint(int(labels.max()) + 1, labels.shape, generator=generator),
        labels,
    )
    tuned_wrong = _towards(network, further.tuned_stage(network, wrong))
    ignoring = _towards(network, further.tuned_stage(network, torch.where(labels == 3, 5, labels)))
    damaged: tuple[tuple[str, nn.Module], ...] = (
        ("2 bits in a late block", network.with_stage(late, encoders.quantise_weights, 0.6)),
        ("2 bits in the middle", network.with_stage(middle, encoders.quantise_weights, 0.8)),
        ("kernels flipped in the middle", network.with_stage(middle, further.mirrored_kernels, 0.7)),
        ("tuned on wrong labels", tuned_wrong),
        ("tuned to ignore a class", ignoring),
    )
    pruned = ("last block pruned, 70 %", network.with_stage(last, further.pruned_stage, 0.7))
    for kind, encoder in (*damaged, pruned):
        yield PlantedCase(kind, Part.ENCODER, 0.0, encoder, network.head)
    for kind, encoder in damaged if network.has_records() else ():
        again = further.estimated_again(encoder, network.images)
        yield PlantedCase(f"{kind}, norms again", Part.ENCODER, 0.0, again, network.head)


def _heads(subject: SoundNetwork, z: np.ndarray) -> Iterator[PlantedCase]:
    rng = np.random.default_rng(SEED)
    for kind, head in (
        *((f"head in {bits} bits", further.rounded(subject.head, bits=bits)) for bits in (2, 3, 8)),
        *(
            (f"head pruned, {share:.0%}".replace("%", " %"), further.pruned(subject.head, share, rng))
            for share in (0.5, 0.8)
        ),
        *((f"head, {kind}", mutate(subject.head, strength, rng)) for kind, mutate, strength in _mutations(subject, z)),
    ):
        yield PlantedCase(kind, Part.HEAD, 0.0, subject.encoder, head)


def _mutations(subject: SoundNetwork, z: np.ndarray) -> Iterator[tuple[str, HeadMutation, float]]:
    known = {mutator.name: mutator.mutate for mutator in head_mutators(z, subject.labels[TRAIN])}
    for kind, strength in (("rows swapped", 1.0), ("bias raised", 0.4), ("row noised", 0.6)):
        yield kind, known[kind], strength


def _both(subject: SoundNetwork, network: Network, z: np.ndarray) -> Iterator[PlantedCase]:
    places, rng = blocks(network.encoder), np.random.default_rng(SEED)
    middle, late, last = places[len(places) // 2], places[max(len(places) - 2, 0)], places[-1]
    stages = (
        ("2 bits in a late block", network.with_stage(late, encoders.quantise_weights, 0.5)),
        ("kernels flipped in the middle", network.with_stage(middle, further.mirrored_kernels, 0.4)),
        ("last block noised", network.with_stage(last, encoders.noise_weights, 0.3)),
    )
    for (kind, mutate, strength), (of_encoder, encoder) in zip(_mutations(subject, z), stages, strict=True):
        head = mutate(subject.head, strength, rng)
        yield PlantedCase(f"{kind}, and {of_encoder}", Part.BOTH, 0.0, encoder, head)


def _with_last(network: Network, stage: nn.Module) -> nn.Sequential:
    stages, place = list(network.encoder), blocks(network.encoder)[-1]
    return nn.Sequential(*stages[:place], stage, *stages[place + 1 :])


def _towards(network: Network, aim: nn.Module) -> nn.Sequential:
    """The last block, as far as `aim`."""
    return network.with_stage(blocks(network.encoder)[-1], encoders.towards(aim), 1 / encoders.BEYOND)


def mixed_stage(network: Network) -> nn.Module:
    """The last block after some steps of careful training on mixtures of two images, with labels mixed alike (mixup)."""
    place = blocks(network.encoder)[-1]
    stage = copy.deepcopy(network.encoder[place]).eval()
    before, tail = network.encoder[:place], network.encoder[place + 1 :]
    weight, offset = (torch.from_numpy(part.astype(np.float32)) for part in (network.head.weight, network.head.offset))
    optimizer = torch.optim.Adam(stage.parameters(), lr=MIXED_RATE)
    generator = torch.Generator().manual_seed(network.seed)

    def drawn() -> tuple[Tensor, Tensor]:
        rows = torch.randint(len(network.labels), (further.TUNING_BATCH,), generator=generator)
        return network.images[rows], functional.one_hot(network.labels[rows], len(offset)).float()

    for _ in range(MIXED_STEPS):
        share = torch.rand((), generator=generator)
        (first, one), (second, other) = drawn(), drawn()
        with torch.no_grad():
            given = before(share * first + (1 - share) * second)
        logits = tail(stage(given)) @ weight.T + offset
        loss = functional.cross_entropy(logits, share * one + (1 - share) * other)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return stage
