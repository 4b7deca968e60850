"""The fingerprint of a sound model: a small file that a later version is compared with when the old weights are gone.

It holds, of fixed reference images (named by a digest, not kept): what the network was fed, in a coarse grid; mean and
deviation of every layer's channels; the embeddings; the head; which images were right; and the lens's concepts as
directions of the embedding space. Old head on new embeddings and new head on old ones are the swap test, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conspect.adapters.store.embeddings import BATCH
from conspect.adapters.store.named_arrays import read_named, write_named
from conspect.analysis.diagnosis.labels import sharpness
from conspect.analysis.localization import Blame, swap_test
from conspect.core.capabilities import moments_of
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.digests import digest_json
from conspect.core.protocols import LayerMoments
from conspect.core.spaces import AffineMap, Float64, Head
from conspect.results.files import decoded, encoded
from conspect.results.fingerprint import FingerprintComparison, FingerprintHeader, MovedClass, MovedConcept, MovedLayer
from conspect.results.localization import PartLoss
from conspect.study.diagnosing.feeding import channel_axis
from conspect.study.diagnosing.swapping import (
    LEAST_MOVED,
    broken_parts,
    counts,
    losses_of,
    refuse_strangers,
    same_head,
    swap_sentence,
    swapped_failures,
)
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements

FILE, FORMAT = "fingerprint.safetensors", 1
# Reference images, values of the embeddings that are kept, images that layers see, and the side of the grid of what is fed.
IMAGES, VALUES, LAYER_IMAGES, GRID = 1000, 1_000_000, 256, 4
MOST_BYTES = 64 * 2**20
# Layers and directions have moved by more than this many deviations; fed values by more than this share of theirs.
LEAST_FED = 1e-3


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """See the module. `fed [image, channel, GRID, GRID]`, `embeddings [image, D]`, `labels [image]` class indices,
    `concepts [concept, D]` and `concept_offsets [concept]`: strength is their product with an embedding, up to its length.
    `ids`: names of the images; none where it was read from a file.
    """

    model: str
    reference: str
    class_names: tuple[str, ...]
    concept_names: tuple[str, ...]
    head: Head
    fed: Float64
    layers: tuple[LayerMoments, ...]
    embeddings: Float64
    labels: NDArray[np.int64]
    concepts: Float64
    concept_offsets: Float64
    ids: tuple[str, ...] = ()


def fingerprint_of(inputs: StudyInputs, measured: Measurements) -> Fingerprint:
    """Of the model under study on the first reference images of its test split; a few hundred go through the model again."""
    model, test = inputs.model, measured.test
    number = min(IMAGES, max(1, VALUES // model.embedding_size), len(test))
    rows = np.arange(number)
    fed_rows = test.rows[: min(LAYER_IMAGES, number)]
    prepared = [model.prepare(inputs.test.image(int(row))) for row in fed_rows]
    batches = [np.stack(prepared[start : start + BATCH]) for start in range(0, len(prepared), BATCH)]
    return Fingerprint(
        model=model.name,
        reference=digest_json([inputs.test.digest, list(test.ids[:number]), [int(row) for row in test.rows[:number]]]),
        class_names=model.class_names,
        concept_names=inputs.concepts.names,
        head=model.head,
        fed=np.concatenate([coarse_grid(batch) for batch in batches]),
        layers=moments_of(model, iter(batches)),
        embeddings=np.asarray(test.model_embeddings(rows), dtype=np.float64),
        labels=test.labels[:number],
        concepts=measured.lens.folded.weight,
        concept_offsets=measured.lens.folded.offset,
        ids=test.ids[:number],
    )


def coarse_grid(batch: NDArray[np.float32]) -> Float64:
    """Prepared images as means over a coarse grid, `[image, channel, row, column]`."""
    axis = channel_axis(batch)
    images = batch.reshape(len(batch), 1, 1, -1) if batch.ndim != 4 else np.moveaxis(batch, axis or 1, 1)
    flat = images.astype(np.float64)
    rows, columns = (np.array_split(np.arange(side), min(GRID, side)) for side in flat.shape[-2:])
    return np.stack([np.stack([flat[..., y[:, None], x].mean((-2, -1)) for x in columns], -1) for y in rows], -2)


def write_fingerprint(path: Path, fingerprint: Fingerprint) -> None:
    """Half precision where it is enough. Raises OutsideError STORE001 by way of `writing_to` of the caller."""
    arrays: dict[str, NDArray[np.generic]] = {
        "fed": fingerprint.fed.astype(np.float32),
        "labels": fingerprint.labels,
        "concepts": fingerprint.concepts.astype(np.float32),
        "concept_offsets": fingerprint.concept_offsets.astype(np.float32),
        "embeddings": fingerprint.embeddings.astype(np.float32),
    }
    for k, layer in enumerate(fingerprint.head.layers):
        arrays |= {f"head.{k}.weight": layer.weight, f"head.{k}.offset": layer.offset}
    for k, moments in enumerate(fingerprint.layers):
        arrays |= {f"layer.{k}.mean": moments.mean, f"layer.{k}.deviation": moments.deviation}
    header = FingerprintHeader(
        format=FORMAT,
        model=fingerprint.model,
        reference=fingerprint.reference,
        classes=fingerprint.class_names,
        concepts=fingerprint.concept_names,
        layers=tuple(moments.name for moments in fingerprint.layers),
        head_layers=len(fingerprint.head.layers),
    )
    write_named(path, arrays, encoded(header, indent=None).decode().rstrip())


def read_fingerprint(path: Path) -> Fingerprint:
    """What `write_fingerprint` wrote. Raises UserError STUDY001 for a file that is not one."""
    try:
        arrays, about = read_named(path, most_bytes=MOST_BYTES)
        header = decoded(about.encode(), FingerprintHeader)
        if header.format != FORMAT:
            raise ValueError(f"it has format {header.format}, and {FORMAT} is read")
        head = Head(
            tuple(
                AffineMap(arrays[f"head.{k}.weight"].astype(np.float64), arrays[f"head.{k}.offset"].astype(np.float64))
                for k in range(header.head_layers)
            )
        )
        layers = tuple(
            LayerMoments(name, arrays[f"layer.{k}.mean"], arrays[f"layer.{k}.deviation"])
            for k, name in enumerate(header.layers)
        )
        fingerprint = Fingerprint(
            header.model,
            header.reference,
            header.classes,
            header.concepts,
            head,
            arrays["fed"].astype(np.float64),
            layers,
            arrays["embeddings"].astype(np.float64),
            arrays["labels"].astype(np.int64),
            arrays["concepts"].astype(np.float64),
            arrays["concept_offsets"].astype(np.float64),
        )
        if len(fingerprint.embeddings) != len(fingerprint.labels) or fingerprint.embeddings.ndim != 2:
            raise ValueError("its embeddings and labels do not go together")
    except (OSError, KeyError, TypeError, ValueError, IndexError) as error:
        fix = "write one with: conspect fingerprint DIR"
        problem = f"{path} is not a fingerprint that can be read: {error}"
        raise user_error("STUDY001", problem, fix, SourceLocation(str(path))) from error
    return fingerprint


def compared(now: Fingerprint, sound: Fingerprint) -> FingerprintComparison:
    """The later version `now` against the sound one. Raises UserError STUDY002 for other images, classes or sizes."""
    if now.reference != sound.reference or now.class_names != sound.class_names:
        fix = "compare on the study's own images: same data, same number, same seed, same classes"
        raise user_error("STUDY002", "the fingerprint was taken on other reference images or classes", fix)
    if now.embeddings.shape != sound.embeddings.shape:
        problem = f"embeddings had {sound.embeddings.shape[1]} dimensions and have {now.embeddings.shape[1]}"
        raise user_error("STUDY002", problem, "a fingerprint is of one architecture")
    old, new = sound.embeddings, now.embeddings
    four = ((sound.head, old), (now.head, old), (sound.head, new), (now.head, new))
    logits = [head.logits(z) for head, z in four]
    right = [logit.argmax(1) == now.labels for logit in logits]
    refuse_strangers((sound.model, now.model), [float(hits.mean()) for hits in right], (old, new), now.labels)
    failures, blames = _blames(logits, now.labels)
    within = _within(old, sound.labels)
    moved = np.abs(new - old).max() > LEAST_MOVED * within.max()
    head_changed = not same_head(sound.head, now.head)
    parts = losses_of(right, changed=(head_changed, bool(moved)))
    broken = broken_parts(parts, right)
    fed = now.fed.shape != sound.fed.shape or bool(
        np.abs(now.fed - sound.fed).max() > LEAST_FED * max(sound.fed.std(), 1e-9)
    )
    # Where embeddings are what they were, the layer that moved is the head, which is compared by itself.
    layers = _layers(now.layers, sound.layers) if moved or fed else ()
    first = next((layer.layer for layer in layers), None)
    return FingerprintComparison(
        model=now.model,
        sound=sound.model,
        images=len(now.labels),
        accuracy=float(right[3].mean()),
        sound_accuracy=float(right[0].mean()),
        sentence=_sentence(parts, broken, fed=fed, first=first),
        input_changed=fed,
        broken=tuple(part.part for part in broken if not (fed and part.part == "encoder")),
        parts=parts,
        first_layer=first,
        layers=layers,
        head_rows=_rows(now, sound),
        classes=_classes(old, new, now, within),
        concepts=_concepts(now, sound),
        counts=counts([blame for row, blame in zip(failures, blames, strict=True) if right[0][row]]),
        failures=swapped_failures(
            [now.ids[row] if now.ids else str(row) for row in failures],
            [
                (now.class_names[int(now.labels[row])], now.class_names[int(logits[3][row].argmax())])
                for row in failures
            ],
            right[0][failures],
            blames,
        ),
    )


def _blames(logits: Sequence[Float64], labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[Blame]]:
    """Failures of the last of the four models, in the order of `swap_test`, and what each is put down to."""
    failures = np.flatnonzero(logits[3].argmax(1) != labels)
    scaled = [sharpness(logit, labels) * logit[failures] for logit in logits]
    sound, other_head, other_encoder, other = scaled
    return failures, swap_test(
        labels[failures], sound=sound, other_head=other_head, other_encoder=other_encoder, other=other
    )


def _sentence(parts: tuple[PartLoss, PartLoss], broken: Sequence[PartLoss], *, fed: bool, first: str | None) -> str:
    """What is broken, and where it begins: in what the network is fed, or in a layer."""
    if not fed:
        said = swap_sentence(parts, broken)
        return said if first is None else f"{said} The first layer that moved is {first!r}."
    head, encoder = parts
    said = "What the network is fed is other than it was: the input pipeline changed"
    said += (
        f", and {100 * encoder.loss:.1f} points of accuracy are lost with it."
        if encoder in broken
        else ", at no sure cost."
    )
    return f"{said} The head is broken as well: {100 * head.loss:.1f} points." if head in broken else said


def _within(z: Float64, labels: NDArray[np.int64]) -> Float64:
    """Deviation within classes, `[D]`."""
    centred = z.copy()
    for label in np.unique(labels):
        centred[labels == label] -= z[labels == label].mean(0)
    return np.asarray(np.maximum(centred.std(0), 1e-9))


def _layers(now: Sequence[LayerMoments], sound: Sequence[LayerMoments]) -> tuple[MovedLayer, ...]:
    """Those that moved, or that only one version has."""
    before = {layer.name: layer for layer in sound}
    listed = []
    for layer in now:
        old = before.get(layer.name)
        if old is None or old.mean.shape != layer.mean.shape:
            listed.append(MovedLayer(layer=layer.name, moved=0.0, factor=0.0))
            continue
        scale = np.maximum(old.deviation, 1e-9 + 1e-3 * float(np.abs(old.deviation).max()))
        moved = float(np.sqrt(np.square((layer.mean - old.mean) / scale).mean()))
        factor = float(np.exp(np.abs(np.log((layer.deviation + scale * 1e-3) / (old.deviation + scale * 1e-3))).max()))
        if moved > LEAST_MOVED or factor > 1 + LEAST_MOVED:
            listed.append(MovedLayer(layer=layer.name, moved=round(moved, 5), factor=round(factor, 5)))
    return tuple(listed)


def _rows(now: Fingerprint, sound: Fingerprint) -> tuple[str, ...]:
    """Classes whose row of the last layer, or bias, is another; none where heads have different shapes."""
    a, b = now.head.layers[-1], sound.head.layers[-1]
    if a.weight.shape != b.weight.shape:
        return ()
    other = (a.weight != b.weight).any(1) | (a.offset != b.offset)
    return tuple(name for name, differs in zip(now.class_names, other, strict=True) if differs)


def _classes(old: Float64, new: Float64, now: Fingerprint, within: Float64) -> tuple[MovedClass, ...]:
    """Mean embeddings that moved, the furthest first."""
    listed = []
    for label in np.unique(now.labels):
        rows = now.labels == label
        moved = float(np.sqrt(np.square((new[rows].mean(0) - old[rows].mean(0)) / within).mean()))
        if moved > LEAST_MOVED:
            listed.append(MovedClass(class_name=now.class_names[int(label)], moved=round(moved, 5)))
    return tuple(sorted(listed, key=lambda moved_class: -moved_class.moved))


def _concepts(now: Fingerprint, sound: Fingerprint) -> tuple[MovedConcept, ...]:
    """Concepts, read by the sound version's lens from both, whose mean strength moved; the furthest first."""
    old, new = (z @ sound.concepts.T + sound.concept_offsets for z in (sound.embeddings, now.embeddings))
    moved = (new.mean(0) - old.mean(0)) / np.maximum(old.std(0), 1e-12)
    listed = [
        MovedConcept(concept=name, moved=round(float(value), 5))
        for name, value in zip(sound.concept_names, moved, strict=True)
        if abs(value) > LEAST_MOVED
    ]
    return tuple(sorted(listed, key=lambda concept: -abs(concept.moved)))
