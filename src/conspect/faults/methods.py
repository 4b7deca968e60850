"""What each method says of the images that a planted fault made wrong, in both settings."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.alignment import fit_arrays
from conspect.analysis.fault_evidence import Departure, OwnEvidence
from conspect.analysis.heatmaps import aggregate, differential
from conspect.analysis.lens_quality import zero_shot
from conspect.analysis.localization import Blame, Culprit, EvidenceWeights, blame_of, swap_test
from conspect.core.spaces import AffineMap, Float64, Floats, Lens
from conspect.faults.planted import Mutant
from conspect.faults.subjects import TEST, TRAIN, Subject
from conspect.statistics.logistic import LogisticModel, cross_validated_probabilities, fit_logistic

REGRESSION, BLIND = "regression", "blind"
ORACLE, REFITTED, BOTH, SWAP = "paper's oracle", "refitted head", "both", "swap test"
EVIDENCE, UNRECORDED = "evidence", "evidence without records"
PAIRS = 5
Classes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Said:
    """What a method says of each newly wrong image of a mutant."""

    setting: str
    method: str
    blames: list[Blame]


@dataclass(eq=False)
class Judges:
    """All methods on one subject. `sound`: embeddings by split of the sound model. What is fitted on it is fitted once."""

    subject: Subject
    sound: dict[str, Floats]
    _of_space: dict[int, tuple[AffineMap, Float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = self.subject.labels
        self.classes = len(self.subject.class_names)
        self.vlm_on_image = zero_shot(self.subject.vlm[TEST], self.subject.class_directions)
        self.alignment = fit_arrays(self.sound[TRAIN], self.subject.vlm[TRAIN]).map
        self.refitted: LogisticModel = fit_logistic(self.sound[TRAIN], labels[TRAIN], self.classes)
        self.logits = self.subject.head(self.sound[TEST])

    def newly_wrong(self, mutant: Mutant) -> Classes:
        """Rows of test images that the sound model has right and the mutant has wrong: their culprit is known."""
        truth, outputs = self.subject.labels[TEST], mutant.head(mutant.embeddings[TEST]).argmax(1)
        return np.flatnonzero((self.logits.argmax(1) == truth) & (outputs != truth))

    def regression(self, mutant: Mutant, rows: Classes) -> list[Said]:
        """With the sound model: alignment and refitted head are its own, and its parts can be exchanged for the mutant's."""
        truth, z = self.subject.labels[TEST][rows], mutant.embeddings[TEST][rows]
        oracle = self._oracle(self.alignment, z, rows)
        chances = self.refitted.probabilities(z)
        refitted = [_by_refitted(one, label) for one, label in zip(chances, truth, strict=True)]
        swapped = swap_test(
            truth,
            sound=self.logits[rows],
            other_head=mutant.head(self.sound[TEST][rows]),
            other_encoder=self.subject.head(z),
            other=mutant.head(z),
        )
        return [
            Said(REGRESSION, ORACLE, oracle),
            Said(REGRESSION, REFITTED, refitted),
            Said(REGRESSION, BOTH, _both(oracle, refitted)),
            Said(REGRESSION, SWAP, swapped),
        ]

    def blind(self, mutant: Mutant, rows: Classes) -> list[Said]:
        """With the mutant alone: alignment and refitted head are fitted on its own embeddings."""
        truth = self.subject.labels[TEST][rows]
        alignment, chances = self._own(mutant)
        oracle = self._oracle(alignment, mutant.embeddings[TEST][rows], rows)
        refitted = [_by_refitted(one, label) for one, label in zip(chances[rows], truth, strict=True)]
        return [
            Said(BLIND, ORACLE, oracle),
            Said(BLIND, REFITTED, refitted),
            Said(BLIND, BOTH, _both(oracle, refitted)),
        ]

    def evidence(self, mutant: Mutant, rows: Classes) -> Float64:
        """Own evidence on the newly wrong images, `[image, feature]`."""
        train, test = mutant.departure[TRAIN], mutant.departure[TEST]
        departed = None if train is None or test is None else Departure(train, test)
        own = OwnEvidence(mutant.embeddings[TRAIN], self.subject.labels[TRAIN], mutant.head, departed)
        return own.of(mutant.embeddings[TEST][rows], self.subject.labels[TEST][rows])

    def precision(self, mutant: Mutant) -> dict[str, float]:
        """By setting: share of the first five pairs that failures of the class lose which name the concept it lost.

        A pair names the concept when it is the one that should be stronger. Pairs that are missing, because fewer
        are significant, count as misses.
        """
        if mutant.removed is None:
            return {}
        label, concept = mutant.removed
        rows = np.flatnonzero(self.subject.labels[TEST] == label)
        z = mutant.embeddings[TEST][rows]
        right = mutant.head(z).argmax(1) == label
        found = {}
        for setting, alignment in ((REGRESSION, self.alignment), (BLIND, self._own(mutant)[0])):
            strengths = Lens(alignment, self.subject.concept_names, self.subject.directions).strengths(z)
            if right.any() and (~right).any():
                pairs = differential(aggregate(strengths[right]), aggregate(strengths[~right])).top_pairs(PAIRS)
                found[setting] = sum(stronger == concept for stronger, _ in pairs) / PAIRS
        return found

    def _own(self, mutant: Mutant) -> tuple[AffineMap, Float64]:
        """Alignment fitted on the mutant's training embeddings, and a head cross-validated on its test embeddings.

        Mutants of the head share the sound embeddings, so this is done once for all of them.
        """
        space = id(mutant.embeddings)
        if space not in self._of_space:
            self._of_space = {k: v for k, v in self._of_space.items() if k == id(self.sound)}
            z, truth = mutant.embeddings, self.subject.labels[TEST]
            alignment = fit_arrays(z[TRAIN], self.subject.vlm[TRAIN]).map
            self._of_space[space] = (alignment, cross_validated_probabilities(z[TEST], truth, self.classes))
        return self._of_space[space]

    def _oracle(self, alignment: AffineMap, embeddings: Floats, rows: Classes) -> list[Blame]:
        truth, seen = self.subject.labels[TEST][rows], self.vlm_on_image[rows]
        mapped = zero_shot(alignment(embeddings), self.subject.class_directions)
        return [
            Blame(Culprit.UNDECIDED if image != label else Culprit.HEAD if through == label else Culprit.ENCODER, None)
            for label, image, through in zip(truth, seen, mapped, strict=True)
        ]


def by_evidence(weights: EvidenceWeights, evidence: Float64, *, recorded: bool) -> list[Blame]:
    """The evidence weighed: one `Blame` per image."""
    return [blame_of(float(head)) for head in weights.head_probabilities(evidence, recorded=recorded)]


def _by_refitted(chances: Float64, label: int) -> Blame:
    """Head when the refitted head is right; its probability of the true class is the head's probability."""
    culprit = Culprit.HEAD if int(chances.argmax()) == label else Culprit.ENCODER
    return Blame(culprit, float(chances[label]))


def _both(oracle: list[Blame], refitted: list[Blame]) -> list[Blame]:
    """The refitted head's verdict, undecided where the paper's oracle says the opposite."""
    return [
        Blame(Culprit.UNDECIDED, None) if {a.culprit, b.culprit} == {Culprit.HEAD, Culprit.ENCODER} else b
        for a, b in zip(oracle, refitted, strict=True)
    ]
