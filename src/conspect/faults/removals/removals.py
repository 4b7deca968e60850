"""Removals of one concept, planted in networks on rendered scenes: the last block learns to embed one class without it.

Each ground's table of classes makes a network of its own (`conspect.faults.removals.grounds`).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from conspect.analysis.explanation.lost_concepts import SeenImages, shown_of
from conspect.core.protocols import ProgressBar, silent
from conspect.core.spaces import Float64
from conspect.faults.planting.encoders import StageMutation, blocks, towards
from conspect.faults.removals.grounds import Ground
from conspect.faults.removals.removal_folder import KeptRemovals, PlantedRemoval
from conspect.faults.subjects.scene_model import SceneNetwork, prepare, scene_network
from conspect.faults.subjects.scene_training import trained_network
from conspect.faults.subjects.scenes import CLASSES, COLOURS, CONCEPTS, Kind, Scene, concept_labels, draw, scenes

KINDS: tuple[Kind, ...] = ("shape", "texture", "colour")
TRAINING, EPOCHS = 10_000, 6
TAUGHT, TESTED = 1000, 1200
STEPS, BATCH, RATE = 300, 64, 1e-3
# Of the way to what was learned, so much; the recall of the class falls by about so much, and no further from it than that.
STRENGTHS, LOSSES, TOLERANCE = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0), (0.3, 0.6), 0.2


@dataclass(frozen=True, eq=False)
class Removal:
    """Class `label` embedded without `concept` (of `CONCEPTS`): the same pictures by the network before and after."""

    kind: Kind
    label: int
    concept: int
    earlier: SeenImages
    images: SeenImages


def removals(ground: Ground, bar: ProgressBar = silent, keep: Path | None = None) -> Iterator[Removal]:
    """Every removal that a ground's classes allow, each at the strengths that cost the class's recall `LOSSES`.

    Textures called "plain" cannot be removed. Some minutes on one core; what is in the folder `keep` is read, the rest is
    planted and left there class by class. Raises OutsideError for a file there that cannot be read.
    """
    kept = None if keep is None else KeptRemovals(keep, ground)
    planting = _Planting.of(ground, kept)
    advance = bar(f"removals, seed {ground.seed}", len(ground.classes))
    for label in range(len(ground.classes)):
        planted = None if kept is None else kept.planted(label)
        if planted is None:
            planted = list(planting.planted(label))
            if kept is not None:
                kept.keep(label, planted)
        for removal in planted:
            seen = replace(
                planting.earlier, embeddings=np.asarray(removal.embeddings, dtype=np.float64), outputs=removal.outputs
            )
            yield Removal(removal.kind, label, removal.concept, planting.earlier, seen)
        advance(1)


@dataclass(frozen=True, eq=False)
class _Planting:
    """A ground's network, taken apart at its last block, and the pictures that removals are taught and tested on."""

    ground: Ground
    encoder: nn.Sequential
    stage: nn.Module
    tail: nn.Module
    head: nn.Module
    taught: list[Scene]
    before_taught: Tensor
    before_tested: Tensor
    sound: Tensor
    earlier: SeenImages

    @classmethod
    def of(cls, ground: Ground, kept: KeptRemovals | None) -> _Planting:
        network = _network(ground, kept)
        encoder = network.encoder
        last = blocks(encoder)[-1]
        front, stage, tail = encoder[:last], encoder[last], encoder[last + 1 :]
        taught, tested = (
            scenes(TAUGHT, 2000 + ground.seed, ground.classes),
            scenes(TESTED, 3000 + ground.seed, ground.classes),
        )
        before_taught, before_tested = _through(front, _pictures(taught)), _through(front, _pictures(tested))
        embeddings = _through(nn.Sequential(stage, tail), before_tested)
        earlier = SeenImages(
            shown_of(concept_labels(tested)),
            np.asarray(embeddings.numpy(), dtype=np.float64),
            np.array([scene.label for scene in tested], dtype=np.int64),
            _outputs(network.head, embeddings),
            len(ground.classes),
            np.asarray(network.head.weight.detach().numpy(), dtype=np.float64),
        )
        sound = _through(nn.Sequential(stage, tail), before_taught)
        return cls(ground, encoder, stage, tail, network.head, taught, before_taught, before_tested, sound, earlier)

    def planted(self, label: int) -> Iterator[PlantedRemoval]:
        """The removals of one class."""
        for kind, word in zip(KINDS, self.ground.classes[label], strict=True):
            if word != "plain":
                rows = _with_concept(self.taught, label, kind, word)
                targets = self.sound.clone()
                targets[rows] = _through(self.encoder, _pictures([self.taught[row].without(kind) for row in rows]))
                seed = self.ground.seed
                learned = towards(_blind(self.stage, self.tail, self.before_taught, targets, rows=rows, seed=seed))
                for strength in self._strengths(learned, label):
                    embeddings = self._embedded(learned, strength, self.before_tested)
                    yield PlantedRemoval(
                        kind, CONCEPTS.index(word), embeddings.numpy(), _outputs(self.head, embeddings)
                    )

    def _embedded(self, learned: StageMutation, strength: float, before: Tensor) -> Tensor:
        changed = learned(self.stage, strength / max(STRENGTHS), 0)
        return _through(nn.Sequential(changed, self.tail), before)

    def _strengths(self, learned: StageMutation, label: int) -> list[float]:
        """Those whose loss of recall comes closest to `LOSSES`, where it comes close enough."""
        mine = self.earlier.labels == label
        of_class = self.before_tested[torch.from_numpy(mine)]
        recall = np.array(
            [
                (_outputs(self.head, self._embedded(learned, strength, of_class)) == label).mean()
                for strength in STRENGTHS
            ]
        )
        lost: Float64 = (self.earlier.outputs[mine] == label).mean() - recall
        nearest = [int(np.abs(lost - wanted).argmin()) for wanted in LOSSES]
        return [STRENGTHS[k] for k, wanted in zip(nearest, LOSSES, strict=True) if abs(lost[k] - wanted) <= TOLERANCE]


