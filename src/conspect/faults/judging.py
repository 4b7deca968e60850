"""Every case of some networks put before the diagnosis: what it says of the model, and of old and new failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.evidence import ModelEvidence, features
from conspect.analysis.diagnosis.images import Cause, ImageDiagnosis, diagnose_images
from conspect.analysis.diagnosis.weighing import (
    SUSPECTS,
    EvidenceWeights,
    ModelDiagnosis,
    Suspect,
    diagnose,
    fit_weights,
)
from conspect.core.spaces import Float64
from conspect.faults.cases import Case, CaseModel, Cases, Part, embed
from conspect.faults.subjects import TEST, TRAIN, Labels, Subject
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.gathering import COSINE_SCALE, Images, gather, vlm_probe

# Pictures of each split that a case is judged on, and that each change of the input is tried on.
TRAIN_IMAGES, TEST_IMAGES, CHANGED_IMAGES = 2000, 800, 200
SUSPECTED = {
    Part.NONE: {Suspect.NONE},
    Part.LABELS: {Suspect.LABELS},
    Part.INPUT: {Suspect.INPUT},
    Part.HEAD: {Suspect.HEAD},
    Part.ENCODER: {Suspect.ENCODER},
    Part.BOTH: {Suspect.HEAD, Suspect.ENCODER},
}


@dataclass(frozen=True, eq=False)
class JudgedCase:
    """A case with its evidence. All `[image]`: `labels` as given, `truth` as they are, `sound` the sound network's outputs."""

    network: str
    kind: str
    part: Part
    drop: float
    evidence: ModelEvidence
    labels: Labels
    truth: Labels
    outputs: Labels
    sound: Labels
    vlm: tuple[Float64, Float64]

    @property
    def fittable(self) -> bool:
        """Whether the weights of the evidence may be fitted on it: one known suspect, that left a trace, and no other order."""
        evidence = self.evidence
        traceless = self.part is Part.INPUT and evidence.mending is None
        return self.part is not Part.BOTH and not evidence.other_order and not traceless

    def images(self, diagnosis: ModelDiagnosis) -> list[ImageDiagnosis]:
        """What is said of its failures."""
        return diagnose_images(diagnosis, self.labels, self.outputs, self.vlm)


def judged_cases(
    subject: Subject, number: int, done: Callable[[int], None] = lambda cases: None
) -> Iterator[JudgedCase]:
    """All cases of one network with their evidence; `done(1)` after each."""
    subject = subject.first(TRAIN_IMAGES, TEST_IMAGES)
    cases = Cases(subject, number)
    for case in cases:
        with one_thread():
            judged = _judged(case, subject, cases)
        yield judged
        done(1)


def _judged(case: Case, subject: Subject, cases: Cases) -> JudgedCase:
    model, labels = CaseModel(case, subject), case.labels or subject.labels
    changed = case.encoder is not subject.encoder or case.pipeline is not None
    z = cases.sound
    if changed:
        z = {s: embed(case.encoder, np.stack([model.prepare(p) for p in subject.pixels[s]])) for s in (TRAIN, TEST)}
    rows = np.arange(len(labels[TEST])) if case.rows is None else case.rows
    pixels = subject.pixels
    train = Images(lambda row: pixels[TRAIN][row], labels[TRAIN], z[TRAIN], subject.vlm[TRAIN])
    test = Images(lambda row: pixels[TEST][rows[row]], labels[TEST][rows], z[TEST][rows], subject.vlm[TEST][rows])
    probe = vlm_probe(train, len(subject.class_names))
    directions = subject.class_directions
    evidence = gather(model, train, test, class_directions=directions, probe=probe, changed=CHANGED_IMAGES)
    seen = np.asarray(test.vlm, dtype=np.float64)
    return JudgedCase(
        network=subject.name,
        kind=case.kind,
        part=case.part,
        drop=case.drop,
        evidence=evidence,
        labels=test.labels,
        truth=subject.labels[TEST][rows],
        outputs=np.asarray(case.head(test.embeddings).argmax(1), dtype=np.int64),
        sound=np.asarray(subject.head(cases.sound[TEST][rows]).argmax(1), dtype=np.int64),
        vlm=(COSINE_SCALE * (seen @ directions.T), seen @ probe.weight + probe.bias),
    )


