"""Gathers the evidence on one model: from embeddings of both splits, and from feeding it some images again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.class_order import ClassOrder, class_order
from conspect.analysis.diagnosis.evidence import MAYBE_CLOSE, ModelEvidence, is_off_record
from conspect.analysis.diagnosis.exchange import Classes
from conspect.analysis.diagnosis.head import HeadEvidence, balanced, head_evidence
from conspect.analysis.diagnosis.labels import LabelJudgement, judge_labels, with_names_restored
from conspect.analysis.diagnosis.mendings import Mending, judge_mendings
from conspect.analysis.lens_quality import zero_shot
from conspect.core.capabilities import marks_of, records_of
from conspect.core.protocols import LayerDeparture, Progress, unseen
from conspect.core.spaces import Float64, Floats, Head
from conspect.statistics.logistic import LogisticModel, fit_logistic
from conspect.study.diagnosing.feeding import (
    BATCH,
    Feedable,
    Picture,
    changed_embeddings,
    changed_inputs,
    embedded,
    prepared_by,
)
from conspect.study.diagnosing.probing import PICTURES, preparation_of

# Images that heads are fitted on, the VLM's head, that norms see, and that promising changes of the input are tried on again; how
# many such changes; and images that are embedded among others than before.
FITTED_IMAGES, PROBE_IMAGES, RECORD_IMAGES, FURTHER_IMAGES, FINALISTS, STEADY_IMAGES = 3000, 10_000, 384, 400, 3, 32
# Images that the first norm sees with a change of the input; and that norms see where records fit the first of them closely.
HELD_IMAGES, CLOSE_IMAGES = 128, 1536
Prepare: TypeAlias = Callable[[Picture], NDArray[np.float32]]
OWN_PREPARATION = ("as its own configuration says", "prepare the images as the model's own configuration says")
PROBE_PENALTY, PROBE_ITERATIONS, COSINE_SCALE = 1e-3, 100, 100.0


class DiagnosableModel(Feedable, Protocol):
    """What of a vision model is needed here."""

    @property
    def head(self) -> Head:
        """From an embedding to logits."""


@dataclass(frozen=True, eq=False)
class Images:
    """Images of one split: `picture(row)` gives pixels; labels `[image]` are the model's classes; `embeddings [image, D]`,
    `vlm [image, E]`."""

    picture: Callable[[int], Picture]
    labels: Classes
    embeddings: Floats
    vlm: Floats

    def some(self, number: int, *, seed: int, among: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """At most `number` rows, as many of each class (of the classes `among`) as there are."""
        rows = np.arange(len(self.labels)) if among is None else np.flatnonzero(np.isin(self.labels, among))
        if not len(rows):
            return rows
        chosen = rows[balanced(self.labels[rows], seed=seed)]
        return np.asarray(list(dict.fromkeys(chosen.tolist()))[:number], dtype=np.int64)


def vlm_probe(train: Images, classes: int, *, seed: int = 0) -> LogisticModel:
    """A head on the VLM's embeddings of at most `PROBE_IMAGES` training images."""
    rows = train.some(PROBE_IMAGES, seed=seed)
    z = np.asarray(train.vlm[rows], np.float64)
    return fit_logistic(z, train.labels[rows], classes, penalty=PROBE_PENALTY, iterations=PROBE_ITERATIONS)


def vlm_scores(vlm: Floats, class_directions: Float64, probe: LogisticModel) -> tuple[Float64, Float64]:
    """What the VLM's texts and a head on its embeddings say of images `[image, E]`: scores `[image, class]` each."""
    seen = np.asarray(vlm, np.float64)
    return COSINE_SCALE * (seen @ class_directions.T), seen @ probe.weight + probe.bias


def label_judgement(
    head: Head,
    evidence: HeadEvidence,
    embeddings: Floats,
    labels: Classes,
    by_vlm: tuple[Float64, Float64],
    *,
    among: NDArray[np.bool_] | None = None,
    order: ClassOrder | None = None,
) -> LabelJudgement:
    """The `labels [image]` of images with `embeddings [image, D]` as judged by the model, another head on these, the VLM's texts,
    and a head on the VLM's embeddings.

    `order`: where the names of the classes are in another order, this one; the labels are judged under the right names then.
    """
    texts, probed = by_vlm
    scores = {
        "the model": head.logits(embeddings),
        "another head on its embeddings": evidence.refitted_logits(embeddings),
        "the VLM's texts": texts,
        "a head on the VLM's embeddings": probed,
    }
    if order is None:
        return judge_labels(scores, labels, among=among)
    meant = np.arange(head.classes)
    meant[[label for label, _ in order.moved]] = [output for _, output in order.moved]
    return with_names_restored(scores, labels, meant[labels], among=among)


