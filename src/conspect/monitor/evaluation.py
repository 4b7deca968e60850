"""All detectors on the same splits: the paper's, Conspect's and the baselines, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from conspect.core.diagnostics import user_error
from conspect.core.spaces import AffineMap, Floats
from conspect.core.vectors import softmax
from conspect.monitor.detectors import baselines
from conspect.monitor.detectors.paper import CosineHeatmaps, LikelihoodRatio, StoredHeatmaps
from conspect.monitor.detectors.vlm_tier import VlmEvidence, VlmTier
from conspect.monitor.fitting.fusion import FitOptions, FittedDetector, ModelOutputs, Readout, prepare
from conspect.monitor.fitting.second_look import FittedSecondLook, fit_second_look
from conspect.monitor.runtime.looks import Look
from conspect.monitor.runtime.second_look import Looks
from conspect.monitor.runtime.suspicion import FEATURES
from conspect.statistics.detection import HIGHER_IS_BETTER, MetricName, Score, measure
from conspect.statistics.detection_bootstrap import Estimate, ResampledMetrics, resample

Kind: TypeAlias = Literal["paper", "conspect", "conspect+vlm", "baseline"]
KIND_OF: dict[str, Kind] = {
    "maximum softmax": "baseline",
    "maximum logit": "baseline",
    "energy": "baseline",
    "maximum softmax over looks": "baseline",
    "log-odds over looks": "baseline",
    "VLM's class lead and looks, no concept": "baseline",
    "entropy": "baseline",
    "Mahalanobis": "baseline",
    "nearest neighbours": "baseline",
    "ViM": "baseline",
    "heatmap cosine": "paper",
    "heatmap likelihood ratio": "paper",
    "concept evidence": "conspect",
    "fused": "conspect",
    "fused, taught attacks": "conspect",
    "fused, second look": "conspect",
    "fused, VLM at run time": "conspect+vlm",
    "fused, second look, VLM": "conspect+vlm",
}
# The baseline that costs as many forward passes as the second look: what looks alone are worth.
LOOKED_BASELINE = "maximum softmax over looks"
# What costs more than one look at each input, and takes no part in the choice of the baseline to beat. The last asks a
# second classifier, the VLM, about the classes alone: what it gains owes nothing to concepts.
COSTLY_BASELINES = (LOOKED_BASELINE, "log-odds over looks", "VLM's class lead and looks, no concept")


@dataclass(frozen=True, eq=False)
class Training:
    """What the model was trained on: `embeddings [image, D]`, true `labels [image]`, and its linear head.

    Without a linear head (None) there is no ViM, and without images of every class no Mahalanobis.
    """

    embeddings: Floats
    labels: NDArray[np.integer]
    head: AffineMap | None


@dataclass(frozen=True, eq=False)
class Detectors:
    """Every detector, fitted. Baselines on the model's training split, the others on the held-out fit split."""

    readout: Readout
    mahalanobis: baselines.Mahalanobis | None
    neighbours: baselines.NearestNeighbours
    virtual_logit: baselines.VirtualLogit | None
    cosine: CosineHeatmaps
    ratio: LikelihoodRatio
    fused: FittedDetector
    second_tier: VlmTier | None
    taught: FittedDetector | None = None
    second_look: FittedSecondLook | None = None
    second_look_and_vlm: VlmTier | None = None
    lead_and_looks: VlmTier | None = None

    @classmethod
    def fit(
        cls,
        readout: Readout,
        training: Training,
        inputs: ModelOutputs,
        labels: NDArray[np.integer],
        *,
        witnessed: VlmEvidence | None = None,
        looked: Looks | None = None,
        also_suspect: tuple[ModelOutputs, Looks | None] | None = None,
        further: tuple[Look, ...] = (),
        options: FitOptions | None = None,
    ) -> Detectors:
        """`inputs`, `labels`: the held-out fit split; `witnessed`: the VLM's word on its first images, for the second tier.

        `looked`: several looks at each image, for the second look; `further`: which these are beside the first.
        `also_suspect`: further inputs to flag, and their looks.
        They teach a second fused detector and the second look; one look alone tells them apart at the cost of honest errors.
        """
        classes = inputs.logits.shape[1]
        wrong = np.asarray(inputs.outputs != labels)
        stored = StoredHeatmaps.count(readout.concepts(inputs.embeddings), inputs.outputs, wrong, classes)
        more, more_looked = also_suspect or (None, None)
        prepared = prepare(readout, inputs, labels, options=options)
        fused = prepared.detector()
        taught = None if more is None else prepared.detector(more)
        second = second_look = both = lead = None
        if looked is not None:
            also = None
            if more is not None and more_looked is not None:
                also = fused.detector.suspicion(more.embeddings, more.logits)[0], more_looked
            second_look = fit_second_look(
                fused.detector.folded, fused.cross_fitted, looked, wrong, also_suspect=also, further=further
            )
        if witnessed is not None:
            second = _second_tier(fused.cross_fitted, witnessed, inputs.outputs, wrong)
            if looked is not None:
                lead = _second_tier(mean_log_odds(looked.logits), without_concepts(witnessed), inputs.outputs, wrong)
            if second_look is not None:
                both = _second_tier(second_look.of_fit_split, witnessed, inputs.outputs, wrong)
        neighbour = min(50, len(training.embeddings))
        complete = len(np.unique(training.labels)) == classes
        return cls(
            readout=readout,
            mahalanobis=baselines.Mahalanobis.fit(training.embeddings, training.labels, classes) if complete else None,
            neighbours=baselines.NearestNeighbours.fit(training.embeddings, k=neighbour),
            virtual_logit=baselines.VirtualLogit.fit(training.embeddings, training.head) if training.head else None,
            cosine=CosineHeatmaps.fit(stored),
            ratio=LikelihoodRatio.fit(stored),
            fused=fused,
            second_tier=second,
            taught=taught,
            second_look=second_look,
            second_look_and_vlm=both,
            lead_and_looks=lead,
        )

    def scores(
        self, inputs: ModelOutputs, witnessed: VlmEvidence | None = None, looked: Looks | None = None
    ) -> dict[str, Score]:
        """Every detector's score of the inputs, by the names of KIND_OF; those of further tiers when their input is given."""
        logits, embeddings, outputs = inputs.logits, inputs.embeddings, inputs.outputs
        numerators = self.readout.concepts(embeddings)
        detector = self.fused.detector
        across = np.ascontiguousarray(np.asarray(logits, dtype=np.float32).T)
        features, _ = detector.features(across, detector.folded.readings(embeddings))
        suspicion = detector.suspicion_of_features(features, outputs).astype(np.float64)
        scored = {
            "maximum softmax": baselines.maximum_softmax(logits),
            "maximum logit": baselines.maximum_logit(logits),
            "energy": baselines.energy(logits),
            "entropy": baselines.entropy(logits),
            "nearest neighbours": self.neighbours.score(embeddings),
            "heatmap cosine": self.cosine.score(numerators, outputs),
            "heatmap likelihood ratio": self.ratio.score(numerators, outputs),
            "concept evidence": Score(features[FEATURES.index("concept evidence")].astype(np.float64), "suspect"),
            "fused": Score(suspicion, "suspect"),
        }
        if self.taught is not None:
            taught, _ = self.taught.detector.suspicion(embeddings, logits)
            scored["fused, taught attacks"] = Score(taught.astype(np.float64), "suspect")
        if self.mahalanobis is not None:
            scored["Mahalanobis"] = self.mahalanobis.score(embeddings)
        if self.virtual_logit is not None:
            scored["ViM"] = self.virtual_logit.score(embeddings, logits)
        if looked is not None and self.second_look is not None:
            scored[LOOKED_BASELINE] = mean_softmax(looked.logits)
            scored[COSTLY_BASELINES[1]] = mean_log_odds(looked.logits)
            if witnessed is not None and self.lead_and_looks is not None:
                lead = self.lead_and_looks.score(scored[COSTLY_BASELINES[1]], without_concepts(witnessed), outputs)
                scored[COSTLY_BASELINES[2]] = lead
            looks = self.second_look.second_look.suspicion(looked, suspicion, detector.folded)[0]
            scored["fused, second look"] = Score(looks.astype(np.float64), "suspect")
            if witnessed is not None and self.second_look_and_vlm is not None:
                both = self.second_look_and_vlm.score(scored["fused, second look"], witnessed, outputs)
                scored["fused, second look, VLM"] = both
        if witnessed is not None:
            if self.second_tier is None:
                fix = "give the VLM's strengths of the fit split as well"
                raise user_error("MONITOR001", "the second tier was not fitted", fix)
            scored["fused, VLM at run time"] = self.second_tier.score(scored["fused"], witnessed, outputs)
        return {name: scored[name] for name in KIND_OF if name in scored}


