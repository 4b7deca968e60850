"""What is known around each image: a proof, a picture or an embedding that refutes it, or neither."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats
from conspect.language.syntax.tree import Formula
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.learning import Neighbourhood, Neighbourhoods, kinds_near
from conspect.verification.neighbourhoods.proving import NeighbourhoodProver, ProofCase
from conspect.verification.neighbourhoods.refuting import Refuter
from conspect.verification.queries.formula_table import FormulaTable, leads_asked
from conspect.verification.regions.readouts import ReadoutKinds

UNCHANGED = -1  # the image itself is the first picture of its neighbourhood
NONE = -2


@dataclass(frozen=True, eq=False)
class Question:
    """A formula around some of the images at hand, by row."""

    formula: Formula
    table: FormulaTable
    images: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Around:
    """What is known of one formula around its images.

    `proved [image]`: exactly, by `tree`. `picture [image]`: the changed picture inside that makes it false, `UNCHANGED` for
    the image itself, `NONE` for none. `embeddings`: by image (place in the question), an embedding inside that does.
    """

    tree: ProofCase
    centres: Centres
    proved: NDArray[np.bool_]
    picture: NDArray[np.int64]
    embeddings: dict[int, Float64]

    @property
    def refuted(self) -> NDArray[np.bool_]:
        """By a picture or an embedding, `[image]`."""
        refuted = self.picture != NONE
        refuted[list(self.embeddings)] = True
        return np.asarray(refuted)


@dataclass(frozen=True, eq=False)
class ImagesAtHand:
    """Images with their changed pictures: `embeddings [image, D]`, `changed [image, picture, D]`."""

    embeddings: Floats
    changed: Floats


@dataclass(eq=False)
class Surroundings:
    """Decides formulas in the neighbourhoods of images of one model."""

    neighbourhoods: Neighbourhoods
    truth: ExactTruth
    refuter: Refuter = field(init=False)

    def __post_init__(self) -> None:
        self.refuter = Refuter(self.neighbourhoods.model, self.truth)

    def decide(
        self, questions: Sequence[Question], images: ImagesAtHand, changes: str, share: Fraction
    ) -> list[Around]:
        """For each question, in order; formulas that read alike share a neighbourhood. VERIFY006, VERIFY014."""
        answers: dict[int, Around] = {}
        for kinds, numbers in self._by_kinds(questions).items():
            hood = self.neighbourhoods.learned(kinds, changes)
            asked = [questions[k] for k in numbers]
            answers |= zip(numbers, self._decide(hood, asked, images, hood.radius(share)), strict=True)
        return [answers[k] for k in range(len(questions))]

    def proved(
        self, questions: Sequence[Question], embeddings: Floats, changes: str, share: Fraction
    ) -> list[NDArray[np.bool_]]:
        """Where proofs exist alone, `[image]` for each question: no counterexample is looked for."""
        answers: dict[int, NDArray[np.bool_]] = {}
        for kinds, numbers in self._by_kinds(questions).items():
            hood = self.neighbourhoods.learned(kinds, changes)
            asked = [questions[k] for k in numbers]
            prover = self._prover(hood, asked, embeddings)
            attempts = prover.prove([(q.table, q.images) for q in asked], hood.radius(share))
            answers |= {k: attempt.images for k, attempt in zip(numbers, attempts, strict=True)}
        return [answers[k] for k in range(len(questions))]

    def _by_kinds(self, questions: Sequence[Question]) -> dict[ReadoutKinds, list[int]]:
        concepts = len(self.neighbourhoods.model.concept_names)
        groups: dict[ReadoutKinds, list[int]] = {}
        for number, question in enumerate(questions):
            groups.setdefault(kinds_near(question.table, concepts), []).append(number)
        return groups

    def _prover(self, hood: Neighbourhood, asked: Sequence[Question], embeddings: Floats) -> NeighbourhoodProver:
        leads = [lead for question in asked for lead in leads_asked(question.table)]
        centres = self.neighbourhoods.centres(hood.kinds, embeddings)
        return NeighbourhoodProver(self.neighbourhoods.rows(hood.kinds, leads), hood.extents, centres)

    def _decide(
        self, hood: Neighbourhood, asked: Sequence[Question], images: ImagesAtHand, radius: Fraction
    ) -> list[Around]:
        prover = self._prover(hood, asked, images.embeddings)
        proved = prover.prove([(question.table, question.images) for question in asked], radius)
        chosen = self.neighbourhoods.chosen(hood.changes)
        pictures = [images.embeddings, *(images.changed[:, k] for k in chosen)]
        names = [UNCHANGED, *range(len(chosen))]
        centres = prover.centres
        read = [self.refuter.readings(hood.kinds, picture) for picture in pictures]
        inside = [self.refuter.inside(hood.ellipsoid, radius, readings, centres.floats) for readings in read]
        answers = []
        for question, attempt in zip(asked, proved, strict=True):
            left = np.flatnonzero(~attempt.images)
            picture = np.full(len(question.images), NONE, dtype=np.int64)
            for name, embeddings, readings, within in zip(names, pictures, read, inside, strict=True):
                open_ = left[(picture[left] == NONE) & within[question.images[left]]]
                rows = question.images[open_]
                false = self.refuter.false(question.formula, embeddings[rows], readings.read.taken(rows))
                picture[open_[false]] = name
            rest = left[(picture[left] == NONE) & np.isfinite(attempt.ways[left]).all(axis=1)]
            refuting = self._embeddings(
                hood, question, (images.embeddings, centres), radius, (rest, attempt.ways[rest])
            )
            answers.append(Around(attempt.tree, centres.taken(question.images), attempt.images, picture, refuting))
        return answers

    def _embeddings(
        self,
        hood: Neighbourhood,
        question: Question,
        images: tuple[Floats, Centres],
        radius: Fraction,
        ways: tuple[NDArray[np.intp], Float64],
    ) -> dict[int, Float64]:
        """Embeddings inside that make the formula false, by place in the question."""
        places, w = ways
        if not len(places):
            return {}
        rows = question.images[places]
        near = (np.asarray(images[0])[rows], images[1].taken(rows))
        moved = self.refuter.candidates(hood.kinds, hood.ellipsoid, radius, near, w)
        if moved is None:
            return {}
        readings = self.refuter.readings(hood.kinds, moved)
        inside = self.refuter.inside(hood.ellipsoid, radius, readings, near[1].floats)
        false = self.refuter.false(question.formula, moved, readings.read)
        return {int(places[k]): moved[k] for k in np.flatnonzero(inside & false)}
