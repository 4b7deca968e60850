"""One formula in every library that computes it: the same values, for many images, for one, and far away."""

from collections.abc import Callable
from functools import cache

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from conspect.adapters.attacks import torch_arrays
from conspect.adapters.attacks.suspicion import FusedSuspicion
from conspect.monitor.export import monitor_graph
from conspect.monitor.runtime import Detector, suspicion
from conspect.monitor.runtime.numpy_arrays import ManyImages, OneImage
from tests.monitor.fitted import TEST, monitor_and_guarantee

MONITOR = monitor_and_guarantee()[0]
Arrays = tuple[NDArray[np.float32], NDArray[np.float32]]


def reference(detector: Detector, embeddings: NDArray[np.float32], logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Written out for one image after another, in float64, with nothing but sums."""
    folded = detector.folded
    return np.array([_one(detector, folded.weight.astype(float) @ z + folded.offset, x) for z, x in zip(
        embeddings.astype(float), logits.astype(float), strict=True)])  # fmt: skip


def _one(detector: Detector, readings: NDArray[np.float64], logits: NDArray[np.float64]) -> float:
    classes, concepts = detector.folded.classes, detector.folded.concepts
    numerators, named, correction, evidence = np.split(readings, concepts + classes * np.arange(3))
    o = int(logits.argmax())
    rest = np.delete(np.arange(classes), o)
    second = detector.sharpness[0] * logits + correction
    chance = np.exp(logits - logits.max())
    chance /= chance.sum()
    gap = detector.whitening @ np.concatenate([logits, numerators]) - detector.centres[o]
    features = np.array([
        -np.log(max(np.exp(logits[rest] - logits[o]).sum(), 1e-7)),
        logits[o] - logits[rest].max(),
        logits.max() + np.log(np.exp(logits - logits.max()).sum()),
        -sum(p * np.log(p) for p in chance if p > 0),
        named[o] - named[rest].max(),
        -np.logaddexp.reduce(second[rest] - second[o]),
        evidence[o],
        detector.failure[numerators > detector.present].sum(),
        np.log(gap @ gap + 1e-7),
    ])  # fmt: skip
    standard = (features - detector.mean) * detector.scale
    return float(detector.weights[0] @ standard + detector.weights[1] @ np.minimum(standard**2, 36) + detector.bias[o])


def of_numpy(embeddings: NDArray[np.float32], logits: NDArray[np.float32]) -> Arrays:
    pair = suspicion.suspicion(
        ManyImages(), MONITOR.detector, np.ascontiguousarray(embeddings.T), np.ascontiguousarray(logits.T)
    )
    return pair[0], pair[1]


def of_numpy_one_by_one(embeddings: NDArray[np.float32], logits: NDArray[np.float32]) -> Arrays:
    pairs = [suspicion.suspicion(OneImage(), MONITOR.detector, z, x) for z, x in zip(embeddings, logits, strict=True)]
    return np.array([values for values, _ in pairs], np.float32), np.array([output for _, output in pairs])


def of_torch(embeddings: NDArray[np.float32], logits: NDArray[np.float32]) -> Arrays:
    values = FusedSuspicion(MONITOR.detector).of_outputs(torch.from_numpy(embeddings), torch.from_numpy(logits))
    return values.numpy(), logits.argmax(1)


@cache
def session(opset: int) -> onnxruntime.InferenceSession:
    graph = monitor_graph(MONITOR, opset=opset).SerializeToString()
    return onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])


def of_onnx(embeddings: NDArray[np.float32], logits: NDArray[np.float32], opset: int = 17) -> Arrays:
    arrays = session(opset).run(["suspicion", "output"], {"embedding": embeddings, "logits": logits})
    return arrays[0], arrays[1]


def of_newer_onnx(embeddings: NDArray[np.float32], logits: NDArray[np.float32]) -> Arrays:
    return of_onnx(embeddings, logits, 18)


LIBRARIES = (of_numpy, of_numpy_one_by_one, of_torch, of_onnx, of_newer_onnx)


def inputs(seed: int, spread: float, images: int) -> Arrays:
    rng = np.random.default_rng(seed)
    rows = rng.integers(len(TEST.labels), size=images)
    z = TEST.inputs.embeddings[rows] * spread
    return z.astype(np.float32), (TEST.inputs.logits[rows] * spread).astype(np.float32)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), spread=st.sampled_from([0.0, 0.1, 1.0, 3.0, 30.0]), images=st.integers(1, 9))
def test_every_library_gives_the_formulas_value(
    library: Callable[..., Arrays], seed: int, spread: float, images: int
) -> None:
    embeddings, logits = inputs(seed, spread, images)
    values, outputs = library(embeddings, logits)
    expected = reference(MONITOR.detector, embeddings, logits)
    assert values == pytest.approx(expected, abs=2e-3, rel=1e-3)
    assert (outputs == logits.argmax(1)).all()


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.__name__)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_suspect_in_every_library(library: Callable[..., Arrays], value: float) -> None:
    embeddings, logits = inputs(0, 1.0, 4)
    embeddings[0, 0] = value
    logits[1, 1] = value
    with np.errstate(all="ignore"):
        values, _ = library(embeddings, logits)
    assert MONITOR.thresholds.verdicts(values)[:2].tolist() == [2, 2]
    assert np.isfinite(values[2:]).all()


def test_torch_puts_the_same_number_in_the_place_of_the_output() -> None:
    assert np.float32(torch_arrays.LOWEST) == suspicion.LOWEST
