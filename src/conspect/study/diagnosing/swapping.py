"""The swap test: which part of a model changed since a sound version of it, found by exchanging their parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.models import ModelKind, model_of
from conspect.adapters.store.embeddings import embedded_shards
from conspect.adapters.store.pairs import StoredPairs
from conspect.adapters.store.places import Store
from conspect.analysis.diagnosis.labels import sharpness
from conspect.analysis.localization import Blame, Culprit, part_losses, swap_test
from conspect.core.chances import p_value_words
from conspect.core.diagnostics import UserError, user_error
from conspect.core.percentages import percent
from conspect.core.protocols import ProgressBar, VisionModel, silent
from conspect.core.spaces import Float64, Floats, Head
from conspect.results.localization import PartLoss, SwappedFailure, SwapTest
from conspect.results.shares import CulpritCounts
from conspect.statistics.logistic import fit_logistic
from conspect.statistics.testing import sign_test
from conspect.study.config import ModelConfig, StudyConfig, read_config
from conspect.study.diagnosing.lost import lost_results
from conspect.study.inputs import StudyInputs, open_model
from conspect.study.measuring.measurements import Measurements
from conspect.study.measuring.streaming import blocks

# Two encoders share a space when either head is right on what the other encoder gives at least this share as often as the better
# of the two models is, or when the same dimension of both goes together this much more than different dimensions do.
LEAST_SHARED, LEAST_COMMON = 0.5, 0.1
# Embeddings of one encoder computed twice differ by no more than this; a part is broken that loses so much accuracy, where chance
# would do it in fewer than this share of cases.
SAME, LEAST_MOVED, LEAST_LOSS, ERROR = 1e-4, 1e-3, 0.005, 0.05
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
    return model_of(earlier.request(folder))


def swap_results(
    inputs: StudyInputs, measured: Measurements, sound: VisionModel, store: Path | Store, bar: ProgressBar = silent
) -> SwapTest:
    """The swap test on every failure that `sound`, an earlier version of the model, does not share.

    Raises UserError STUDY002 when the two have other classes or embeddings of other sizes, no space in common, or one of them
    no head that was found.
    """
    model = inputs.model
    for version in (model, sound):
        if version.head.is_identity:
            problem = f"no head was found in {version.name}, so there are no parts that could be exchanged"
            raise user_error("STUDY002", problem, "name the layer that turns embeddings into logits, with `head`")
    if (sound.class_names, sound.embedding_size) != (model.class_names, model.embedding_size):
        problem = f"{sound.name} and {model.name} differ in their classes or in the size of their embeddings"
        raise user_error("STUDY002", problem, "give an earlier version of the same model")
    labels, outputs = measured.labels, measured.outputs
    progress = bar(f"sound model ({inputs.test.split})", len(inputs.test))
    shards = embedded_shards(sound, inputs.test, store, progress=progress)
    pairs = StoredPairs(shards, measured.test.pairs.z, measured.test.rows)
    four, scales = _compared(pairs, sound, model, labels, measured.test.sample(SAMPLE, 0))
    swapped = _swapped(pairs, four, labels, outputs)
    logits, old = swapped.logits, swapped.right[0]
    parts = losses_of(swapped.right, changed=(not same_head(sound.head, model.head), swapped.encoders_differ))
    broken = broken_parts(parts, swapped.right)
    failures = np.flatnonzero(outputs != labels)
    sound_logits, other_head, other_encoder, other = (
        scale * logit for scale, logit in zip(scales, logits, strict=True)
    )
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
        broken=tuple(part.part for part in broken),
        sentence=swap_sentence(parts, broken),
        parts=parts,
        counts=counts([blame for _, blame in new]),
        lost=lost_results(inputs, measured, pairs, sound.head, new),
        images=swapped_failures(
            [measured.ids[row] for row in failures],
            [(model.class_names[int(labels[row])], model.class_names[int(outputs[row])]) for row in failures],
            old[failures],
            blames,
        ),
    )


def swapped_failures(
    ids: Sequence[str], classes: Sequence[tuple[str, str]], new: NDArray[np.bool_], blames: Sequence[Blame]
) -> tuple[SwappedFailure, ...]:
    """Records of failures: names of the images, (label, output) of each, whether the sound version is right, and the blame."""
    return tuple(
        SwappedFailure(
            id=image,
            label=label,
            output=output,
            new=bool(is_new),
            blame=blame.culprit.value,
            head_probability=None if blame.head is None else round(blame.head, 4),
        )
        for image, (label, output), is_new, blame in zip(ids, classes, new, blames, strict=True)
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
    right = [float((logit.argmax(1) == truth).mean()) for logit in logits]
    refuse_strangers((sound.name, model.name), right, z, truth)
    return four, [sharpness(logit, truth) for logit in logits]


def refuse_strangers(
    names: tuple[str, str], right: list[float], z: tuple[Floats, Floats], truth: NDArray[np.int64]
) -> None:
    """Raises UserError STUDY002 where two encoders have no space in common: `z`, embeddings of the same images by each, `right`
    the accuracies of the four models in the order of `swap_test`."""
    common = common_space(*z)
    if max(right[1], right[2]) < LEAST_SHARED * max(right[0], right[3]) and common < LEAST_COMMON:
        raise _nothing_in_common(names, right, z, truth, common)


def _nothing_in_common(
    names: tuple[str, str], right: list[float], z: tuple[Floats, Floats], truth: NDArray[np.int64], common: float
) -> UserError:
    """Why: an encoder that gives no numbers, or always the same; one that lost the classes; or another network."""
    sound, model = names
    figures = (
        f"{sound} and {model} have no space in common: the head of each is right on {percent(right[2])} and "
        f"{percent(right[1])} of what the other's encoder gives, and their dimensions do not go together ({common:.2f})"
    )
    classes = int(truth.max()) + 1
    half = np.arange(len(truth)) % 2 == 0
    kept = []
    for name, embeddings in zip(names, z, strict=True):
        if not np.isfinite(embeddings).all():
            return user_error(
                "STUDY002", f"the encoder of {name} gives NaN or infinity", "mend it before it is compared"
            )
        if not (embeddings.std(0) > 0).any():
            fix = "the encoder is broken: it does not look at its input"
            return user_error("STUDY002", f"the encoder of {name} gives the same embedding for every image", fix)
        fitted = fit_logistic(embeddings[half], truth[half], classes)
        kept.append(float((fitted.probabilities(embeddings[~half]).argmax(1) == truth[~half]).mean()))
    chance = float(np.bincount(truth).max()) / len(truth)
    for name, share in zip(names, kept, strict=True):
        if share < 2 * chance:
            problem = (
                f"{figures}; a new head on the embeddings of {name} is right on {percent(share)} of images kept aside"
            )
            return user_error(
                "STUDY002", problem, f"the encoder of {name} is broken: classes are not in its embeddings any more"
            )
    both = f"{percent(kept[0])} and {percent(kept[1])}"
    problem = f"{figures}; new heads are right on {both}, so both encoders know the classes"
    fix = (
        "the encoders were trained apart, or dimensions are in another order; give an earlier version of the same model"
    )
    return user_error("STUDY002", problem, fix)


@dataclass(frozen=True, eq=False)
class _Swapped:
    """`logits`: of each failure, `[failure, class]` of the four models; `right`: of each image, whether each of them is."""

    logits: list[Float64]
    right: list[NDArray[np.bool_]]
    encoders_differ: bool


def _swapped(pairs: StoredPairs, four: Four, labels: NDArray[np.int64], outputs: NDArray[np.int64]) -> _Swapped:
    parts: list[list[Float64]] = [[] for _ in four]
    right: list[list[NDArray[np.bool_]]] = [[] for _ in four]
    differ = False
    for block in blocks(len(pairs)):
        z, own = pairs.read(block), slice(block.start, block.stop)
        failed = outputs[own] != labels[own]
        differ = differ or not np.allclose(z[0], z[1], rtol=SAME, atol=SAME * max(float(np.abs(z[0]).max()), 1e-12))
        for part, hits, (head, encoder) in zip(parts, right, four, strict=True):
            logits = head.logits(z[encoder])
            hits.append(logits.argmax(1) == labels[own])
            part.append(logits[failed])
    return _Swapped([np.concatenate(part) for part in parts], [np.concatenate(hits) for hits in right], differ)


def same_head(first: Head, second: Head) -> bool:
    """Whether two heads are the same numbers."""
    if len(first.layers) != len(second.layers):
        return False
    return all(
        a.weight.shape == b.weight.shape and np.array_equal(a.weight, b.weight) and np.array_equal(a.offset, b.offset)
        for a, b in zip(first.layers, second.layers, strict=True)
    )


def losses_of(right: Sequence[NDArray[np.bool_]], changed: tuple[bool, bool]) -> tuple[PartLoss, PartLoss]:
    """Of head and encoder, from whether each of the four models is right, `[image]` each, in the order of `swap_test`."""
    sound, other_head, other_encoder, other = right
    lost = part_losses(*(float(hits.mean()) for hits in right))
    # Each part's own loss, with the other sound and with the other as it is: the larger surprise counts.
    pairs = (((sound, other_head), (other_encoder, other)), ((sound, other_encoder), (other_head, other)))
    losses = []
    for part, told, loss, alone, exchanges in zip(
        ("head", "encoder"),
        changed,
        (lost.head, lost.encoder),
        (lost.alone_head, lost.alone_encoder),
        pairs,
        strict=True,
    ):
        p_value = min(sign_test(int((a & ~b).sum()), int((b & ~a).sum())) for a, b in exchanges)
        losses.append(
            PartLoss(
                part="head" if part == "head" else "encoder",
                changed=told,
                loss=round(loss, 5),
                alone=round(alone, 5),
                p_value=min(1.0, 2 * p_value),
                beyond_chance=2 * p_value < ERROR,
            )
        )
    return losses[0], losses[1]


def broken_parts(parts: Sequence[PartLoss], right: Sequence[NDArray[np.bool_]]) -> tuple[PartLoss, ...]:
    """Those that cost accuracy for sure, half a point or more; none where the two versions as they are do not differ for sure:
    what one part costs there, the other makes up for. `right`: as `losses_of` takes it."""
    sound, other = right[0], right[3]
    if sign_test(int((sound & ~other).sum()), int((other & ~sound).sum())) >= ERROR:
        return ()
    return tuple(part for part in parts if part.changed and part.beyond_chance and part.loss >= LEAST_LOSS)


def swap_sentence(parts: Sequence[PartLoss], broken: Sequence[PartLoss]) -> str:
    """What is broken, from the loss of each part, and why nothing is where a part loses more than chance explains."""
    same = [_unchanged(part) for part in parts if not part.changed]
    if not broken:
        surely = [part for part in parts if part.changed and part.beyond_chance]
        nothing = "No part is called broken." if surely else "Neither part loses accuracy for sure."
        return " ".join([nothing, *map(_not_called_broken, surely), *same])
    costs = " and ".join(f"the {loss.part} {100 * loss.loss:.1f} points" for loss in broken)
    both = "Both parts are broken: " if len(broken) == 2 else f"The {broken[0].part} is broken: "
    return " ".join([f"{both}{costs} of accuracy lost (Shapley values of the exchange).", *same])


def _unchanged(part: PartLoss) -> str:
    if not part.beyond_chance:
        return f"The {part.part} is unchanged."
    # Embeddings that are the same but for rounding turn outputs that hang by a hair.
    return (
        f"The {part.part} is unchanged but for rounding, which alone costs {_points(part.alone)} "
        f"({p_value_words(part.p_value)})."
    )


def _not_called_broken(part: PartLoss) -> str:
    """Why a part that loses more than chance explains is not called broken."""
    loses = f"Exchanging the {part.part} costs more than chance explains ({p_value_words(part.p_value)})"
    if part.loss < LEAST_LOSS:
        return f"{loses}, but {_points(part.loss)}: a part is called broken from {_points(LEAST_LOSS)} of accuracy on."
    return f"{loses}, which the other part makes up for: the two versions as they are do not differ for sure."


def _points(share: float) -> str:
    return f"{100 * share:.2g} points"


def counts(blames: list[Blame]) -> CulpritCounts:
    """How many images fall to the head, to the encoder, and to neither."""
    blamed = Counter(blame.culprit for blame in blames)
    return CulpritCounts(
        head=blamed[Culprit.HEAD], encoder=blamed[Culprit.ENCODER], undecided=blamed[Culprit.UNDECIDED]
    )


def common_space(first: Floats, second: Floats) -> float:
    """How much more the same dimension of two embeddings `[image, D]` goes together than different ones: mean correlation of
    equal dimensions less the mean absolute one of unequal. 0 for unrelated spaces, to 1; 0 where nothing varies."""
    deviations = [
        np.asarray(embeddings, np.float64) - embeddings.mean(0, dtype=np.float64) for embeddings in (first, second)
    ]
    norms = [np.linalg.norm(deviation, axis=0) for deviation in deviations]
    alive = np.flatnonzero(np.isfinite(norms[0] * norms[1]) & (norms[0] * norms[1] > 0))
    if len(alive) < 2:
        return 0.0
    a, b = (deviation[:, alive] / norm[alive] for deviation, norm in zip(deviations, norms, strict=True))
    together = a.T @ b
    equal = float(np.trace(together)) / len(alive)
    return equal - (float(np.abs(together).sum()) - float(np.abs(np.diag(together)).sum())) / (
        len(alive) * (len(alive) - 1)
    )
