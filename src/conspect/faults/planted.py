"""All mutants of a subject: each fault at the strengths where accuracy drops by the wanted points, kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load, save
from torch import nn

from conspect.adapters.models.norm_records import departure
from conspect.core.digests import digest_bytes, digest_json
from conspect.core.files import write_atomically, writing_to
from conspect.core.spaces import AffineMap, Floats
from conspect.faults.blindness import blind_stage
from conspect.faults.encoders import EncoderMutator, StageMutation, blocks, encoder_mutators, towards
from conspect.faults.heads import HeadMutator, head_mutators
from conspect.faults.pictures import PictureMutator, add_noise, attack, occlude
from conspect.faults.severity import Severity, severities
from conspect.faults.staged import BATCH, StagedEncoder
from conspect.faults.subjects import TEST, TRAIN, Removal, Subject

DROPS = (0.02, 0.05, 0.10, 0.20)
# Bisection counts on so many test images; what is reported is counted on all.
SEARCH_IMAGES, RECORD_IMAGES = 750, 384
# A fault at its worst that costs less than this leaves too few newly wrong images to count.
LEAST_DROP = 0.005
FORMAT = 1
Prepared: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Mutant:
    """A faulty model. `part`: "head", "encoder" or "input", the truth; embeddings by split `[image, D]`; `removed`: class
    and concept that a blind encoder lost. `departure`: of batch norms from their records, by split (None: no record).
    """

    mutator: str
    part: str
    severity: Severity
    head: AffineMap
    embeddings: dict[str, Floats]
    departure: dict[str, float | None]
    removed: tuple[int, int] | None = None

    @property
    def at(self) -> str:
        """The wanted drop in points, as rows name it."""
        return f"{100 * self.severity.wanted:.0f}"


class Plants:
    """Plants every fault in `subject`; finished mutants are read back from `folder`, so an interrupted run continues."""

    def __init__(self, subject: Subject, folder: Path, advance: Callable[[int], None]) -> None:
        self.subject, self.folder = subject, folder
        self.staged: StagedEncoder = subject.staged(advance)
        self.sound = {split: self.staged.embeddings(split) for split in (TRAIN, TEST)}
        self.outputs = subject.head(self.sound[TEST]).argmax(1)
        self.departure = {
            split: self._departure(subject.encoder, self.staged.pictures[split]) for split in (TRAIN, TEST)
        }
        state = [value.numpy().tobytes() for value in subject.encoder.state_dict().values()]
        arrays = [subject.head.weight.tobytes(), *(self.staged.pictures[split].tobytes() for split in (TRAIN, TEST))]
        self._key = digest_json([FORMAT, digest_bytes(*state, *arrays)])[:16]

    def mutants(self, done: Callable[[int], None]) -> Iterator[Mutant]:
        """Heads first, then encoders, then pictures; `done(1)` after each mutator."""
        for make in (self._heads, self._encoders, self._pictures):
            for found in make():
                yield from found
                done(1)

    def _heads(self) -> Iterator[list[Mutant]]:
        for number, mutator in enumerate(head_mutators(self.sound[TRAIN], self.subject.labels[TRAIN])):
            yield self._head_mutants(mutator, number)

    def _head_mutants(self, mutator: HeadMutator, seed: int) -> list[Mutant]:
        def mutated(strength: float) -> AffineMap:
            return mutator.mutate(self.subject.head, strength, np.random.default_rng([0, seed]))

        def drop(strength: float) -> float:
            return self._drop(mutated(strength)(self.sound[TEST]).argmax(1))

        return [
            Mutant(mutator.name, "head", at, mutated(at.strength), self.sound, self.departure)
            for at in _worth_counting(severities(drop, DROPS))
        ]

    def _encoders(self) -> Iterator[list[Mutant]]:
        encoder = self.subject.encoder
        sample = torch.from_numpy(self.staged.pictures[TEST][:1])
        for seed, mutator in enumerate(encoder_mutators(encoder, sample)):
            yield self._stage_mutants(mutator.name, mutator.stage, partial(_mutated, mutator, encoder, seed), None)
        last = blocks(encoder)[-1]
        for removal in self.subject.removals(self.staged, self.sound[TRAIN]):
            lost = None if removal.concept is None else (removal.label, removal.concept)
            blind = _Blind(self, removal, last)
            yield self._stage_mutants(removal.name, last, blind, lost)

    def _stage_mutants(
        self, name: str, place: int, stage: Callable[[float], nn.Module], lost: tuple[int, int] | None
    ) -> list[Mutant]:
        head = self.subject.head

        def drop(strength: float) -> float:
            z = self.staged.embeddings(TEST, stage=place, mutant=stage(strength), images=SEARCH_IMAGES)
            return self._drop(head(z).argmax(1))

        def make(strength: float) -> dict[str, Prepared]:
            mutant = stage(strength)
            network = nn.Sequential(self.subject.encoder[:place], mutant, self.subject.encoder[place + 1 :])
            arrays = {split: self.staged.embeddings(split, stage=place, mutant=mutant) for split in (TRAIN, TEST)}
            for split in (TRAIN, TEST):
                arrays[f"departure {split}"] = _stored(self._departure(network, self.staged.pictures[split]))
            return arrays

        return self._kept(name, "encoder", drop, make, lost)

    def _pictures(self) -> Iterator[list[Mutant]]:
        subject = self.subject
        for mutator in (PictureMutator("pictures noised", add_noise), PictureMutator("pictures occluded", occlude)):

            def changed(strength: float, images: int | None, mutator: PictureMutator = mutator) -> Prepared:
                return subject.prepared(mutator.mutate(subject.pixels[TEST], strength)[:images])

            yield self._picture_mutants(mutator.name, changed)
        attacked = attack(subject.encoder, subject.head, subject.labels[TEST], self.staged.pictures[TEST])
        yield self._picture_mutants("pictures attacked", attacked)

    def _picture_mutants(self, name: str, changed: Callable[[float, int | None], Prepared]) -> list[Mutant]:
        def drop(strength: float) -> float:
            return self._drop(self.subject.head(self.staged.embed(changed(strength, SEARCH_IMAGES))).argmax(1))

        def make(strength: float) -> dict[str, Prepared]:
            given = changed(strength, None)
            return {
                TRAIN: self.sound[TRAIN],
                TEST: self.staged.embed(given),
                f"departure {TRAIN}": _stored(self.departure[TRAIN]),
                f"departure {TEST}": _stored(self._departure(self.subject.encoder, given)),
            }

        return self._kept(name, "input", drop, make, None)

    def _kept(
        self,
        name: str,
        part: str,
        drop: Callable[[float], float],
        make: Callable[[float], dict[str, Prepared]],
        lost: tuple[int, int] | None,
    ) -> list[Mutant]:
        """The mutants of one fault, from disk where they are there."""
        list_path = self.folder / f"{self._key}-{digest_json(name)[:12]}.json"
        if list_path.is_file():
            found = [Severity(**one) for one in json.loads(list_path.read_text(encoding="utf-8"))]
        else:
            found = _worth_counting(severities(drop, DROPS))
        mutants = []
        for at in found:
            path = list_path.with_suffix(f".{at.wanted}.safetensors")
            if not path.is_file():
                with writing_to(self.folder):
                    write_atomically(path, save({k: np.ascontiguousarray(v) for k, v in make(at.strength).items()}))
            arrays = load(path.read_bytes())
            moved = {split: _read(arrays[f"departure {split}"]) for split in (TRAIN, TEST)}
            z = {split: arrays[split] for split in (TRAIN, TEST)}
            mutants.append(Mutant(name, part, at, self.subject.head, z, moved, lost))
        with writing_to(self.folder):
            as_json = [
                {"wanted": a.wanted, "strength": a.strength, "drop": a.drop, "reached": a.reached} for a in found
            ]
            write_atomically(list_path, json.dumps(as_json).encode())
        return mutants

    def _drop(self, outputs: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
        truth, sound = self.subject.labels[TEST][: len(outputs)], self.outputs[: len(outputs)]
        return float((sound == truth).mean() - (outputs == truth).mean())

    def _departure(self, encoder: nn.Module, pictures: Floats) -> float | None:
        given = pictures[:RECORD_IMAGES]
        return departure(encoder, (torch.from_numpy(given[k : k + BATCH]) for k in range(0, len(given), BATCH)))


class _Blind:
    """The last block on its way to blindness; trained when it is first asked for, which a finished mutant never does."""

    def __init__(self, plants: Plants, removal: Removal, last: int) -> None:
        self.plants, self.removal, self.last = plants, removal, last
        self._mutate: StageMutation | None = None

    def __call__(self, strength: float) -> nn.Module:
        encoder = self.plants.subject.encoder
        if self._mutate is None:
            targets = self.plants.sound[TRAIN].copy()
            targets[self.removal.rows] = self.plants.staged.embed(self.plants.subject.prepared(self.removal.pixels))
            of_class = torch.zeros(len(targets), dtype=torch.bool)
            of_class[torch.from_numpy(self.removal.rows)] = True
            before = self.plants.staged.before(TRAIN, self.last)
            stage, tail = encoder[self.last], encoder[self.last + 1 :]
            self._mutate = towards(blind_stage(stage, tail, before, torch.from_numpy(targets), of_class))
        return self._mutate(encoder[self.last], strength, 0)


def _mutated(mutator: EncoderMutator, encoder: nn.Sequential, seed: int, strength: float) -> nn.Module:
    return mutator.mutate(encoder[mutator.stage], strength, seed)


def _worth_counting(found: list[Severity]) -> list[Severity]:
    """Without the repetitions of a fault at its worst, and without what costs next to nothing."""
    kept: list[Severity] = []
    for one in found:
        if one.drop >= LEAST_DROP and one.strength not in [other.strength for other in kept]:
            kept.append(one)
    return kept


def _stored(value: float | None) -> Prepared:
    return np.array([np.nan if value is None else value], dtype=np.float32)


def _read(value: Prepared) -> float | None:
    return None if np.isnan(value[0]) else float(value[0])
