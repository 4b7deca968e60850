"""All detectors on the same splits: the paper's, Conspect's and the baselines, with intervals and paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import AffineMap, Floats
from conspect.monitor import baselines
from conspect.monitor.fusion import FitOptions, FittedDetector, Inputs, Readout, fit
from conspect.monitor.paper import CosineHeatmaps, LikelihoodRatio, StoredHeatmaps
from conspect.monitor.second_tier import SecondTier, Witnessed
from conspect.statistics.detection import HIGHER_IS_BETTER, MetricName, Score, measure
from conspect.statistics.detection_bootstrap import Estimate, Resampled, resample

Kind: TypeAlias = Literal["paper", "conspect", "conspect+vlm", "baseline"]
KIND_OF: dict[str, Kind] = {
    "maximum softmax": "baseline",
    "maximum logit": "baseline",
    "energy": "baseline",
    "entropy": "baseline",
    "Mahalanobis": "baseline",
    "nearest neighbours": "baseline",
    "ViM": "baseline",
    "heatmap cosine": "paper",
    "heatmap likelihood ratio": "paper",
    "concept evidence": "conspect",
    "fused": "conspect",
    "fused, VLM at run time": "conspect+vlm",
}


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
    second_tier: SecondTier | None

    @classmethod
    def fit(
        cls,
        readout: Readout,
        training: Training,
        inputs: Inputs,
        labels: NDArray[np.integer],
        *,
        witnessed: Witnessed | None = None,
        also_suspect: Inputs | None = None,
        options: FitOptions | None = None,
    ) -> Detectors:
        """`inputs`, `labels`: the held-out fit split; `witnessed`: the VLM's word on its first images, for the second tier."""
        classes = inputs.logits.shape[1]
        wrong = np.asarray(inputs.outputs != labels)
        stored = StoredHeatmaps.count(readout.concepts(inputs.embeddings), inputs.outputs, wrong, classes)
        fused = fit(readout, inputs, labels, also_suspect=also_suspect, options=options)
        second = None
        if witnessed is not None:
            seen = slice(len(witnessed.strengths))
            first = Score(fused.cross_fitted.suspicion[seen], "suspect")
            second = SecondTier.fit(first, witnessed, inputs.outputs[seen], wrong[seen])
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
        )

    def scores(self, inputs: Inputs, witnessed: Witnessed | None = None) -> dict[str, Score]:
        """Every detector's score of the inputs, by the names of KIND_OF; the second tier's when `witnessed` is given."""
        logits, embeddings, outputs = inputs.logits, inputs.embeddings, inputs.outputs
        numerators = self.readout.concepts(embeddings)
        detector = self.fused.detector
        across = np.ascontiguousarray(np.asarray(logits, dtype=np.float32).T)
        features, _ = detector.features(across, detector.folded.readings(embeddings))
        suspicion = detector.suspicion_of_features(features, outputs).astype(np.float64)
        found = {
            "maximum softmax": baselines.maximum_softmax(logits),
            "maximum logit": baselines.maximum_logit(logits),
            "energy": baselines.energy(logits),
            "entropy": baselines.entropy(logits),
            "nearest neighbours": self.neighbours.score(embeddings),
            "heatmap cosine": self.cosine.score(numerators, outputs),
            "heatmap likelihood ratio": self.ratio.score(numerators, outputs),
            "concept evidence": Score(features[6].astype(np.float64), "suspect"),
            "fused": Score(suspicion, "suspect"),
        }
        if self.mahalanobis is not None:
            found["Mahalanobis"] = self.mahalanobis.score(embeddings)
        if self.virtual_logit is not None:
            found["ViM"] = self.virtual_logit.score(embeddings, logits)
        if witnessed is not None:
            if self.second_tier is None:
                fix = "give the VLM's strengths of the fit split as well"
                raise user_error("MONITOR001", "the second tier was not fitted", fix)
            found["fused, VLM at run time"] = self.second_tier.score(found["fused"], witnessed, outputs)
        return {name: found[name] for name in KIND_OF if name in found}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of one defect, resampled together."""

    defect: str
    positives: int
    negatives: int
    resampled: Resampled

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

    def rows(self) -> list[dict[str, Any]]:
        """One row per detector, for `conspect monitor eval --json`; intervals hold 95 %."""
        found = []
        for name, values in self.resampled.values.items():
            area = self.resampled.estimate(name, "auroc")
            others: dict[str, Any] = {
                metric: float(series[0]) for metric, series in values.items() if metric != "auroc"
            }
            found.append(
                {
                    "defect": self.defect,
                    "detector": name,
                    "kind": KIND_OF[name],
                    "auroc": area.value,
                    "auroc_low": area.low,
                    "auroc_high": area.high,
                    **others,
                    "n_pos": self.positives,
                    "n_neg": self.negatives,
                }
            )
        return found

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
