"""Every case of some networks put before the diagnosis: what it says of the model, and of old and new failures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.evidence import ModelEvidence, features
from conspect.analysis.diagnosis.images import ImageEvidence, views_of
from conspect.analysis.diagnosis.weighing import (
    SUSPECTS,
    Answer,
    EvidenceWeights,
    Suspect,
    fit_weights,
    order_posterior,
)
from conspect.core.spaces import Float64
from conspect.faults.cases import Case, CaseModel, Cases, Part, Series
from conspect.faults.informed import Version, VersionJudgement, informed
from conspect.faults.subjects import TEST, TRAIN, Labels, SoundNetwork
from conspect.statistics.logistic import LogisticModel
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.fingerprint import LAYER_IMAGES, coarse_grid
from conspect.study.diagnosing.gathering import Images, gather, vlm_probe, vlm_scores

# Pictures of each split that a case is judged on, and that each change of the input is tried on.
TRAIN_IMAGES, TEST_IMAGES, CHANGED_IMAGES = 2000, 1000, 100
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
    """A case with what is known of it. All `[image]`: `labels` as given, `truth` as they are, `outputs`, and `sound`, those of
    the sound network.

    `blind`, `reported [feature]`: the evidence as numbers, without and with the accuracy that the sound network has;
    `order [suspect]`: the answer where the class names are in another order, else None. `traced`: whether the fault left a
    trace that its part can be known by (an input that can be mended, or that loses something). `informed`: what the
    fingerprint of the sound network says.
    """

    network: str
    kind: str
    part: Part
    drop: float
    series: Series
    traced: bool
    blind: Float64
    reported: Float64
    order: Float64 | None
    images: ImageEvidence
    labels: Labels
    truth: Labels
    outputs: Labels
    sound: Labels
    informed: VersionJudgement

    @property
    def fittable(self) -> bool:
        """Whether the weights of the evidence may be fitted on it: one known suspect, that left a trace, and no other order."""
        return self.part is not Part.BOTH and self.order is None and self.traced and self.series is not Series.FOURTH

    def answer(self, weights: EvidenceWeights, *, reported: bool = False) -> Answer:
        """What is said of the model, knowing the accuracy that it had or not."""
        if self.order is not None:
            return Answer.of(self.order)
        return Answer.of(weights.posterior(self.reported if reported else self.blind))


def judged_cases(
    subject: SoundNetwork,
    number: int,
    done: Callable[[int], None] = lambda cases: None,
    *,
    series: Series = Series.FIRST,
    changed: int | None = None,
) -> Iterator[JudgedCase]:
    """All cases of one network in one series of kinds with their evidence; `done(1)` after each.

    `changed`: pictures that each change of the input is tried on (default: `CHANGED_IMAGES`).
    """
    subject = subject.first(TRAIN_IMAGES, TEST_IMAGES)
    cases = Cases(subject, number, series=series)
    probes: dict[bytes, LogisticModel] = {}
    for case in cases:
        with one_thread():
            judged = _judged(case, cases, probes, CHANGED_IMAGES if changed is None else changed)
        yield judged
        done(1)


def _judged(case: Case, cases: Cases, probes: dict[bytes, LogisticModel], changed: int) -> JudgedCase:
    subject = cases.subject
    model, labels = CaseModel(case, subject, cases.memory), case.labels or subject.labels
    z = cases.sound
    if case.encoder is not subject.encoder or case.pipeline is not None:
        z = {s: model.embed(np.stack([model.prepare(p) for p in subject.pixels[s]])) for s in (TRAIN, TEST)}
    rows = np.arange(len(labels[TEST])) if case.rows is None else case.rows
    pixels = subject.pixels
    train = Images(lambda row: pixels[TRAIN][row], labels[TRAIN], z[TRAIN], subject.vlm[TRAIN])
    test = Images(lambda row: pixels[TEST][rows[row]], labels[TEST][rows], z[TEST][rows], subject.vlm[TEST][rows])
    key = labels[TRAIN].tobytes()
    if key not in probes:
        probes[key] = vlm_probe(train, len(subject.class_names))
    directions, probe = subject.class_directions, probes[key]
    evidence = gather(model, train, test, class_directions=directions, probe=probe, changed=changed)
    truth = subject.labels[TEST]
    sound = np.asarray(subject.head(cases.sound[TEST]).argmax(1), dtype=np.int64)
    reported = replace(evidence, reported=float((sound == truth).mean()))
    return JudgedCase(
        network=subject.name,
        kind=case.kind,
        part=case.part,
        drop=case.drop,
        series=cases.series,
        traced=case.part is not Part.INPUT or _traced(evidence),
        blind=features(evidence),
        reported=features(reported),
        order=order_posterior(evidence),
        images=views_of(evidence, test.labels, vlm_scores(test.vlm, directions, probe)).evidence(),
        labels=test.labels,
        truth=truth[rows],
        outputs=np.asarray(case.head(test.embeddings).argmax(1), dtype=np.int64),
        sound=sound[rows],
        informed=_informed(model, cases, rows, test),
    )


def _informed(model: CaseModel, cases: Cases, rows: NDArray[np.int64], test: Images) -> VersionJudgement:
    """By fingerprints on the case's own test images."""
    case, subject = model.case, cases.subject
    plain = cases.prepared[TEST][rows[:LAYER_IMAGES]]
    given = plain
    if case.pipeline is not None:
        given = np.stack([model.prepare(subject.pixels[TEST][row]) for row in rows[:LAYER_IMAGES]])
    now = Version(coarse_grid(given), test.embeddings, case.head)
    before = Version(coarse_grid(plain), cases.sound[TEST][rows], subject.head)
    return informed(now, before, test.labels, subject.class_names)


def _traced(evidence: ModelEvidence) -> bool:
    return evidence.mending is not None or (evidence.preparation is not None and bool(evidence.preparation.lost))


def weights_of(cases: Sequence[JudgedCase]) -> EvidenceWeights:
    """Weights of the evidence fitted on those of the cases that are `fittable`, without and with the accuracy that was."""
    fitted = [case for case in cases if case.fittable]
    truth = [SUSPECTS.index(next(iter(SUSPECTED[case.part]))) for case in fitted]
    known = np.stack([case.blind for case in fitted] + [case.reported for case in fitted])
    return fit_weights(known, np.array(2 * truth, dtype=np.int64))


def kinds_left_out(cases: Sequence[JudgedCase], *, reported: bool = False) -> list[Answer]:
    """Each case diagnosed by weights for which neither its kind nor, where there are several, its network was seen."""
    several = len({case.network for case in cases}) > 1
    known: dict[tuple[str, str], EvidenceWeights] = {}
    said = []
    for case in cases:
        key = case.kind, case.network
        if key not in known:
            others = [other for other in cases if other.kind != case.kind]
            known[key] = weights_of([other for other in others if not several or other.network != case.network])
        said.append(case.answer(known[key], reported=reported))
    return said
