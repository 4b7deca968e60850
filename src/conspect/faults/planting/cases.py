"""Every case that a diagnosis is judged on: a network with a fault of known kind, or a sound one in an unusual study.

Each kind is planted once in each network, mildly in one and severely in the next, so that a kind is seen at several
strengths.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import TypeAlias, assert_never

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from conspect.adapters.models.norm_records import layer_departures
from conspect.adapters.models.weight_marks import layer_marks, module_weights
from conspect.core.protocols import LayerDeparture, LayerMark
from conspect.core.spaces import AffineMap, Head
from conspect.faults.planting import encoders, further
from conspect.faults.planting import fifth_series as fifth
from conspect.faults.planting import fourth_series as fourth
from conspect.faults.planting import second_series as second
from conspect.faults.planting import third_series as third
from conspect.faults.planting.further import Change
from conspect.faults.planting.heads import HeadMutator, head_mutators
from conspect.faults.planting.pipelines import PIPELINES, Pipeline
from conspect.faults.planting.strengths import Strengths
from conspect.faults.subjects.sound_network import TEST, TRAIN, Labels, SoundNetwork

SEARCH_IMAGES, LEAST_DROP, BATCH = 400, 0.015, 256
DROPS = (0.06, 0.15)
# Faults of the head and of the encoder that are planted together.
BOTH = (
    ("bias raised", "late weights noised"),
    ("row noised", "block quantised to 2 bits"),
    ("rows swapped", "norm statistics shifted"),
    ("row shrunk", "channels zeroed"),
)


class Series(StrEnum):
    """When a kind of fault was made, which says what was fitted on it.

    `FIRST`: from the beginning. `SECOND`, `THIRD`: each made when weights had been fitted on those before, judged once, and
    fitted on since. `FOURTH`: after all that, judged twice (what showed the second time was in view while weights changed).
    `FIFTH`: after those weights were fixed, judged once. Nothing is fitted on the last two.
    """

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    FOURTH = "fourth"
    FIFTH = "fifth"


class Part(StrEnum):
    """Where the fault is."""

    NONE = "none"
    LABELS = "labels"
    INPUT = "input"
    HEAD = "head"
    ENCODER = "encoder"
    BOTH = "head and encoder"


@dataclass(frozen=True, eq=False)
class PlantedCase:
    """A model with its images, and the truth. `drop`: in accuracy on the search images."""

    kind: str
    part: Part
    drop: float
    encoder: nn.Module
    head: AffineMap
    pipeline: Pipeline | None = None
    labels: dict[str, Labels] | None = None
    rows: NDArray[np.int64] | None = None


# Embeddings of batches by the sound encoder, which many cases share.
Memory: TypeAlias = dict[bytes, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class CaseModel:
    """A case as a vision model: what a study would be given. `memory` is kept for the sound encoder."""

    case: PlantedCase
    subject: SoundNetwork
    memory: Memory

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
        if self.case.encoder is not self.subject.encoder:
            return embed(self.case.encoder, batch)
        key = hashlib.blake2b(np.ascontiguousarray(batch).tobytes(), digest_size=16).digest()
        if key not in self.memory:
            self.memory[key] = embed(self.case.encoder, batch)
        return self.memory[key]

    def departures(self, batches: Iterable[NDArray[np.float32]]) -> tuple[LayerDeparture, ...]:
        """Of the case's encoder."""
        return layer_departures(self.case.encoder, (torch.from_numpy(batch) for batch in batches))

    def marks(self) -> tuple[LayerMark, ...]:
        """Of the case's encoder."""
        return layer_marks(module_weights(self.case.encoder))


def embed(encoder: nn.Module, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
    """`[image, D]`."""
    with torch.inference_mode():
        parts = [
            encoder(batch).float() for batch in torch.split(torch.from_numpy(np.ascontiguousarray(prepared)), BATCH)
        ]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float32)


