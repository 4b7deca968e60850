"""Every case of some networks put before the diagnosis: what it says of the model, and of old and new failures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.blame import BlameWeights
from conspect.analysis.diagnosis.evidence import features
from conspect.analysis.diagnosis.images import Cause, ImageEvidence, views_of
from conspect.analysis.diagnosis.weighing import NamedSuspects, order_posterior
from conspect.faults.judgement.case_evidence import CaseEvidence, traced
from conspect.faults.judgement.informed import Version, VersionJudgement, informed
from conspect.faults.planting.cases import CaseModel, Cases, PlantedCase, Series
from conspect.faults.planting.strengths import Strengths
from conspect.faults.subjects.sound_network import TEST, TRAIN, Labels, SoundNetwork
from conspect.statistics.logistic import LogisticModel
from conspect.statistics.threads import one_thread
from conspect.study.diagnosing.fingerprint import LAYER_IMAGES, coarse_grid
from conspect.study.diagnosing.gathering import Images, gather, vlm_probe, vlm_scores

# Pictures of each split that a case is judged on, and that each change of the input is tried on.
TRAIN_IMAGES, TEST_IMAGES, CHANGED_IMAGES = 2000, 1000, 100


@dataclass(frozen=True, eq=False)
class JudgedCase(CaseEvidence):
    """A case with all that is known of its images, and of it. All `[image]`: `labels` as given, `truth` as they are, `outputs`,
    and `sound`, those of the sound network. `informed`: what the fingerprint of the sound network says.
    """

    images: ImageEvidence
    labels: Labels
    truth: Labels
    outputs: Labels
    sound: Labels
    informed: VersionJudgement

    def causes(self, answer: NamedSuspects, weights: BlameWeights) -> list[Cause | None]:
        """Of each image, were it a failure: what it is put down to where `answer` is said of the model."""
        return self.images.causes(answer, weights)

    @property
    def new(self) -> NDArray[np.bool_]:
        """`[image]`: failures that the sound network does not have."""
        return np.asarray((self.outputs != self.labels) & (self.sound == self.truth))

    @property
    def old(self) -> NDArray[np.bool_]:
        """`[image]`: failures that it has as well."""
        return np.asarray((self.outputs != self.labels) & (self.sound != self.truth))


class KeptCases(Protocol):
    """Where judged cases of one network in one series are kept."""

    @property
    def strengths(self) -> Strengths:
        """Those that were searched for."""

    def read(self, place: int, kind: str) -> JudgedCase | None:
        """The case at this place, where it was kept and is of this kind."""

    def write(self, place: int, case: JudgedCase) -> None:
        """Keeps a case."""


def judged_cases(
    subject: SoundNetwork,
    number: int,
    done: Callable[[int], None] = lambda cases: None,
    *,
    series: Series = Series.FIRST,
    changed: int | None = None,
    kept: KeptCases | None = None,
) -> Iterator[JudgedCase]:
    """All cases of one network in one series of kinds with their evidence; `done(1)` after each.

    `changed`: pictures that each change of the input is tried on (default: `CHANGED_IMAGES`). `kept`: where cases that were
    judged before are, and new ones go.
    """
    strengths = None if kept is None else kept.strengths
    cases = Cases(subject.first(TRAIN_IMAGES, TEST_IMAGES), number, series=series, strengths=strengths)
    yield from judged_among(cases, cases, done, changed=changed, kept=kept)


def judged_among(
    planted: Iterable[PlantedCase],
    cases: Cases,
    done: Callable[[int], None] = lambda cases: None,
    *,
    changed: int | None = None,
    kept: KeptCases | None = None,
) -> Iterator[JudgedCase]:
    """Cases `planted` in the network that `cases` are of, otherwise as `judged_cases`."""
    probes: dict[bytes, LogisticModel] = {}
    for place, case in enumerate(planted):
        judged = None if kept is None else kept.read(place, case.kind)
        if judged is None:
            with one_thread():
                judged = _judged(case, cases, probes, CHANGED_IMAGES if changed is None else changed)
            if kept is not None:
                kept.write(place, judged)
        yield judged
        done(1)


def _judged(case: PlantedCase, cases: Cases, probes: dict[bytes, LogisticModel], changed: int) -> JudgedCase:
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
        traced=traced(case.part, evidence),
        blind=features(evidence),
        reported=features(reported),
        too_close=evidence.too_close,
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
