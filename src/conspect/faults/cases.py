"""Every case that a diagnosis is judged on: a network with a fault of known kind, or a sound one in an unusual study.

Each kind is planted once in each network, mildly in one and severely in the next, so that a kind is seen at several
strengths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from conspect.core.protocols import LayerDeparture
from conspect.core.spaces import AffineMap, Head
from conspect.faults import encoders, further
from conspect.faults.heads import HeadMutator, head_mutators
from conspect.faults.pipelines import PIPELINES, Pipeline
from conspect.faults.severity import severities
from conspect.faults.subjects import TEST, TRAIN, Labels, Subject

SEARCH_IMAGES, LEAST_DROP, BATCH = 400, 0.015, 256
DROPS = (0.06, 0.15)


class Part(StrEnum):
    """Where the fault is."""

    NONE = "none"
    LABELS = "labels"
    INPUT = "input"
    HEAD = "head"
    ENCODER = "encoder"
    BOTH = "head and encoder"


@dataclass(frozen=True, eq=False)
class Case:
    """A model with its images, and the truth. `drop`: in accuracy on the search images."""

    kind: str
    part: Part
    drop: float
    encoder: nn.Module
    head: AffineMap
    pipeline: Pipeline | None = None
    labels: dict[str, Labels] | None = None
    rows: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class CaseModel:
    """A case as a vision model: what a study would be given."""

    case: Case
    subject: Subject

    @property
    def head(self) -> Head:
        """The case's."""
        return Head((self.case.head,))

    def prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As the case's pipeline does."""
        pipeline = self.case.pipeline
        return self.subject.prepare(image) if pipeline is None else pipeline.prepare(image, self.subject.prepare)

    def embed(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """By the case's encoder."""
        return embed(self.case.encoder, batch)

    def departures(self, batches: object) -> tuple[LayerDeparture, ...]:
        """Of the case's encoder."""
        from conspect.adapters.models.norm_records import layer_departures

        return layer_departures(self.case.encoder, (torch.from_numpy(one) for one in batches))  # type: ignore[attr-defined]


def embed(encoder: nn.Module, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[image, D]`."""
    with torch.inference_mode():
        parts = [
            encoder(batch).float() for batch in torch.split(torch.from_numpy(np.ascontiguousarray(prepared)), BATCH)
        ]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


class Cases:
    """All cases of one subject. `number` says which strengths its kinds are planted at."""

    def __init__(self, subject: Subject, number: int) -> None:
        self.subject, self.number = subject, number
        self.prepared = {split: subject.prepared(pixels) for split, pixels in subject.pixels.items()}
        self.search = self.prepared[TEST][:SEARCH_IMAGES]
        self.truth = subject.labels[TEST][:SEARCH_IMAGES]
        self.sound = {split: embed(subject.encoder, pixels) for split, pixels in self.prepared.items()}
        self.accuracy = self._accuracy(self.sound[TEST][:SEARCH_IMAGES], subject.head)
        self._planted = 0

    def __iter__(self) -> Iterator[Case]:
        for make in (self._sound, self._label_cases, self._heads, self._encoders, self._both, self._pipelines):
            yield from make()

    def _accuracy(self, z: NDArray[np.float32], head: AffineMap) -> float:
        return float((head(z).argmax(1) == self.truth[: len(z)]).mean())

    def _case(self, kind: str, part: Part, drop: float, **changed: object) -> Case:
        sound = Case(kind, part, drop, self.subject.encoder, self.subject.head)
        return replace(sound, **changed)  # type: ignore[arg-type]

    def _sound(self) -> Iterator[Case]:
        head, labels = self.subject.head, self.subject.labels[TEST]
        classes = np.unique(labels)
        yield self._case("sound", Part.NONE, 0.0)
        some = np.flatnonzero(np.isin(labels, classes[: max(2, len(classes) * 6 // 10)]))
        yield self._case("sound, some classes alone under test", Part.NONE, 0.0, rows=some)
        yield self._case("sound, few images", Part.NONE, 0.0, rows=np.arange(len(labels))[: len(labels) // 3])
        yield self._case("sound, logits halved", Part.NONE, 0.0, head=AffineMap(head.weight / 2, head.offset / 2))
        rest = np.flatnonzero(~np.isin(labels, classes[: len(classes) // 3]))
        yield self._case("sound, other classes alone under test", Part.NONE, 0.0, rows=rest)

    def _label_cases(self) -> Iterator[Case]:
        truth, classes = self.subject.labels, self.subject.head.offset.size
        for name, change in further.label_mistakes(classes):
            labels = {
                split: change(values, split, np.random.default_rng(self.number)) for split, values in truth.items()
            }
            drop = float((labels[TEST] != truth[TEST]).mean())
            yield self._case(name, Part.LABELS, drop, labels=labels)

    def _wanted(self) -> float:
        self._planted += 1
        return DROPS[(self._planted + self.number) % len(DROPS)]

    def _heads(self) -> Iterator[Case]:
        known = head_mutators(self.sound[TRAIN], self.subject.labels[TRAIN])
        for mutators in (known, further.HEADS):
            for seed, mutator in enumerate(mutators):
                head, drop = self._changed_head(mutator, seed, self._wanted())
                if drop >= LEAST_DROP:
                    yield self._case(mutator.name, Part.HEAD, drop, head=head)

    def _changed_head(self, mutator: HeadMutator, seed: int, wanted: float) -> tuple[AffineMap, float]:
        z = self.sound[TEST][:SEARCH_IMAGES]

        def mutated(strength: float) -> AffineMap:
            return mutator.mutate(self.subject.head, strength, np.random.default_rng([self.number, seed]))

        found = severities(lambda strength: self.accuracy - self._accuracy(z, mutated(strength)), (wanted,))[0]
        return mutated(found.strength), found.drop

    def _changed_encoder(self, change: Callable[[float], nn.Module]) -> tuple[nn.Module, float] | None:
        def drop(strength: float) -> float:
            return self.accuracy - self._accuracy(embed(change(strength), self.search), self.subject.head)

        found = severities(drop, (self._wanted(),))[0]
        return (change(found.strength), found.drop) if found.drop >= LEAST_DROP else None

    def _encoders(self) -> Iterator[Case]:
        network = further.Network(
            self.subject.encoder,
            self.subject.head,
            torch.from_numpy(self.prepared[TRAIN]),
            torch.from_numpy(self.subject.labels[TRAIN]),
            self.number,
        )
        for mutator in encoders.encoder_mutators(self.subject.encoder, torch.from_numpy(self.search[:1])):
            made = self._changed_encoder(partial(network.with_stage, mutator.stage, mutator.mutate))
            if made is not None:
                yield self._case(mutator.name, Part.ENCODER, made[1], encoder=made[0])
        for name, change in further.encoder_faults(network):
            made = self._changed_encoder(change)
            if made is not None:
                yield self._case(name, Part.ENCODER, made[1], encoder=made[0])

    def _both(self) -> Iterator[Case]:
        network = further.Network(
            self.subject.encoder, self.subject.head, torch.zeros(0), torch.zeros(0, dtype=torch.int64), self.number
        )
        heads = {one.name: one for one in head_mutators(self.sound[TRAIN], self.subject.labels[TRAIN])}
        stages = {
            one.name: one for one in encoders.encoder_mutators(self.subject.encoder, torch.from_numpy(self.search[:1]))
        }
        pairs = (("bias raised", "late weights noised"), ("row noised", "block quantised to 2 bits"))
        for head_name, stage_name in pairs:
            stage = stages[stage_name]
            made = self._changed_encoder(partial(network.with_stage, stage.stage, stage.mutate))
            if made is None:
                continue
            head, _ = self._changed_head(heads[head_name], 9, DROPS[0])
            drop = self.accuracy - self._accuracy(embed(made[0], self.search), head)
            name = f"{head_name} and {stage_name}"
            yield self._case(name, Part.BOTH, drop, encoder=made[0], head=head)

    def _pipelines(self) -> Iterator[Case]:
        for pipeline in PIPELINES:
            given = np.stack(
                [pipeline.prepare(one, self.subject.prepare) for one in self.subject.pixels[TEST][:SEARCH_IMAGES]]
            )
            drop = self.accuracy - self._accuracy(embed(self.subject.encoder, given), self.subject.head)
            if drop >= LEAST_DROP:
                yield self._case(pipeline.name, Part.INPUT, drop, pipeline=pipeline)