class Cases:
    """All cases of one subject in one series of kinds. `number` says which drops its kinds are planted at; `strengths` keeps
    those that were searched for."""

    def __init__(
        self,
        subject: SoundNetwork,
        number: int,
        *,
        series: Series = Series.FIRST,
        strengths: Strengths | None = None,
    ) -> None:
        self.subject, self.number, self.series = subject, number, series
        self.strengths = Strengths() if strengths is None else strengths
        self.prepared = {split: subject.prepared(pixels) for split, pixels in subject.pixels.items()}
        self.search = self.prepared[TEST][:SEARCH_IMAGES]
        self.truth = subject.labels[TEST][:SEARCH_IMAGES]
        self.sound = {split: embed(subject.encoder, pixels) for split, pixels in self.prepared.items()}
        self.accuracy = self._accuracy(self.sound[TEST][:SEARCH_IMAGES], subject.head)
        self.memory: Memory = {}
        self.network = further.Network(
            subject.encoder,
            subject.head,
            torch.from_numpy(self.prepared[TRAIN]),
            torch.from_numpy(subject.labels[TRAIN]),
            number,
        )
        self._planted = 0

    def __iter__(self) -> Iterator[PlantedCase]:
        match self.series:
            case Series.FIRST:
                yield from self._first()
            case Series.SECOND:
                yield from self._second()
            case Series.THIRD:
                yield from self._third()
            case Series.FOURTH:
                yield from self._fourth()
            case Series.FIFTH:
                yield from self._fifth()
            case _ as never:
                assert_never(never)

    def _first(self) -> Iterator[PlantedCase]:
        known = head_mutators(self.sound[TRAIN], self.subject.labels[TRAIN])
        yield from self._sound()
        yield from self._label_cases(further.label_mistakes(self.subject.head.offset.size))
        yield from self._heads(known)
        yield from self._heads(further.HEADS)
        yield from self._encoders(self._known_encoders())
        yield from self._both({mutator.name: mutator for mutator in known}, dict(self._known_encoders()), BOTH)
        yield from self._pipelines(PIPELINES)

    def _second(self) -> Iterator[PlantedCase]:
        subject, classes = self.subject, self.subject.head.offset.size
        for name, (encoder, head) in (
            ("sound, embeddings turned", second.turned(subject.encoder, subject.head, seed=self.number)),
            ("sound, embeddings ten times as large", second.larger(subject.encoder, subject.head)),
        ):
            yield self._case(name, Part.NONE, 0.0, encoder=encoder, head=head)
        rows = second.long_tail(subject.labels[TEST], seed=self.number)
        yield self._case("sound, a long tail under test", Part.NONE, 0.0, rows=rows)
        yield from self._label_cases(second.label_mistakes(classes))
        yield from self._heads(second.HEADS)
        yield from self._encoders(second.encoder_faults(self.network, torch.from_numpy(self.search)))
        yield from self._pipelines(second.PIPELINES)

    def _third(self) -> Iterator[PlantedCase]:
        subject, labels = self.subject, self.subject.labels[TRAIN]
        yield self._case(
            "sound, a row added to all", Part.NONE, 0.0, head=third.common_row(subject.head, seed=self.number)
        )
        encoder, head = third.unused_inputs(subject.encoder, subject.head, seed=self.number)
        yield self._case("sound, inputs that the head does not use", Part.NONE, 0.0, encoder=encoder, head=head)
        probed = third.probed_head(subject.head, self.sound[TRAIN], labels)
        if self._harmless(self.sound[TEST][:SEARCH_IMAGES], probed):
            yield self._case("sound, a head fitted by logistic regression", Part.NONE, 0.0, head=probed)
        yield from self._label_cases(third.label_mistakes(subject.head.offset.size))
        yield from self._heads(third.heads(self.sound[TRAIN], labels))
        yield from self._encoders(third.encoder_faults(self.network, torch.from_numpy(self.search)))
        yield from self._pipelines(third.PIPELINES)

    def _fourth(self) -> Iterator[PlantedCase]:
        subject, labels = self.subject, self.subject.labels[TRAIN]
        for name, (encoder, head) in (
            ("sound, embeddings shifted", fourth.shifted(subject.encoder, subject.head, seed=self.number)),
            ("sound, dimensions in another order", fourth.reordered(subject.encoder, subject.head, seed=self.number)),
            ("sound, in half precision", fourth.half_precision(subject.encoder, subject.head)),
        ):
            yield self._case(name, Part.NONE, 0.0, encoder=encoder, head=head)
        rows = fourth.harder_rows(subject.head(self.sound[TEST]))
        yield self._case("sound, harder images under test", Part.NONE, 0.0, rows=rows)
        twice = np.sort(
            np.random.default_rng(self.number).integers(len(subject.labels[TEST]), size=len(subject.labels[TEST]))
        )
        yield self._case("sound, images drawn with replacement", Part.NONE, 0.0, rows=twice)
        yield from self._label_cases(fourth.label_mistakes(subject.head.offset.size))
        mutators = fourth.heads(self.sound[TRAIN], labels)
        faults = dict(fourth.encoder_faults(self.network, torch.from_numpy(self.search)))
        yield from self._heads(mutators)
        yield from self._encoders(faults.items())
        yield from self._both({mutator.name: mutator for mutator in mutators}, faults, fourth.BOTH)
        yield from self._pipelines(fourth.PIPELINES)

    def _fifth(self) -> Iterator[PlantedCase]:
        subject, test = self.subject, len(self.subject.labels[TEST])
        yield self._case("sound, sharper", Part.NONE, 0.0, head=fifth.sharper(subject.head))
        encoder, head = fifth.mirrored(subject.encoder, subject.head, seed=self.number)
        yield self._case("sound, dimensions mirrored", Part.NONE, 0.0, encoder=encoder, head=head)
        yield self._case("sound, the later half of the images", Part.NONE, 0.0, rows=np.arange(test)[test // 2 :])
        yield from self._label_cases(fifth.label_mistakes(subject.head.offset.size))
        yield from self._heads(fifth.HEADS)
        yield from self._encoders(fifth.encoder_faults(self.network))
        yield from self._pipelines(fifth.PIPELINES)

    def _accuracy(self, z: NDArray[np.float32], head: AffineMap) -> float:
        return float((head(z).argmax(1) == self.truth[: len(z)]).mean())

    def _case(self, kind: str, part: Part, drop: float, **changed: object) -> PlantedCase:
        sound = PlantedCase(kind, part, drop, self.subject.encoder, self.subject.head)
        return replace(sound, **changed)  # type: ignore[arg-type]

    def _sound(self) -> Iterator[PlantedCase]:
        head, labels = self.subject.head, self.subject.labels[TEST]
        classes = np.unique(labels)
        yield self._case("sound", Part.NONE, 0.0)
        some = np.flatnonzero(np.isin(labels, classes[: max(2, len(classes) * 6 // 10)]))
        yield self._case("sound, some classes alone under test", Part.NONE, 0.0, rows=some)
        yield self._case("sound, few images", Part.NONE, 0.0, rows=np.arange(len(labels))[: len(labels) // 3])
        yield self._case("sound, logits halved", Part.NONE, 0.0, head=AffineMap(head.weight / 2, head.offset / 2))
        rest = np.flatnonzero(~np.isin(labels, classes[: len(classes) // 3]))
        yield self._case("sound, other classes alone under test", Part.NONE, 0.0, rows=rest)
        rng = np.random.default_rng(self.number)
        rounded = further.rounded(head, bits=6), further.pruned(head, 0.15, rng)
        for name, changed in zip(("sound, head in 6 bits", "sound, a sixth of the head pruned"), rounded, strict=True):
            if self._harmless(self.sound[TEST][:SEARCH_IMAGES], changed):
                yield self._case(name, Part.NONE, 0.0, head=changed)
        if self.network.has_records():
            again = further.estimated_again(self.subject.encoder, self.network.images)
            if self._harmless(embed(again, self.search), head):
                yield self._case("sound, norms estimated again", Part.NONE, 0.0, encoder=again)

    def _harmless(self, z: NDArray[np.float32], head: AffineMap) -> bool:
        return self.accuracy - self._accuracy(z, head) < LEAST_DROP / 2

    def _label_cases(self, mistakes: Iterable[tuple[str, further.LabelChange]]) -> Iterator[PlantedCase]:
        truth = self.subject.labels
        for name, change in mistakes:
            labels = {
                split: change(values, split, np.random.default_rng(self.number)) for split, values in truth.items()
            }
            drop = float((labels[TEST] != truth[TEST]).mean())
            yield self._case(name, Part.LABELS, drop, labels=labels)

    def _wanted(self) -> float:
        self._planted += 1
        return DROPS[(self._planted + self.number) % len(DROPS)]

    def _heads(self, mutators: Iterable[HeadMutator]) -> Iterator[PlantedCase]:
        for seed, mutator in enumerate(mutators):
            head, drop = self._changed_head(mutator.name, mutator, seed, self._wanted())
            if drop >= LEAST_DROP:
                yield self._case(mutator.name, Part.HEAD, drop, head=head)

    def _changed_head(self, kind: str, mutator: HeadMutator, seed: int, wanted: float) -> tuple[AffineMap, float]:
        z = self.sound[TEST][:SEARCH_IMAGES]

        def mutated(strength: float) -> AffineMap:
            return mutator.mutate(self.subject.head, strength, np.random.default_rng([self.number, seed]))

        severity = self.strengths.severity(
            kind, lambda strength: self.accuracy - self._accuracy(z, mutated(strength)), wanted
        )
        return mutated(severity.strength), severity.drop

    def _changed_encoder(self, kind: str, change: Callable[[float], nn.Module]) -> tuple[nn.Module, float] | None:
        def drop(strength: float) -> float:
            return self.accuracy - self._accuracy(embed(change(strength), self.search), self.subject.head)

        severity = self.strengths.severity(kind, drop, self._wanted())
        return (change(severity.strength), severity.drop) if severity.drop >= LEAST_DROP else None

    def _known_encoders(self) -> Iterator[tuple[str, Change]]:
        for mutator in encoders.encoder_mutators(self.subject.encoder, torch.from_numpy(self.search[:1])):
            yield mutator.name, partial(self.network.with_stage, mutator.stage, mutator.mutate)
        yield from further.encoder_faults(self.network)

    def _encoders(self, faults: Iterable[tuple[str, Change]]) -> Iterator[PlantedCase]:
        for name, change in faults:
            made = self._changed_encoder(name, change)
            if made is not None:
                yield self._case(name, Part.ENCODER, made[1], encoder=made[0])

    def _both(
        self, heads: Mapping[str, HeadMutator], stages: Mapping[str, Change], pairs: Iterable[tuple[str, str]]
    ) -> Iterator[PlantedCase]:
        for head_name, stage_name in pairs:
            name = f"{head_name} and {stage_name}"
            made = self._changed_encoder(f"{name}: the encoder", stages[stage_name])
            if made is None:
                continue
            head, _ = self._changed_head(f"{name}: the head", heads[head_name], 9, DROPS[0])
            drop = self.accuracy - self._accuracy(embed(made[0], self.search), head)
            yield self._case(name, Part.BOTH, drop, encoder=made[0], head=head)

    def _pipelines(self, pipelines: Iterable[Pipeline]) -> Iterator[PlantedCase]:
        for pipeline in pipelines:
            given = np.stack(
                [
                    pipeline.prepare(picture, self.subject.prepare)
                    for picture in self.subject.pixels[TEST][:SEARCH_IMAGES]
                ]
            )
            drop = self.accuracy - self._accuracy(embed(self.subject.encoder, given), self.subject.head)
            if drop >= LEAST_DROP:
                yield self._case(pipeline.name, Part.INPUT, drop, pipeline=pipeline)
