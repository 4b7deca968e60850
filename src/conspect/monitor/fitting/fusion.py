"""Fits the fused detector: concept evidence, the lens, a second head and the model's own confidence, weighed together.

The parts are fitted on the first split and their features cross-fitted (each input's from parts that have not seen it),
so that the weights are learned on features as good, or bad, as those of a new input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.spaces import AffineMap, Float64, Floats, Lens
from conspect.monitor.fitting.concept_models import ConceptEvidence, ConceptFailureRatio, shrunk_covariance
from conspect.monitor.runtime.detector import Detector
from conspect.monitor.runtime.parameters import Float32, FoldedReadings
from conspect.monitor.runtime.suspicion import FEATURES, LARGEST_SQUARE
from conspect.statistics.corrected_logistic import choose_penalty, fit_corrected
from conspect.statistics.detection import Score

LEAST_WRONG, FOLDS = 10, 5
SECOND = FEATURES.index("second log-odds")


@dataclass(frozen=True, eq=False)
class ModelOutputs:
    """What the monitor sees of each input: `embeddings [image, D]` and the model's `logits [image, class]`."""

    embeddings: Floats
    logits: Floats

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 2 or self.logits.ndim != 2 or len(self.embeddings) != len(self.logits):
            problem = f"embeddings {self.embeddings.shape} and logits {self.logits.shape}"
            raise user_error("MONITOR001", problem, "embeddings are [image, D], logits [image, class]")

    def __len__(self) -> int:
        return len(self.logits)

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> ModelOutputs:
        """The chosen rows."""
        return ModelOutputs(self.embeddings[rows], self.logits[rows])

    @property
    def outputs(self) -> NDArray[np.int64]:
        """Class the model assigns `[image]`."""
        return np.asarray(self.logits.argmax(1), dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Readout:
    """The affine maps from an embedding that a lens gives: `concepts` numerators, and those of the class names."""

    concepts: AffineMap
    class_names: AffineMap

    @classmethod
    def of(cls, lens: Lens, class_directions: Float64) -> Readout:
        """`class_directions [class, E]`: unit text directions of the class names, in the model's order."""
        named = Lens(lens.alignment, tuple(map(str, range(len(class_directions)))), class_directions)
        return cls(lens.folded, named.folded)


@dataclass(frozen=True, slots=True)
class FitOptions:
    """L2 penalties to choose from by cross-validation (per image, on standardised features), number of folds, seed."""

    second_head_penalties: tuple[float, ...] = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    fusion_penalties: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
    folds: int = FOLDS
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FittedDetector:
    """The detector, and the suspicion `[image]` of each input of the fit split from parts that were not fitted on it."""

    detector: Detector
    cross_fitted: Score


def fit(
    readout: Readout,
    inputs: ModelOutputs,
    labels: NDArray[np.integer],
    *,
    also_suspect: ModelOutputs | None = None,
    options: FitOptions | None = None,
) -> FittedDetector:
    """Fits all parts on held-out inputs with true `labels [image]`: the wrong outputs are to be told from the right.

    The model must not have been trained on these inputs. `also_suspect`: further inputs to flag, whatever their output
    (attacks, noise); they teach the weights alone. Raises UserError MONITOR003 with fewer than 10 wrong or right outputs.
    """
    return prepare(readout, inputs, labels, options=options).detector(also_suspect)


@dataclass(frozen=True, eq=False)
class FittedParts:
    """Parts fitted on all of the fit split, and its `features [feature, image]` from parts that have not seen the image."""

    parts: Detector
    features: Float32
    outputs: NDArray[np.int64]
    wrong: NDArray[np.bool_]
    options: FitOptions

    def detector(self, also_suspect: ModelOutputs | None = None) -> FittedDetector:
        """Weighs the features, with `also_suspect` as further inputs to flag; see `fit`."""
        features, outputs, suspect = self.features, self.outputs, self.wrong
        if also_suspect is not None:
            features = np.concatenate([features, _features(self.parts, also_suspect)], axis=1)
            outputs = np.concatenate([outputs, also_suspect.outputs])
            suspect = np.concatenate([suspect, np.ones(len(also_suspect), dtype=np.bool_)])
        detector = _weigh(self.parts, features, outputs, suspect, self.options)
        own = detector.suspicion_of_features(self.features, self.outputs)
        return FittedDetector(detector, Score(own.astype(np.float64), "suspect"))


def prepare(
    readout: Readout, inputs: ModelOutputs, labels: NDArray[np.integer], *, options: FitOptions | None = None
) -> FittedParts:
    """The costly half of `fit`, for more than one detector of the same inputs. Raises UserError MONITOR003 as `fit` does."""
    options = options or FitOptions()
    truth: NDArray[np.int64] = np.asarray(labels, dtype=np.int64)
    wrong = np.asarray(inputs.outputs != truth)
    least = min(int(wrong.sum()), int((~wrong).sum()))
    if least < LEAST_WRONG:
        problem = f"{int(wrong.sum())} wrong and {int((~wrong).sum())} right outputs to fit on"
        raise user_error("MONITOR003", problem, f"give held-out inputs with at least {LEAST_WRONG} of each")
    fold = np.random.default_rng(options.seed).permutation(len(inputs)) % options.folds
    features = np.empty((len(FEATURES), len(inputs)), dtype=np.float32)
    penalty = choose_penalty(inputs.embeddings, inputs.logits, truth, fold, options.second_head_penalties)
    for k in range(options.folds):
        parts = _fit_parts(readout, inputs.take(fold != k), truth[fold != k], penalty)
        features[:, fold == k] = _features(parts, inputs.take(fold == k))
    parts = _fit_parts(readout, inputs, truth, penalty)
    return FittedParts(parts, features, inputs.outputs, wrong, options)


def _features(parts: Detector, inputs: ModelOutputs) -> Float32:
    across = np.ascontiguousarray(np.asarray(inputs.logits, dtype=np.float32).T)
    return parts.features(across, parts.folded.readings(inputs.embeddings))[0]


def _fit_parts(readout: Readout, inputs: ModelOutputs, labels: NDArray[np.int64], penalty: float) -> Detector:
    """A detector whose parts are fitted and whose weights are still zero."""
    outputs, classes = inputs.outputs, inputs.logits.shape[1]
    wrong = outputs != labels
    numerators = readout.concepts(inputs.embeddings)
    second = fit_corrected(inputs.embeddings, inputs.logits, labels, penalty=penalty)
    evidence = ConceptEvidence.fit(numerators, outputs, wrong, classes)
    ratio = ConceptFailureRatio.fit(numerators, wrong)
    concepts = readout.concepts
    weight = [
        concepts.weight,
        readout.class_names.weight,
        second.weight.T,
        evidence.weight @ concepts.weight,
    ]
    offset = [
        concepts.offset,
        readout.class_names.offset,
        second.bias,
        evidence.weight @ concepts.offset + evidence.offset,
    ]
    folded = FoldedReadings(_single(np.vstack(weight)), _single(np.concatenate(offset)), len(concepts.offset), classes)
    whitening, centres = _distance(np.hstack([inputs.logits, numerators]), outputs, wrong, classes)
    width = len(FEATURES)
    return Detector(
        folded=folded,
        present=_single(ratio.present),
        failure=_single(ratio.log_odds),
        sharpness=_single(np.array([second.sharpness])),
        whitening=_single(whitening),
        centres=_single(centres),
        mean=np.zeros(width, dtype=np.float32),
        scale=np.ones(width, dtype=np.float32),
        weights=np.zeros((2, width), dtype=np.float32),
        bias=np.zeros(classes, dtype=np.float32),
    )


def _distance(
    readings: Floats, outputs: NDArray[np.int64], wrong: NDArray[np.bool_], classes: int
) -> tuple[Float64, Float64]:
    """`whitening [direction, reading]` and `centres [class, direction]` of the readings of right outputs."""
    right = np.asarray(readings[~wrong], dtype=np.float64)
    named = outputs[~wrong]
    overall = right.mean(0)
    means = np.stack([right[named == c].mean(0) if (named == c).any() else overall for c in range(classes)])
    scale = np.std(right - means[named], axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(shrunk_covariance((right - means[named]) / scale))
    whitening = (vectors / np.sqrt(values)).T / scale
    return whitening, means @ whitening.T


def _weigh(
    parts: Detector, features: Float32, outputs: NDArray[np.int64], suspect: NDArray[np.bool_], options: FitOptions
) -> Detector:
    """Learns to correct the second head's odds with the features, their squares and the output class.

    With a large penalty the suspicion is the second head's log-odds of a wrong output, recalibrated; the smaller the
    penalty that cross-validation chooses, the more the other evidence has shown that it adds.
    """
    mean, deviation = features.mean(1, dtype=np.float64), features.std(1, dtype=np.float64)
    scale = np.where(deviation > 0, 1 / np.where(deviation > 0, deviation, 1.0), 0.0)
    standard = (features.T - mean) * scale
    one_hot = np.eye(parts.folded.classes)[outputs]
    design = np.hstack([standard, np.minimum(np.square(standard), LARGEST_SQUARE), one_hot])
    given = np.column_stack([np.zeros(len(design)), -features[SECOND]])
    marks = suspect.astype(np.int64)
    fold = np.random.default_rng(options.seed).permutation(len(design)) % options.folds
    penalty = choose_penalty(design, given, marks, fold, options.fusion_penalties)
    model = fit_corrected(design, given, marks, penalty=penalty)
    weight, bias = model.weight[:, 1] - model.weight[:, 0], model.bias[1] - model.bias[0]
    width = len(FEATURES)
    weights = weight[: 2 * width].reshape(2, width)
    # sharpness * -feature, written on the standardised feature that the run time has.
    back = np.where(scale[SECOND] > 0, 1 / np.where(scale[SECOND] > 0, scale[SECOND], 1.0), 0.0)
    weights[0, SECOND] -= model.sharpness * back
    return Detector(
        folded=parts.folded,
        present=parts.present,
        failure=parts.failure,
        sharpness=parts.sharpness,
        whitening=parts.whitening,
        centres=parts.centres,
        mean=_single(mean),
        scale=_single(scale),
        weights=_single(weights),
        bias=_single(weight[2 * width :] + bias - model.sharpness * mean[SECOND]),
    )


def _single(array: Floats) -> Float32:
    return np.ascontiguousarray(array, dtype=np.float32)
