"""A picture that is no part of the study, judged by its model and monitor; and what a threshold guarantees and costs."""

from __future__ import annotations

import msgspec

from conspect.results.explanations import ConceptMap
from conspect.results.exploration import ComparedImages, MonitorOpinion, Neighbour


class ClassShare(msgspec.Struct, frozen=True):
    """A class and its softmax probability."""

    name: str
    probability: float


class ConceptStrength(msgspec.Struct, frozen=True):
    """A concept, its strength (cosine) and its percentile among test images of the output that the model gets right."""

    concept: str
    strength: float
    percentile: float | None


class LiveVerdict(msgspec.Struct, frozen=True):
    """What is said of one picture. `monitor` is None where the study has none; `seconds`: from bytes to this answer;
    `in_output`: what its concepts' percentiles are among."""

    width: int
    height: int
    output: str
    classes: tuple[ClassShare, ...]
    monitor: MonitorOpinion | None
    strengths: tuple[ConceptStrength, ...]
    nearest: tuple[Neighbour, ...]
    maps: tuple[ConceptMap, ...]
    seconds: float
    in_output: ComparedImages


class ThresholdPoint(msgspec.Struct, frozen=True):
    """Accepting up to a suspicion of `threshold` (nats): counts among the reported images, and what may be concluded.

    `errors_at_most`: an upper bound on the share of errors among the accepted that holds for all points of the curve at once.
    """

    threshold: float
    accepted: int
    errors: int
    errors_at_most: float


class ThresholdCurve(msgspec.Struct, frozen=True):
    """What accepting up to each suspicion costs and guarantees, on the `images` of which `wrong` have a wrong output.

    `accept`, `suspect`: the deployed thresholds; `sentences`: what was certified of them on the calibration split; `caveat`:
    of which images the curve is.
    """

    images: int
    wrong: int
    confidence: float
    points: tuple[ThresholdPoint, ...]
    accept: float
    suspect: float
    sentences: tuple[str, ...]
    caveat: str