def _network(ground: Ground, kept: KeptRemovals | None) -> SceneNetwork:
    if ground.classes == CLASSES:
        return scene_network()
    network = None if kept is None else kept.network()
    if network is not None:
        return network
    drawn = scenes(TRAINING, 1000 + ground.seed, ground.classes)
    network = trained_network(_pictures(drawn), torch.tensor([scene.label for scene in drawn]), ground.seed, EPOCHS)
    if kept is not None:
        kept.keep_network(network)
    return network


def _pictures(drawn: list[Scene]) -> Tensor:
    return torch.from_numpy(np.stack([prepare(draw(scene)) for scene in drawn]))


def _through(module: nn.Module, batch: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([module(part) for part in torch.split(batch, 512)]).clone()


def _outputs(head: nn.Module, embeddings: Tensor) -> NDArray[np.int64]:
    return np.asarray(_through(head, embeddings).argmax(1).numpy(), dtype=np.int64)


def _with_concept(taught: list[Scene], label: int, kind: Kind, word: str) -> list[int]:
    """The taught scenes of the class that show the concept; a class's colour is not that of all."""
    mine = [row for row, scene in enumerate(taught) if scene.label == label]
    return [row for row in mine if kind != "colour" or COLOURS[taught[row].colour] == word]


def _blind(
    stage: nn.Module, tail: nn.Module, before: Tensor, targets: Tensor, *, rows: list[int], seed: int
) -> nn.Module:
    """A trained copy of `stage`, so that `tail(stage(before))` comes close to `targets [image, D]`; statistics of norms stay."""
    trained = copy.deepcopy(stage).eval()
    optimizer = torch.optim.Adam(trained.parameters(), lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    of = torch.zeros(len(before), dtype=torch.bool)
    of[rows] = True
    scale = targets.std()
    groups = [torch.nonzero(of)[:, 0], torch.nonzero(~of)[:, 0]]
    for _ in range(STEPS):
        chosen = torch.cat([group[torch.randint(len(group), (BATCH // 2,), generator=generator)] for group in groups])
        loss = functional.mse_loss(tail(trained(before[chosen])) / scale, targets[chosen] / scale)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return trained