def mendings(
    model: DiagnosableModel,
    train: Images,
    test: Images,
    number: int,
    *,
    seed: int,
    own: Prepare | None = None,
    advance: Progress = unseen,
) -> tuple[Mending, ...]:
    """What each usual change of the input does to `number` images, half of either split; none for 0. Where none is to be
    named, the best of those that are promising are judged anew on `FURTHER_IMAGES` others, corrected for their own number alone.

    `own`: how the model's own configuration prepares them, where the study does it otherwise.
    """
    chosen = [(images, images.some(number // 2, seed=seed)) for images in (train, test)]
    pictures = [images.picture(int(row)) for images, rows in chosen for row in rows]
    labels = np.concatenate([images.labels[rows] for images, rows in chosen])
    if not pictures:
        return ()
    prepared = prepared_by(model, pictures)
    plain = model.head.logits(embedded(model, prepared, advance)).argmax(1)
    changed = {key: model.head.logits(z).argmax(1) for key, z in changed_embeddings(model, pictures, advance)}
    if own is not None:
        given = [own(picture) for picture in pictures]
        if all(image.shape == prepared.shape[1:] for image in given):  # the network may take no other size
            changed[OWN_PREPARATION] = model.head.logits(embedded(model, np.stack(given), advance)).argmax(1)
    judged = judge_mendings(labels, plain, changed, chance=1 / model.head.classes)
    finalists = [mending for mending in judged if mending.is_promising][:FINALISTS]
    if finalists and not judged[0].is_named:
        further = [
            (images, images.some((number + FURTHER_IMAGES) // 2, seed=seed)[number // 2 :]) for images in (train, test)
        ]
        again = _again(model, finalists, further, own=own, advance=advance)
        names = {mending.name for mending in again}
        return (*again, *(mending for mending in judged if mending.name not in names))
    return judged


def _again(
    model: DiagnosableModel,
    finalists: Sequence[Mending],
    further: Sequence[tuple[Images, NDArray[np.int64]]],
    *,
    own: Prepare | None,
    advance: Progress,
) -> tuple[Mending, ...]:
    """The same changes on further images; none where there are none."""
    pictures = [images.picture(int(row)) for images, rows in further for row in rows]
    if not pictures:
        return ()
    labels = np.concatenate([images.labels[rows] for images, rows in further])
    plain = model.head.logits(embedded(model, prepared_by(model, pictures), advance)).argmax(1)
    names = frozenset(mending.name for mending in finalists)
    changed = {
        key: model.head.logits(z).argmax(1) for key, z in changed_embeddings(model, pictures, advance, only=names)
    }
    if own is not None and OWN_PREPARATION[0] in names:
        given = np.stack([own(picture) for picture in pictures])
        changed[OWN_PREPARATION] = model.head.logits(embedded(model, given, advance)).argmax(1)
    return judge_mendings(labels, plain, changed, chance=finalists[0].chance)


def unsteadiness(model: DiagnosableModel, images: Images, rows: NDArray[np.int64]) -> float:
    """How far an image's embedding lies from its embedding in other company, in deviations over images; 0 for fewer than two.

    A network gives an image one embedding, whatever stands beside it, unless dropout, noise or a norm of the batch is left on.
    """
    if len(rows) < 2:
        return 0.0
    prepared = prepared_by(model, [images.picture(int(row)) for row in rows])
    together, half = model.embed(prepared), len(rows) // 2
    # In reverse, and in two parts of other sizes.
    reverse = prepared[::-1]
    apart = np.concatenate([model.embed(reverse[: half // 2 + 1]), model.embed(reverse[half // 2 + 1 :])])[::-1]
    deviation = float(np.asarray(together, np.float64).std(0).mean())
    moved = float(np.sqrt(np.square(np.asarray(together, np.float64) - apart).mean()))
    return moved / deviation if deviation > 0 and np.isfinite(moved) else 0.0


def clipped_share(embeddings: Floats) -> float:
    """Share of the values of `embeddings [image, D]` that lie exactly at the largest or smallest of their dimension and are not
    0; next to none where nothing clips them. Dimensions that are the same for all images do not count."""
    z = np.asarray(embeddings)
    low, high = z.min(0), z.max(0)
    varied = low < high
    if not varied.any():
        return 0.0
    at_bound = ((z == low) & (low != 0)) | ((z == high) & (high != 0))
    return float(at_bound[:, varied].mean())


def departures(model: DiagnosableModel, images: Images, rows: NDArray[np.int64]) -> tuple[LayerDeparture, ...]:
    """Of the model's norms on these images; empty where it keeps no record or none can be asked."""
    recording = records_of(model)
    if recording is None or not len(rows):
        return ()

    def batches() -> Iterable[NDArray[np.float32]]:
        for start in range(0, len(rows), BATCH):
            yield prepared_by(model, [images.picture(int(row)) for row in rows[start : start + BATCH]])

    return tuple(recording.departures(batches()))


def held_to_records(
    model: DiagnosableModel,
    train: Images,
    tried: tuple[Mending, ...],
    departed: Sequence[LayerDeparture],
    *,
    seed: int,
) -> tuple[Mending, ...]:
    """The changes of the input; of those that would be named, one that puts the first norm off its record is marked, where that
    of the input as it is, `departed [0]`, is at it. The values that reach the first layers are those of training then.
    """
    recording = records_of(model)
    if recording is None or not departed or is_off_record(departed[0]):
        return tried
    pictures = [train.picture(int(row)) for row in train.some(HELD_IMAGES, seed=seed)]
    named = frozenset(mending.name for mending in tried if mending.is_named)
    off = set()
    for (name, _), given in changed_inputs(model, pictures, only=named) if named else ():
        seen = recording.departures(given[start : start + BATCH] for start in range(0, len(given), BATCH))
        if is_off_record(seen[0]):
            off.add(name)
    return tuple(replace(mending, off_record=mending.name in off) for mending in tried)


def closeness(model: DiagnosableModel, train: Images, departed: Sequence[LayerDeparture], *, seed: int) -> float | None:
    """The largest departure; where those `departed` on some images are small, measured again on `CLOSE_IMAGES`."""
    largest = max((layer.value for layer in departed), default=None)
    if largest is None or largest >= MAYBE_CLOSE:
        return largest
    return max(layer.value for layer in departures(model, train, train.some(CLOSE_IMAGES, seed=seed)))


def gather(
    model: DiagnosableModel,
    train: Images,
    test: Images,
    *,
    class_directions: Float64,
    probe: LogisticModel,
    seed: int = 0,
    changed: int = 400,
    reported: float | None = None,
    own: Prepare | None = None,
    not_finite: int = 0,
    advance: Progress = unseen,
) -> ModelEvidence:
    """All evidence. `changed`: on how many images each change of the input is tried; `reported`: the accuracy that the model
    is said to have had; `own`: how its own configuration prepares images, where the study does it otherwise; `not_finite`:
    images that it gives NaN or infinity for."""
    rows = train.some(FITTED_IMAGES, seed=seed)
    head = head_evidence(
        model.head, train.embeddings[rows], train.labels[rows], test.embeddings, test.labels, seed=seed
    )
    shared = np.intersect1d(train.labels, test.labels)
    on_train = departures(model, train, train.some(RECORD_IMAGES, seed=seed))
    compared = () if not on_train else departures(model, test, test.some(RECORD_IMAGES, seed=seed, among=shared))
    if compared and len(shared) < len(np.unique(train.labels)):
        compared = ()  # norms see one mix of classes in training and another here
    tried = mendings(model, train, test, changed, seed=seed, own=own, advance=advance)
    outputs = np.asarray(model.head.logits(test.embeddings).argmax(1), dtype=np.int64)
    evidence = ModelEvidence(
        head=head,
        order=class_order(test.labels, outputs, model.head.classes),
        order_by_vlm=class_order(test.labels, zero_shot(test.vlm, class_directions), model.head.classes),
        mendings=held_to_records(model, train, tried, on_train, seed=seed),
        departures=on_train,
        test_departures=compared,
        divided=not model.head.is_identity,
        marks=marks_of(model),
        unsteady=unsteadiness(model, test, test.some(STEADY_IMAGES, seed=seed)),
        clipped=clipped_share(train.embeddings),
        closeness=closeness(model, train, on_train, seed=seed),
        preparation=preparation_of(model, [test.picture(row) for row in range(min(PICTURES, len(test.labels)))]),
        reported=reported,
        not_finite=not_finite,
    )
    by_vlm = vlm_scores(test.vlm, class_directions, probe)
    judged = label_judgement(model.head, head, test.embeddings, test.labels, by_vlm, order=names_of(evidence))
    return replace(evidence, labels=judged)


def names_of(evidence: ModelEvidence) -> ClassOrder | None:
    """The order of the labels' class names that fits, where the VLM, too, sees that they are in another one; where it does not,
    it is the model's names that are, and the labels are right."""
    return evidence.order if evidence.names_wrong and evidence.order_by_vlm.looks_wrong else None
