"""Removals of one concept, planted in networks on rendered scenes: the last block learns to embed one class without it.

Four tables of classes make four networks. Whatever names the concept that was lost is tuned on the first two and judged on
the others, which have other classes, other pictures and other seeds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from conspect.analysis.explanation.lost_concepts import SeenImages, shown_of
from conspect.core.protocols import ProgressBar, silent
from conspect.core.spaces import Float64
from conspect.faults.encoders import StageMutation, blocks, towards
from conspect.faults.scene_model import SceneNetwork, prepare, scene_network
from conspect.faults.scene_training import trained_network
from conspect.faults.scenes import CLASSES, COLOURS, CONCEPTS, ClassTable, Kind, Scene, concept_labels, draw, scenes

SECOND: ClassTable = (
    ("square", "dotted", "green"), ("triangle", "striped", "blue"), ("cross", "plain", "red"), ("cross", "dotted", "blue"),
    ("disc", "striped", "yellow"), ("square", "plain", "red"), ("triangle", "dotted", "yellow"), ("disc", "plain", "green"),
)  # fmt: skip
THIRD: ClassTable = (
    ("cross", "striped", "green"), ("cross", "dotted", "red"), ("square", "striped", "yellow"), ("disc", "dotted", "green"),
    ("triangle", "plain", "blue"), ("triangle", "striped", "red"), ("disc", "plain", "yellow"), ("square", "dotted", "blue"),
)  # fmt: skip
FOURTH: ClassTable = (
    ("disc", "striped", "blue"), ("square", "striped", "green"), ("triangle", "striped", "yellow"), ("cross", "plain", "blue"),
    ("disc", "dotted", "red"), ("square", "plain", "yellow"), ("triangle", "dotted", "green"), ("cross", "dotted", "yellow"),
)  # fmt: skip
KINDS: tuple[Kind, ...] = ("shape", "texture", "colour")
TRAINING, EPOCHS = 10_000, 6
TAUGHT, TESTED = 1000, 1200
STEPS, BATCH, RATE = 300, 64, 1e-3
# Of the way to what was learned, so much; the recall of the class falls by about so much, and no further from it than that.
STRENGTHS, LOSSES, TOLERANCE = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0), (0.3, 0.6), 0.2


class Purpose(Enum):
    """What a network's removals are for."""

    TUNED = "tuned on"
    JUDGED = "judged on"


@dataclass(frozen=True)
class Ground:
    """A table of classes, and the seed of its network, its pictures and its removals."""

    purpose: Purpose
    classes: ClassTable
    seed: int


GROUNDS = (
    Ground(Purpose.TUNED, CLASSES, 7),
    Ground(Purpose.TUNED, SECOND, 11),
    Ground(Purpose.JUDGED, THIRD, 21),
    Ground(Purpose.JUDGED, FOURTH, 31),
)


@dataclass(frozen=True, eq=False)
class Removal:
    """Class `label` embedded without `concept` (of `CONCEPTS`): the same pictures by the network before and after."""

    kind: Kind
    label: int
    concept: int
    earlier: SeenImages
    images: SeenImages


def removals(ground: Ground, bar: ProgressBar = silent) -> Iterator[Removal]:
    """Every removal that a ground's classes allow, each at the strengths that cost the class's recall `LOSSES`.

    Textures called "plain" cannot be removed. A minute on sixteen cores, some ten minutes on one.
    """
    network = _network(ground)
    encoder, head = network.encoder, network.head
    last = blocks(encoder)[-1]
    front, stage, tail = encoder[:last], encoder[last], encoder[last + 1 :]
    taught, tested = (
        scenes(TAUGHT, 2000 + ground.seed, ground.classes),
        scenes(TESTED, 3000 + ground.seed, ground.classes),
    )
    before_taught, before_tested = _through(front, _pictures(taught)), _through(front, _pictures(tested))
    sound = _through(nn.Sequential(stage, tail), before_taught)
    labels = np.array([scene.label for scene in tested], dtype=np.int64)
    shown = shown_of(concept_labels(tested))

    def seen(changed: nn.Module) -> SeenImages:
        embeddings = _through(nn.Sequential(changed, tail), before_tested)
        outputs = np.asarray(_through(head, embeddings).argmax(1).numpy(), dtype=np.int64)
        return SeenImages(shown, np.asarray(embeddings.numpy(), dtype=np.float64), labels, outputs, len(ground.classes))

    earlier = seen(stage)
    planned = [
        (c, kind, word) for c, words in enumerate(ground.classes) for kind, word in zip(KINDS, words, strict=True)
    ]
    advance = bar(f"removals, seed {ground.seed}", len(planned))
    for label, kind, word in planned:
        if word != "plain":
            rows = _with_concept(taught, label, kind, word)
            targets = sound.clone()
            targets[rows] = _through(encoder, _pictures([taught[row].without(kind) for row in rows]))
            learned = towards(_blind(stage, tail, before_taught, targets, rows=rows, seed=ground.seed))
            for changed in _at_losses(learned, stage, seen, earlier, label):
                yield Removal(kind, label, CONCEPTS.index(word), earlier, changed)
        advance(1)


def _network(ground: Ground) -> SceneNetwork:
    if ground.classes == CLASSES:
        return scene_network()
    drawn = scenes(TRAINING, 1000 + ground.seed, ground.classes)
    return trained_network(_pictures(drawn), torch.tensor([scene.label for scene in drawn]), ground.seed, EPOCHS)


def _pictures(drawn: list[Scene]) -> Tensor:
    return torch.from_numpy(np.stack([prepare(draw(scene)) for scene in drawn]))


def _through(module: nn.Module, batch: Tensor) -> Tensor:
    with torch.inference_mode():
        return torch.cat([module(part) for part in torch.split(batch, 512)]).clone()


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


def _at_losses(
    learned: StageMutation, stage: nn.Module, seen: Callable[[nn.Module], SeenImages], earlier: SeenImages, label: int
) -> Iterator[SeenImages]:
    """The images by the stage at the strengths whose loss of recall comes closest to `LOSSES`, where it comes close enough."""
    mine = earlier.labels == label
    by_strength = [seen(learned(stage, strength / max(STRENGTHS), 0)) for strength in STRENGTHS]
    recall = np.array([(images.outputs[mine] == label).mean() for images in by_strength])
    lost: Float64 = (earlier.outputs[mine] == label).mean() - recall
    for wanted in LOSSES:
        nearest = int(np.abs(lost - wanted).argmin())
        if abs(lost[nearest] - wanted) <= TOLERANCE:
            yield by_strength[nearest]
