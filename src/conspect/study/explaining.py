"""Images of a study, confusion cells and classes explained: a sentence, minimal sets, the smallest change, where concepts are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from conspect.analysis.explanation.contrast import Side, Standing
from conspect.analysis.explanation.counterfactual import concept_moves, counterfactual, printed_shift
from conspect.analysis.explanation.erasure import Eraser
from conspect.analysis.explanation.maps import concept_map
from conspect.analysis.explanation.minimal_sets import (
    ALL_TRIED,
    KnownSets,
    MinimalSets,
    additive_flip,
    additive_keeps,
    behaviour_keeps,
    erasure_only_harms,
    every_minimal_set,
    minimal_sets,
)
from conspect.core.capabilities import HasPositions, HidesPositions
from conspect.core.diagnostics import user_error
from conspect.core.percentages import rounded_share
from conspect.core.protocols import VisionModel
from conspect.core.spaces import Float64, Lens
from conspect.core.vectors import confidences
from conspect.results import explanations as records
from conspect.study.inputs import StudyInputs
from conspect.study.measuring.measurements import Measurements
from conspect.study.recording.concepts import ConceptSample, Explainer, graded

SETS, SHOWN_SHIFTS = 20, 5
# Where no strength has to move as far as this, in standard deviations, hardly anything has to change.
ON_THE_BORDER = 0.05
# Of a confusion cell or a class so many images are explained together.
BEHAVIOUR_IMAGES = 200
# A concept counts by its presence in a behaviour where so many of the images show it more than the mean image, or by its lack.
MOSTLY = 0.8
# Of the largest number of an embedding: so far may the mean over positions be from it, by rounding alone.
MEAN_TOLERANCE = 1e-2
NO_AVERAGE = (
    "the embedding is no average over positions of the image, but a class token, a largest value, a norm after the average, or "
    "the like"
)


@dataclass(frozen=True)
class ExplanationRequest:
    """What is to be explained: test images by id, confusion cells as "label:output", classes."""

    images: Sequence[str] = ()
    cells: Sequence[str] = ()
    classes: Sequence[str] = ()


def explain(
    inputs: StudyInputs, measured: Measurements, asked: ExplanationRequest, *, seconds: float = 0.1, share: float = 0.5
) -> records.ImageExplanations:
    """Explanations of images and behaviours, `seconds` for the minimal sets of each; `share`: see `BehaviourExplanation`.

    Raises UserError STUDY002 for an image that is not among the readable test images, a class or cell that is none, and a cell
    or class without images.
    """
    rows = {name: row for row, name in enumerate(measured.ids)}
    missing = [name for name in asked.images if name not in rows]
    if missing:
        problem = f"there is no readable test image {missing[0][:80]!r}"
        fix = f"use ids of results.json, such as {measured.ids[0]}"
        raise user_error("STUDY002", problem, fix)
    cells = [_cell(cell, inputs.model.class_names, measured) for cell in asked.cells]
    for label, output in cells:
        if label == output:
            name = inputs.model.class_names[label]
            problem = f"{name}:{name} is no confusion: its images are classified right"
            raise user_error("STUDY002", problem, f"explain them with --class {name}")
    cells += [_class(name, inputs.model.class_names, measured) for name in asked.classes]
    explaining = ImageExplainer(inputs, measured, seconds)
    return records.ImageExplanations(
        images=tuple(explaining.image(rows[name]) for name in asked.images),
        behaviours=tuple(explaining.behaviour(label, output, share) for label, output in cells),
    )


def _cell(cell: str, classes: Sequence[str], measured: Measurements) -> tuple[int, int]:
    """Label and output of "label:output"; class names may hold colons themselves."""
    halves = [(cell[:place], cell[place + 1 :]) for place, letter in enumerate(cell) if letter == ":"]
    pairs = [(classes.index(a), classes.index(b)) for a, b in halves if a in classes and b in classes]
    if len(pairs) != 1:
        first, _, second = cell.partition(":")
        near = (_nearest(first, classes), _nearest(second, classes))
        fix = f"write two of the study's classes, as in --cell {classes[0]}:{classes[-1]}, or one of them after --class"
        if ":" in cell and near[0] is not None and near[1] is not None and near[0] != near[1]:
            fix = f"did you mean {near[0]}:{near[1]}?"
        raise user_error("STUDY002", f"{cell[:80]!r} names no pair of classes of this study", fix)
    return _with_images(*pairs[0], classes, measured)


def _class(name: str, classes: Sequence[str], measured: Measurements) -> tuple[int, int]:
    """Label and output of the images of a class that are classified right."""
    if name not in classes:
        near = _nearest(name, classes)
        fix = f"did you mean {near}?" if near is not None else f"write one of the study's classes, such as {classes[0]}"
        raise user_error("STUDY002", f"{name[:80]!r} names no class of this study", fix)
    return _with_images(classes.index(name), classes.index(name), classes, measured)


def _nearest(name: str, classes: Sequence[str]) -> str | None:
    """The class whose name was probably meant, whatever its case."""
    by_case = {known.casefold(): known for known in classes}
    close = difflib.get_close_matches(name.casefold(), by_case, n=1)
    return by_case[close[0]] if close else None


def _with_images(label: int, output: int, classes: Sequence[str], measured: Measurements) -> tuple[int, int]:
    """Both. Raises UserError STUDY002 where no image is of them."""
    if not ((measured.labels == label) & (measured.outputs == output)).any():
        taken = "is classified right" if label == output else f"is taken for {classes[output]}"
        problem = f"no test image of {classes[label]} {taken}, so there is nothing to explain"
        raise user_error("STUDY002", problem, "choose a cell of model.confusion in results.json that is not 0")
    return label, output


class ImageExplainer:
    """What the explanations of one study's images share. `taken`: the first concept of each group of equals that takes part."""

    def __init__(self, inputs: StudyInputs, measured: Measurements, seconds: float) -> None:
        self.sample = ConceptSample.of(measured)
        self.inputs, self.measured, self.seconds = inputs, measured, seconds
        self.explainer = Explainer.of(inputs, self.sample, graded(inputs, measured, self.sample))
        # Of concepts that cannot be told apart one stands for all, or erasing one would leave its twin.
        self.taken = self.explainer.vocabulary.firsts()
        lens, names = measured.lens, measured.lens.concept_names
        self.lens = Lens(lens.alignment, tuple(names[k] for k in self.taken), lens.directions[self.taken])
        head = inputs.model.head
        self.without_sets: str | None = None
        if not head.is_linear:
            self.without_sets = "the model's head is not linear"
        elif not self.taken:
            self.without_sets = "no concept of the study takes part: none is seen and says more than a class's name"
        else:
            z = self.sample.embeddings.astype(np.float64)
            self.eraser = Eraser.of(self.lens, head, z.mean(axis=0), np.cov(z, rowvar=False))
            self.moves = concept_moves(self.lens, self.sample.embeddings)

    def image(self, row: int) -> records.ImageExplanation:
        """Of the test image in `row`."""
        measured, classes = self.measured, self.inputs.model.class_names
        label, output = int(measured.labels[row]), int(measured.outputs[row])
        embedding = measured.test.model_embeddings(np.array([row]))[0]
        logits = self.inputs.model.head.logits(embedding[None])[0]
        against = self._against(label, output, logits)
        strengths = measured.lens.strengths(embedding[None])[0]
        explanation = self.explainer.explanation(strengths, against, output, failed=label != output)
        left_out = [] if self.without_sets is None else [f"minimal sets and counterfactuals: {self.without_sets}"]
        maps = self.maps(row, [reason.concept for reason in explanation.reasons])
        if maps is None:
            left_out.append(self.without_maps)
        return records.ImageExplanation(
            id=measured.ids[row],
            label=classes[label],
            output=classes[output],
            against=classes[against],
            confidence=rounded_share(confidences(logits)[output]),
            explanation=explanation,
            sets=self._sets(embedding.astype(np.float64), output) if self.without_sets is None else None,
            counterfactual=self._counterfactual(row, embedding, output, against) if self.without_sets is None else None,
            maps=maps or (),
            left_out=tuple(left_out),
        )

    def behaviour(self, label: int, output: int, share: float) -> records.BehaviourExplanation:
        """Of the images of class `label` whose output is `output`; of at most `BEHAVIOUR_IMAGES`, spread over the data."""
        measured, classes = self.measured, self.inputs.model.class_names
        rows = np.flatnonzero((measured.labels == label) & (measured.outputs == output))
        taken = rows[np.linspace(0, len(rows) - 1, min(len(rows), BEHAVIOUR_IMAGES)).astype(np.int64)]
        embeddings = measured.test.model_embeddings(taken).astype(np.float64)
        left_out = [] if self.without_sets is None else [f"minimal sets: {self.without_sets}"]
        # Right images are told from the class that comes second on most of them.
        logits = self.inputs.model.head.logits(embeddings)
        seconds = np.argsort(-logits, axis=1, kind="stable")[:, 1]
        against = label if label != output else int(np.bincount(seconds).argmax())
        median = np.median(measured.lens.strengths(embeddings), axis=0)
        return records.BehaviourExplanation(
            label=classes[label],
            output=classes[output],
            against=classes[against],
            images=len(rows),
            taken=len(taken),
            share=share,
            explanation=self.explainer.explanation(
                median, against, output, failed=label != output, median_of=len(taken)
            ),
            sets=self._behaviour_sets(embeddings, output, share) if self.without_sets is None else None,
            left_out=tuple(left_out),
        )

    def _behaviour_sets(self, embeddings: Float64, output: int, share: float) -> records.MinimalSets:
        margins = [self.eraser.margins(embedding, output) for embedding in embeddings]
        start, change = np.stack([margin for margin, _ in margins]), np.stack([each for _, each in margins])
        sets = minimal_sets(
            behaviour_keeps(start, change, share),
            len(self.taken),
            order=_readiest(change.min(axis=2).mean(axis=0)),
            seconds=self.seconds,
            at_most=SETS,
            monotone=erasure_only_harms(change),
        )
        return self._named(sets, embeddings)

    def _sets(self, embedding: Float64, output: int) -> records.MinimalSets:
        start, change = self.eraser.margins(embedding, output)
        keeps, concepts = additive_keeps(start, change), len(self.taken)
        if concepts <= ALL_TRIED:
            return self._named(every_minimal_set(keeps, concepts, at_most=SETS), embedding[None])
        sets = minimal_sets(
            keeps,
            concepts,
            order=_readiest(change.min(axis=1)),
            seconds=self.seconds,
            at_most=SETS,
            monotone=erasure_only_harms(change),
            flip=additive_flip(start, change),
        )
        return self._named(sets, embedding[None])

    def _named(self, sets: MinimalSets, embeddings: Float64) -> records.MinimalSets:
        """`embeddings [image, D]`: of the images that the sets are of."""
        scores = embeddings @ self.eraser.scores.T - self.eraser.offset
        present = (scores > 0).mean(axis=0)
        members = [self._member(place, float(present[place])) for place in range(len(self.taken))]

        def kind(known: KnownSets) -> records.FoundSets:
            return records.FoundSets(
                sets=tuple(tuple(members[place] for place in places) for places in known.sets),
                known=known.known,
                all_up_to=known.all_up_to,
            )

        return records.MinimalSets(
            abductive=kind(sets.abductive),
            contrastive=kind(sets.contrastive),
            complete=sets.complete,
            concepts=len(self.taken),
        )

    def _member(self, place: int, present: float) -> records.SetMember:
        """`present`: the share of images that show it more than the mean image does."""
        twins, opposites = self._alike(place)
        by: Literal["presence", "lack", "either"] = (
            "presence" if present >= MOSTLY else "lack" if present <= 1 - MOSTLY else "either"
        )
        seen: Literal["seen", "in part", "not checked"] = "seen"
        match self.explainer.vocabulary.stands(sum(self.explainer.vocabulary.members(self.taken[place]), ())):
            case Standing.IN_PART:
                seen = "in part"
            case Standing.UNCHECKED:
                seen = "not checked"
        return records.SetMember(
            concept=self.lens.concept_names[place], twins=twins, opposites=opposites, by=by, seen=seen
        )

    def _alike(self, place: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names of the concepts that rise and fall with the one in `place`, and of those that do the opposite."""
        names = self.explainer.concepts
        same, opposites = self.explainer.vocabulary.members(self.taken[place])
        return tuple(names[k] for k in same[1:]), tuple(names[k] for k in opposites)

    def _counterfactual(
        self, row: int, embedding: NDArray[np.float32], output: int, against: int
    ) -> records.Counterfactual | None:
        ways = np.zeros(len(self.taken))
        for unit in self.explainer.vocabulary.units(against, output):
            ways[self.taken.index(unit.concept)] = 1.0 if unit.side is Side.LABEL else -1.0
        printed = printed_shift(self.moves, self.inputs.model.head, embedding, against, at_most=SHOWN_SHIFTS, ways=ways)
        if printed is None:
            return None
        others = self.sample.embeddings[self.sample.images != row]
        moved = counterfactual(self.moves, embedding, printed.shift, others)
        if not np.isfinite(moved.distance):
            return None
        order = [int(k) for k in np.argsort(-np.abs(moved.shift), kind="stable") if moved.shift[k]]
        before, after = self.lens.strengths(np.stack([embedding.astype(np.float64), moved.embedding]))
        spread = self.sample.by_model[:, self.taken].std(axis=0)
        still = (moved.shift == 0) & (spread > 0)
        shifts = []
        for place in order:
            twins, opposites = self._alike(place)
            shifts.append(
                records.Shift(
                    concept=self.lens.concept_names[place],
                    twins=twins,
                    opposites=opposites,
                    deviations=float(moved.shift[place]),
                )
            )
        return records.Counterfactual(
            restored=self.inputs.model.class_names[against],
            shifts=tuple(shifts),
            decimals=printed.decimals,
            of_the_two=printed.of_the_two,
            cosines_move=round(float((np.abs(after - before)[still] / spread[still]).max(initial=0.0)), 3),
            distance=round(moved.distance, 3),
            on_the_border=float(np.abs(moved.shift).max()) < ON_THE_BORDER,
        )

    def maps(self, row: int, concepts: Sequence[str]) -> tuple[records.ConceptMap, ...] | None:
        """Where in the test image in `row` the concepts are; None where the encoder does not average positions."""
        image = self.inputs.test.image(int(self.measured.test.rows[row]))
        maps = concept_maps(self.inputs.model, self.measured.lens, image, concepts)
        logits = self.inputs.model.head.logits(self.measured.test.model_embeddings(np.array([row])))[0]
        against = self._against(int(self.measured.labels[row]), int(self.measured.outputs[row]), logits)
        right = (self.sample.labels == against) & (self.sample.outputs == against)
        if maps is None or not right.any():
            return maps
        usual = np.median(self.measured.lens.folded(self.sample.embeddings[right]), axis=0)
        place = self.measured.lens.concept_names.index
        return tuple(msgspec.structs.replace(heat, usual=round(float(usual[place(heat.concept)]), 4)) for heat in maps)

    @property
    def without_maps(self) -> str:
        """Why there are no maps."""
        return f"where concepts are: {why_no_maps(self.inputs.model)}"

    @staticmethod
    def _against(label: int, output: int, logits: Float64) -> int:
        """What an image is told from: its class where it fails, else the class that comes second."""
        return label if label != output else int(np.argsort(-logits, kind="stable")[1])


def _readiest(helped: Float64) -> list[int]:
    """`helped [concept]`: how much erasing it helps the output; what helps most is the first to go from an abductive set."""
    return [int(k) for k in np.argsort(-helped, kind="stable")]


def concept_maps(
    model: VisionModel, lens: Lens, image: NDArray[np.uint8], concepts: Sequence[str]
) -> tuple[records.ConceptMap, ...] | None:
    """Where in an `image [height, width, 3]` the concepts are; None where the encoder does not average positions."""
    if not isinstance(model, HasPositions):
        return None
    prepared = model.prepare(image)[None]
    positions = model.positions(prepared)
    if positions is None or not _is_mean_of(positions, model.embed(prepared)):
        return None
    maps, names = concept_map(lens, positions[0]), lens.concept_names
    return tuple(
        records.ConceptMap(
            concept=name, values=tuple(tuple(round(float(v), 4) for v in line) for line in maps[names.index(name)])
        )
        for name in concepts
    )


def why_no_maps(model: VisionModel) -> str:
    """Why a model whose maps are refused has none: by what it is."""
    if isinstance(model, HasPositions):
        return NO_AVERAGE
    if isinstance(model, HidesPositions):
        return model.without_positions
    return (
        f"{type(model).__name__} is a model of your own without a method `positions`, which would give [image, y, x, D] of "
        "prepared images, whose mean is the embedding"
    )


def _is_mean_of(positions: NDArray[np.float32], embeddings: NDArray[np.float32]) -> bool:
    """Whether the mean over y and x of `positions [image, y, x, D]` is the embedding `[image, D]`, so that maps add up to it."""
    if positions.ndim != 4 or positions.shape[:: len(positions.shape) - 1] != embeddings.shape:
        return False
    means = np.asarray(positions, dtype=np.float64).mean(axis=(1, 2))
    return bool(np.abs(means - embeddings).max(initial=0.0) <= MEAN_TOLERANCE * np.abs(embeddings).max(initial=0.0))