def weights_of(cases: Sequence[JudgedCase]) -> EvidenceWeights:
    """Weights of the evidence fitted on those of the cases that are `fittable`."""
    fitted = [case for case in cases if case.fittable]
    truth = [SUSPECTS.index(next(iter(SUSPECTED[case.part]))) for case in fitted]
    return fit_weights(np.stack([features(case.evidence) for case in fitted]), np.array(truth, dtype=np.int64))


def kinds_left_out(cases: Sequence[JudgedCase]) -> list[ModelDiagnosis]:
    """Each case diagnosed by weights for which neither its kind nor, where there are several, its network was seen."""
    several = len({case.network for case in cases}) > 1
    known: dict[tuple[str, str], EvidenceWeights] = {}
    said = []
    for case in cases:
        key = case.kind, case.network
        if key not in known:
            others = [one for one in cases if one.kind != case.kind]
            known[key] = weights_of([one for one in others if not several or one.network != case.network])
        said.append(diagnose(case.evidence, known[key]))
    return said


@dataclass(frozen=True)
class ModelScore:
    """Of diagnoses of models. `right` and `decided` of all `cases` of a part; `false_alarms`: sound ones called broken."""

    right: dict[Part, int]
    decided: dict[Part, int]
    cases: dict[Part, int]

    @property
    def balanced_accuracy(self) -> float:
        """Mean over parts of the share of decided cases that are right."""
        return float(np.mean([self.right[part] / self.decided[part] for part in self.cases if self.decided[part]]))

    @property
    def accuracy(self) -> float:
        """Share of the decided cases that are right."""
        return sum(self.right.values()) / max(sum(self.decided.values()), 1)

    @property
    def undecided(self) -> float:
        """Share of all cases for which more than one suspect is named."""
        return 1 - sum(self.decided.values()) / max(sum(self.cases.values()), 1)

    @property
    def false_alarms(self) -> float:
        """Share of sound models of which something else is said than that nothing is broken."""
        return 1 - (self.right[Part.NONE] + self.cases[Part.NONE] - self.decided[Part.NONE]) / max(
            self.cases[Part.NONE], 1
        )


def score_models(cases: Sequence[JudgedCase], said: Sequence[ModelDiagnosis]) -> ModelScore:
    """Counts by part."""
    parts = [part for part in Part if any(case.part is part for case in cases)]
    right, decided, number = (dict.fromkeys([*parts, Part.NONE], 0) for _ in range(3))
    for case, diagnosis in zip(cases, said, strict=True):
        number[case.part] += 1
        decided[case.part] += diagnosis.suspect is not None
        right[case.part] += diagnosis.suspect in SUSPECTED[case.part]
    return ModelScore(right, decided, number)


@dataclass(frozen=True)
class ImageScore:
    """Of failures put down to head or encoder. New ones: wrong by the fault, `blamed [head, encoder]` by the true part;
    old ones: the sound network fails as well, and a part was blamed for `old_blamed` of `old`."""

    blamed: NDArray[np.int64]
    undecided: int
    old: int
    old_blamed: int

    @property
    def balanced_accuracy(self) -> float:
        """Mean over the true parts of the share of blamed new failures blamed right."""
        shares = [self.blamed[k, k] / self.blamed[k].sum() for k in (0, 1) if self.blamed[k].sum()]
        return float(np.mean(shares)) if shares else float("nan")


def score_images(cases: Sequence[JudgedCase], said: Sequence[ModelDiagnosis]) -> ImageScore:
    """Over all cases in which head or encoder is broken."""
    blamed, undecided, old, old_blamed = np.zeros((2, 2), dtype=np.int64), 0, 0, 0
    causes = (Cause.HEAD, Cause.ENCODER)
    for case, diagnosis in zip(cases, said, strict=True):
        if case.part not in {Part.HEAD, Part.ENCODER}:
            continue
        for image in case.images(diagnosis):
            new = case.sound[image.row] == case.truth[image.row]
            if not new:
                old += 1
                old_blamed += image.cause in causes
            elif image.cause in causes:
                blamed[int(case.part is Part.ENCODER), causes.index(image.cause)] += 1
            else:
                undecided += 1
    return ImageScore(blamed, undecided, old, old_blamed)