def mean_softmax(logits: Floats) -> Score:
    """Mean softmax probability over `logits [image, look, class]` of the first look's output, higher = normal."""
    probabilities = softmax(logits).mean(1)
    return Score(probabilities[np.arange(len(logits)), logits[:, 0].argmax(1)], "normal")


def mean_log_odds(logits: Floats) -> Score:
    """Mean over looks of minus the log-odds of the first look's output, nats, higher = suspect.

    `logits [image, look, class]`. What the second look begins with; no concept takes part.
    """
    values = np.asarray(logits, dtype=np.float64)
    rows, outputs = np.arange(len(values)), values[:, 0].argmax(1)
    own = values[rows, :, outputs]
    others = np.array(values)
    others[rows, :, outputs] = -np.inf
    return Score((special.logsumexp(others, axis=2) - own).mean(1), "suspect")


def without_concepts(witnessed: VlmEvidence) -> VlmEvidence:
    """What the VLM says of the classes alone."""
    nothing = np.zeros((len(witnessed.class_strengths), 1))
    return VlmEvidence(witnessed.class_strengths, nothing, nothing)


def _second_tier(
    first: Score, witnessed: VlmEvidence, outputs: NDArray[np.integer], wrong: NDArray[np.bool_]
) -> VlmTier:
    """From the first so many inputs that the VLM has seen."""
    seen = slice(len(witnessed.strengths))
    return VlmTier.fit(Score(first.suspicion[seen], "suspect"), witnessed, outputs[seen], wrong[seen])


