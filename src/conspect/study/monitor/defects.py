"""What a monitor should flag beside wrong outputs on clean images: attacks, corruptions, inputs of no class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.attacks.attack import Attack
from conspect.adapters.attacks.attacked import AttackedImages, attacked
from conspect.adapters.attacks.suspicion import FusedSuspicion
from conspect.adapters.datasets.drawn.no_class import no_class
from conspect.adapters.datasets.views.chained import ChainedImages
from conspect.adapters.datasets.views.corruptions import KINDS, STRENGTHS, CorruptedImages
from conspect.adapters.datasets.views.subsets import Subset
from conspect.adapters.store.places import Store
from conspect.core.capabilities import with_gradients
from conspect.core.diagnostics import OutsideError
from conspect.core.protocols import ImageDataset, ProgressBar
from conspect.monitor.runtime import Detector
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.monitor.sizes import MonitorSizes
from conspect.study.monitor.splits import Split, look_again, measure_images, witness

EPSILONS, RESTARTS = (2, 4, 8), 3
TAUGHT = Attack("PGD", 8, restarts=RESTARTS)
PLAIN = tuple(Attack(kind, epsilon, restarts=RESTARTS) for kind in ("FGSM", "PGD") for epsilon in EPSILONS)
ADAPTIVE = tuple(Attack("adaptive PGD", epsilon) for epsilon in EPSILONS)


class DefectKind(Enum):
    """What is the matter with the inputs of a defect."""

    ATTACK = "attack"
    NO_CLASS = "no class"
    CORRUPTION = "corruption"


@dataclass(frozen=True, eq=False)
class Defect:
    """Inputs of one `kind`. `suspect [image]`: those to flag; where none is normal, clean right inputs stand against them."""

    kind: DefectKind
    name: str
    split: Split
    suspect: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DefectSource:
    """Where defective inputs come from and what measures them."""

    sizes: MonitorSizes
    inputs: StudyInputs
    measured: Measurements
    folder: Path
    store: Store
    bar: ProgressBar


def no_attacks(place: DefectSource) -> str | None:
    """Why there are no attacks; None when there are some."""
    if place.sizes.attacked == 0:
        return "none were asked for"
    if with_gradients(place.inputs.model) is None:
        return "the model gives no gradients"
    return None


def attacks_to_learn_from(place: DefectSource, fit: Split) -> Split | str:
    """Attacked images of the fit split whose output is wrong, with looks; or why there are none."""
    reason = no_attacks(place)
    if reason is not None:
        return reason
    try:
        made = _attacked(place, fit, TAUGHT, place.sizes.attacked)
    except OutsideError as error:
        return error.diagnostics[0].problem
    split, _ = _measured(place, [_succeeded(made)], "attacks to learn from", seen=False)
    return split if len(split) else "no attack succeeded"


def defects(
    place: DefectSource, report: Split, detector: Detector, *, seed: int
) -> tuple[list[Defect], list[AttackedImages], dict[str, str]]:
    """All defects of the report split's images, the attacks behind them, and what is left out: name to reason."""
    listed: list[Defect] = []
    attacks, left_out = _attacks(place, report, detector)
    hit = [_succeeded(attack) for attack in attacks]
    if sum(map(len, hit)):
        whole, rows = _measured(place, hit, "attacked images", seen=True)
        for attack, part in zip(attacks, rows, strict=True):
            if len(part):
                split = whole.take(part)
                listed.append(Defect(DefectKind.ATTACK, attack.attack.name, split, np.ones(len(split), dtype=np.bool_)))
    if place.sizes.corrupted:
        listed += _corruptions(place, report, seed)
    if place.sizes.of_no_class:
        sets, missing = no_class(
            report.dataset, place.sizes.of_no_class, side=report.dataset.image(0).shape[0], seed=seed
        )
        left_out |= missing
        whole, rows = _measured(place, sets, "inputs of no class", seen=True, labelled=False)
        for kind, part in zip(sets, rows, strict=True):
            split = whole.take(part)
            everything = np.ones(len(split), dtype=np.bool_)
            listed.append(Defect(DefectKind.NO_CLASS, f"no class: {kind.name}", split, everything))
    return listed, attacks, left_out


def _attacks(place: DefectSource, report: Split, detector: Detector) -> tuple[list[AttackedImages], dict[str, str]]:
    reason = no_attacks(place)
    if reason is not None:
        return [], {"attacks": reason}
    images, knows = place.sizes.attacked, FusedSuspicion(detector)
    try:
        made = [_attacked(place, report, attack, images) for attack in PLAIN]
        # Three times the work an image: half as many.
        made += [_attacked(place, report, attack, -(-images // 2), knows) for attack in ADAPTIVE]
    except OutsideError as error:
        return [], {"attacks": error.diagnostics[0].problem}
    return made, {}


def _attacked(
    place: DefectSource, split: Split, attack: Attack, images: int, suspicion: FusedSuspicion | None = None
) -> AttackedImages:
    rows = np.flatnonzero(~split.wrong)[:images]
    model = place.inputs.model
    folder = place.folder / "attacks"
    return attacked(model, split.dataset, rows, attack, folder, suspicion=suspicion, bar=place.bar)  # type: ignore[arg-type]


def _succeeded(made: AttackedImages) -> ImageDataset:
    return Subset(made, np.flatnonzero(made.succeeded).astype(np.int64))


def _corruptions(place: DefectSource, report: Split, seed: int) -> list[Defect]:
    """One defect a strength: the first images of the report split, each under the next of the nine kinds in turn."""
    rows = np.arange(min(place.sizes.corrupted, len(report)))
    parts: list[ImageDataset] = [
        Subset(CorruptedImages(report.dataset, kind, strength, seed), rows[k :: len(KINDS)])
        for strength in STRENGTHS
        for k, kind in enumerate(KINDS)
    ]
    whole, by_part = _measured(place, parts, "corrupted images", seen=True)
    corrupted = []
    for place_of, strength in enumerate(STRENGTHS):
        taken = np.concatenate(by_part[place_of * len(KINDS) : (place_of + 1) * len(KINDS)])
        split = whole.take(taken)
        if split.wrong.any() and not split.wrong.all():
            name = f"misclassified under corruption {strength}"
            corrupted.append(Defect(DefectKind.CORRUPTION, name, split, split.wrong))
    return corrupted


def _measured(
    place: DefectSource, parts: Sequence[ImageDataset], stage: str, *, seen: bool, labelled: bool = True
) -> tuple[Split, list[NDArray[np.int64]]]:
    """All parts through the model, its second look and, if `seen`, the VLM; and the rows of each part that are readable."""
    chain, store = ChainedImages(stage, parts), place.store
    split = measure_images(chain, place.inputs, store, stage=stage, bar=place.bar, labelled=labelled)
    split = look_again(split, place.inputs, store, stage=f"{stage}: second look", bar=place.bar)
    if seen:
        evidence = witness(split, place.inputs, place.measured, store, stage=f"{stage}: VLM", bar=place.bar)
        split = replace(split, witnessed=evidence)
    kept = split.dataset.rows if isinstance(split.dataset, Subset) else np.arange(len(chain))
    ends = np.searchsorted(kept, chain.starts)
    return split, [np.arange(start, stop) for start, stop in pairwise(ends)]
