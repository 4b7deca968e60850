"""What the fingerprint of the sound network says of a case, by the way that `conspect fingerprint --against` goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.localization import Culprit
from conspect.core.diagnostics import UserError
from conspect.core.spaces import AffineMap, Floats, Head
from conspect.faults.subjects.sound_network import Labels
from conspect.study.diagnosing.fingerprint import Fingerprint, compared

NOT_COMPARED = "not compared"
CODES = {Culprit.UNDECIDED.value: 0, Culprit.HEAD.value: 1, Culprit.ENCODER.value: 2}


@dataclass(frozen=True, eq=False)
class Version:
    """A network as a fingerprint sees it: what it was fed in a coarse grid `[image, ...]`, embeddings `[image, D]`, its head."""

    fed: Floats
    embeddings: Floats
    head: AffineMap

    def fingerprint(self, labels: Labels, class_names: tuple[str, ...]) -> Fingerprint:
        """Without layers and concepts, which say where in an encoder, and not whether."""
        embeddings = np.asarray(self.embeddings, dtype=np.float64)
        return Fingerprint(
            model="case",
            reference="",
            class_names=class_names,
            concept_names=(),
            head=Head((self.head,)),
            fed=np.asarray(self.fed, dtype=np.float64),
            layers=(),
            embeddings=embeddings,
            labels=labels,
            concepts=np.zeros((0, embeddings.shape[1])),
            concept_offsets=np.zeros(0),
        )


@dataclass(frozen=True, eq=False)
class VersionJudgement:
    """`broken`: parts that are named, with "input pipeline" where what is fed changed, or `NOT_COMPARED`, where the two versions
    have nothing in common; `blames [image]`: the code of what a failure is put down to, 0 where nothing is."""

    broken: tuple[str, ...]
    blames: NDArray[np.int8]


def informed(now: Version, sound: Version, labels: Labels, class_names: tuple[str, ...]) -> VersionJudgement:
    """Of one case; `labels [image]` of the reference images."""
    blames = np.zeros(len(labels), dtype=np.int8)
    try:
        comparison = compared(*(version.fingerprint(labels, class_names) for version in (now, sound)))
    except UserError:
        return VersionJudgement((NOT_COMPARED,), blames)
    for failure in comparison.failures:
        blames[int(failure.id)] = CODES[failure.blame]
    changed = ("input pipeline",) if comparison.input_changed else ()
    return VersionJudgement((*changed, *comparison.broken), blames)
