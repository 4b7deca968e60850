"""The swap test: which part of a model changed since a sound version of it, found by exchanging their parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.models import ModelKind, load_model
from conspect.adapters.store.embeddings import embedded_shards
from conspect.adapters.store.pairs import StoredPairs
from conspect.adapters.store.places import Store
from conspect.analysis.diagnosis.labels import sharpness
from conspect.analysis.localization import Blame, Culprit, swap_test
from conspect.core.diagnostics import user_error
from conspect.core.protocols import ProgressBar, VisionModel, silent
from conspect.core.spaces import Float64, Floats, Head
from conspect.results.localization import SwappedFailure, SwapTest
from conspect.results.shares import CulpritCounts
from conspect.study.config import ModelConfig, StudyConfig, read_config
from conspect.study.diagnosing.lost import lost_results
from conspect.study.inputs import Inputs, open_model
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.streaming import blocks

# Two encoders share a space when either head is right on this share of what the other encoder gives, or when the same
# dimension of both goes together this much more than different dimensions do.
LEAST_SHARED, LEAST_COMMON = 0.5, 0.1
# Images on which temperatures and the common space are found.
SAMPLE = 5000
STUDY_FILE = "study.toml"
KIND_OF_SUFFIX: dict[str, ModelKind] = {".onnx": "onnx", ".pt2": "torch-export"}
WEIGHT_FILES = {".safetensors", ".onnx", ".pt", ".pth", ".pt2", ".bin", ".ckpt"}


def sound_model(config: StudyConfig, folder: Path, sound: str, kind: ModelKind | None = None) -> VisionModel:
    """The earlier version called `sound`: another study's folder (its model), a file or folder of weights, or a name.

    It is read as the model of the study in `folder` is, with the same keys, unless `kind` says otherwise. Raises the errors of
    the adapters.
    """
    path = Path(sound)
    if (path / STUDY_FILE).is_file():
        return open_model(read_config(path / STUDY_FILE), path)
    model = config.model
    is_file = path.exists() or path.suffix in WEIGHT_FILES
    own_kind: ModelKind = kind or (KIND_OF_SUFFIX.get(path.suffix) if is_file else None) or model.kind
    # Weights alone do not say whose they are: the name of the network that they go into stays.
    keeps = own_kind in {"module", "torchvision"} or (own_kind == "timm" and not path.is_dir())
    name = (model.name if keeps and own_kind == model.kind else None) if is_file else sound
    weights = str(path.absolute()) if is_file else None
    if own_kind != model.kind:
        model = ModelConfig(classes=model.classes, preprocessing=model.preprocessing)
    earlier = replace(model, kind=own_kind, name=name, path=weights, title=None)
    for problem, fix in earlier.misfits():
        raise user_error(
            "STUDY002", f"--sound {sound}, as kind {own_kind!r}: {problem}", f"{fix}; or give a study's folder"
        )
    return load_model(**earlier.options(folder))


def swap_results(
    inputs: Inputs, measured: Measurements, sound: VisionModel, store: Path | Store, bar: ProgressBar = silent
) -> SwapTest:
    """The swap test on every failure that `sound`, an earlier version of the model, does not share.

    Raises UserError STUDY002 when the two have other classes or embeddings of other sizes, no space in common, or one of them
    no head that was found.
    """
    model = inputs.model
    for one in (model, sound):
        if one.head.is_identity:
            problem = f"no head was found in {one.name}, so there are no parts that could be exchanged"
            raise user_error("STUDY002", problem, "name the layer that turns embeddings into logits, with `head`")
    if (sound.class_names, sound.embedding_size) != (model.class_names, model.embedding_size):
        problem = f"{sound.name} and {model.name} differ in their classes or in the size of their embeddings"
        raise user_error("STUDY002", problem, "give an earlier version of the same model")
    labels, outputs = measured.labels, measured.outputs
    progress = bar(f"sound model ({inputs.test.split})", len(inputs.test))
    shards = embedded_shards(sound, inputs.test, store, progress=progress)
    pairs = StoredPairs(shards, measured.test.pairs.z, measured.test.rows)
    four, scales = _compared(pairs, sound, model, labels, measured.test.sample(SAMPLE, 0))
    logits, old = _swapped(pairs, four, labels, outputs)
    failures = np.flatnonzero(outputs != labels)
    sound_logits, other_head, other_encoder, other = (scale * one for scale, one in zip(scales, logits, strict=True))
    blames = swap_test(
        labels[failures], sound=sound_logits, other_head=other_head, other_encoder=other_encoder, other=other
    )
    new = [(int(labels[row]), blame) for row, blame in zip(failures, blames, strict=True) if old[row]]
    return SwapTest(
        model=model.name,
        sound=sound.name,
        method="swap test",
        accuracy=float((outputs == labels).mean()),
        sound_accuracy=float(old.mean()),
        failures=len(failures),
        new_failures=int(old[failures].sum()),
        counts=counts([blame for _, blame in new]),
        lost=lost_results(inputs, measured, pairs, sound.head, new),
        images=tuple(
            SwappedFailure(
                id=measured.ids[row],
                label=model.class_names[int(labels[row])],
                output=model.class_names[int(outputs[row])],
                new=bool(old[row]),
                blame=blame.culprit.value,
                head_probability=None if blame.head is None else round(blame.head, 4),
            )
            for row, blame in zip(failures, blames, strict=True)
        ),
    )


Four = tuple[tuple[Head, int], ...]


def _compared(
    pairs: StoredPairs,
    sound: VisionModel,
    model: VisionModel,
    labels: NDArray[np.int64],
    sample: NDArray[np.int64],
) -> tuple[Four, list[float]]:
    """The four models as (head, which of the two encoders), sound first, and the best temperature of each on a sample.

    Raises UserError STUDY002 when the encoders have no space in common.
    """
    z = pairs.z.rows(pairs.rows[sample]), pairs.y.rows(pairs.rows[sample])
    four = ((sound.head, 0), (model.head, 0), (sound.head, 1), (model.head, 1))
    logits, truth = [head.logits(z[encoder]) for head, encoder in four], labels[sample]
    right = [float((one.argmax(1) == truth).mean()) for one in logits]
    common = common_space(*z)
    if max(right[1], right[2]) < LEAST_SHARED and common < LEAST_COMMON:
        problem = (
            f"{sound.name} and {model.name} have no space in common: the head of each is right on {100 * right[2]:.1f} % and "
            f"{100 * right[1]:.1f} % of what the other's encoder gives, and their dimensions do not go together ({common:.2f})"
        )
        fix = "this is a model trained anew, or one of which both parts are destroyed; give an earlier version of the same model"
        raise user_error("STUDY002", problem, fix)
    return four, [sharpness(one, truth) for one in logits]


def _swapped(
    pairs: StoredPairs, four: Four, labels: NDArray[np.int64], outputs: NDArray[np.int64]
) -> tuple[list[Float64], NDArray[np.bool_]]:
    """Of each failure, the logits `[failure, class]` of the four models; of each image, whether the sound model is right."""
    parts: list[list[Float64]] = [[] for _ in four]
    right = []
    for block in blocks(len(pairs)):
        z, own = pairs.read(block), slice(block.start, block.stop)
        failed = outputs[own] != labels[own]
        right.append(four[0][0].logits(z[0]).argmax(1) == labels[own])
        for part, (head, encoder) in zip(parts, four, strict=True):
            part.append(head.logits(z[encoder][failed]))
    return [np.concatenate(part) for part in parts], np.concatenate(right)


def counts(blames: list[Blame]) -> CulpritCounts:
    """How many images fall to the head, to the encoder, and to neither."""
    blamed = Counter(blame.culprit for blame in blames)
    return CulpritCounts(
        head=blamed[Culprit.HEAD], encoder=blamed[Culprit.ENCODER], undecided=blamed[Culprit.UNDECIDED]
    )


def common_space(first: Floats, second: Floats) -> float:
    """How much more the same dimension of two embeddings `[image, D]` goes together than different ones: mean correlation of
    equal dimensions less the mean absolute one of unequal. 0 for unrelated spaces, to 1; 0 where nothing varies."""
    deviations = [np.asarray(one, np.float64) - one.mean(0, dtype=np.float64) for one in (first, second)]
    norms = [np.linalg.norm(one, axis=0) for one in deviations]
    alive = np.flatnonzero(np.isfinite(norms[0] * norms[1]) & (norms[0] * norms[1] > 0))
    if len(alive) < 2:
        return 0.0
    a, b = (one[:, alive] / norm[alive] for one, norm in zip(deviations, norms, strict=True))
    together = a.T @ b
    equal = float(np.trace(together)) / len(alive)
    return equal - (float(np.abs(together).sum()) - float(np.abs(np.diag(together)).sum())) / (
        len(alive) * (len(alive) - 1)
    )