@dataclass(frozen=True)
class DetectorMetrics:
    """One detector on one defect: AUROC with its interval, and the `others` by name."""

    detector: str
    kind: Kind
    auroc: Estimate
    others: dict[MetricName, float]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of one defect, resampled together."""

    defect: str
    positives: int
    negatives: int
    resampled: ResampledMetrics

    @classmethod
    def of(
        cls,
        defect: str,
        scores: Mapping[str, Score],
        suspect: NDArray[np.bool_],
        *,
        resamples: int = 1000,
        seed: int = 0,
    ) -> Evaluation:
        """Raises UserError MONITOR002 when one kind of sample is missing."""
        resampled = resample(scores, suspect, resamples=resamples, seed=seed)
        return cls(defect, int(suspect.sum()), int((~suspect).sum()), resampled)

    def rows(self) -> list[DetectorMetrics]:
        """One row per detector; intervals hold 95 %."""
        return [
            DetectorMetrics(
                detector=name,
                kind=KIND_OF[name],
                auroc=self.resampled.estimate(name, "auroc"),
                others={metric: float(series[0]) for metric, series in values.items() if metric != "auroc"},
            )
            for name, values in self.resampled.values.items()
        ]

    def difference(self, first: str, second: str, metric: MetricName) -> Estimate:
        """How much better the first detector is than the second, paired: positive = better, whatever the metric."""
        plain = self.resampled.difference(first, second, metric)
        return plain if HIGHER_IS_BETTER[metric] else Estimate(-plain.value, -plain.high, -plain.low)


def best(scores: Mapping[str, Score], suspect: NDArray[np.bool_], kind: Kind, metric: MetricName = "auroc") -> str:
    """The detector of a kind with the best metric. Choose on the calibration split, never on the one you report."""
    sign = 1 if HIGHER_IS_BETTER[metric] else -1
    named = [name for name in scores if KIND_OF[name] == kind]
    if not named:
        raise user_error("MONITOR001", f"no detector of kind {kind!r}", f"there are: {', '.join(scores)}")
    return max(named, key=lambda name: sign * measure(scores[name], suspect)[metric])
