"""How fast neighbourhoods are decided: 540 properties around 2,000 images, each compared image by image with an optimiser.

Synthetic: 10 classes, 18 concepts, 256 dimensions, as in the demo; displacements have a spread of their own in each
direction. The optimiser (SLSQP) knows no multipliers: it looks for the smallest gap of the conclusion where the premise holds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.optimize import LinearConstraint, NonlinearConstraint, minimize

from conspect.bench.rows import Row, row
from conspect.bench.verify import setting
from conspect.core.spaces import Float64, Floats
from conspect.language.syntax.tree import ORDINARY
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.neighbourhoods.around import Around, ImagesAtHand, Question, Surroundings
from conspect.verification.neighbourhoods.learning import Neighbourhood, Neighbourhoods, kinds_near
from conspect.verification.queries.changed import ChangedSplit, PictureName
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel

PROPERTIES, IMAGES, DIMENSION, SHARE = 540, 2000, 256, Fraction(9, 10)
TIE = 1e-6


@dataclass(frozen=True, eq=False)
class DrawnPictures:
    """Changed pictures with normal displacements; fulfils `ChangedPictures`."""

    samples: dict[str, ChangedSplit]

    @property
    def pictures(self) -> tuple[PictureName, ...]:
        """Three changes of one kind."""
        return tuple(PictureName("drawn", f"moved, {k}") for k in range(3))

    @property
    def digest(self) -> str:
        """There is nothing to tell apart."""
        return "drawn"

    def sample(self, split: str) -> ChangedSplit:
        """All images of a split."""
        return self.samples[split]

    def around(self, split: str, row: int) -> Floats:
        """Those of one image."""
        return np.asarray(self.samples[split].embeddings[row])


def subject(seed: int = 0) -> tuple[VerificationModel, list[Question]]:
    """A model with 2,000 images in each of three splits, and 54 properties of each class."""
    given = setting(seed, dimension=DIMENSION)
    rng = np.random.default_rng(seed)
    labels = np.arange(IMAGES) % len(given.regions)
    centres = np.asarray([region.centre for region in given.regions])[labels]
    spread = np.asarray([region.factor for region in given.regions])[labels]
    splits, samples = {}, {}
    for name in ("train", "val", "test"):
        embeddings = (centres + 3 * spread * rng.normal(size=centres.shape)).astype(np.float32)
        ids = tuple(f"{name}{k}" for k in range(IMAGES))
        splits[name] = EmbeddingSplit(embeddings, labels, ids)
        moved = embeddings[:, None] + (0.05 * spread[:, None] * rng.normal(size=(IMAGES, 3, DIMENSION)))
        samples[name] = ChangedSplit(np.arange(IMAGES), moved.astype(np.float32))
    model = replace(
        given.subject,
        splits=splits,
        fit_split="train",
        size_split="val",
        measure_split="test",
        changed=DrawnPictures(samples),
    )
    each = PROPERTIES // len(given.regions)
    by_class: dict[int, list[Question]] = {}
    for job, index in given.jobs:
        chosen = by_class.setdefault(index, [])
        if len(chosen) < each:
            chosen.append(Question(job.formula, job.table, np.flatnonzero(labels == index)))
    return model, [question for chosen in by_class.values() for question in chosen]


def rows(*, sample: int = 200, seed: int = 0) -> list[Row]:
    """Figures as rows; `sample`: (property, image) pairs that the optimiser decides as well."""
    model, questions = subject(seed)
    hoods = Neighbourhoods(model)
    surroundings = Surroundings(hoods, ExactTruth(model))
    split = model.splits["test"]
    embeddings = split.embeddings
    surroundings.proved(questions[:1], embeddings, ORDINARY, SHARE)  # learns the neighbourhood
    started = time.perf_counter()
    proved = surroundings.proved(questions, embeddings, ORDINARY, SHARE)
    seconds = time.perf_counter() - started
    pairs = sum(len(one) for one in proved)
    images = ImagesAtHand(embeddings, hoods.changed.sample("test").embeddings)
    started = time.perf_counter()
    answers = surroundings.decide(questions, images, ORDINARY, SHARE)
    refuting = time.perf_counter() - started
    refuted = sum(int(one.refuted.sum()) for one in answers)
    both = sum(int((one.refuted & one.proved).sum()) for one in answers)
    done = sum(int(one.proved.sum()) for one in answers)
    hood = hoods.learned(kinds_near(questions[0].table, len(model.concept_names)), ORDINARY)
    wrong, missed, ties = _compared(hood, questions, answers, sample, seed)
    return [
        row(f"{len(questions)} properties around {IMAGES:,} images, proofs", seconds, "s", ("<=", 2.0)),
        row("the same with counterexamples", refuting, "s"),
        row("(property, image) pairs", pairs, "pairs"),
        row("proved, exactly", done / pairs, "of them"),
        row("refuted, exactly", refuted / pairs, "of them"),
        row("both proved and refuted", both, "pairs", ("<=", 0)),
        row(f"of {sample} pairs, proved where an optimiser finds a counterexample", wrong, "pairs", ("<=", 0)),
        row("not proved where it finds none (a witness is exact, its search is not)", missed, "pairs"),
        row("too close for it to tell", ties, "pairs"),
    ]


def _compared(
    hood: Neighbourhood, questions: list[Question], answers: list[Around], sample: int, seed: int
) -> tuple[int, int, int]:
    """Pairs proved where an optimiser finds a counterexample, not proved where it finds none, and too close to call."""
    rng = np.random.default_rng(seed)
    wrong, missed, ties = 0, 0, 0
    for which in rng.integers(0, len(questions), size=sample).tolist():
        question, answer = questions[which], answers[which]
        place = int(rng.integers(0, len(question.images)))
        gap = _lowest_gap(hood, question, answer.centres.floats[place], rng)
        if abs(gap) < TIE:
            ties += 1
        elif gap < 0 and answer.proved[place]:
            wrong += 1
        elif gap > 0 and not answer.proved[place]:
            missed += 1
    return wrong, missed, ties


def _lowest_gap(hood: Neighbourhood, question: Question, centre: Float64, rng: np.random.Generator) -> float:
    """The smallest gap of the conclusion in the neighbourhood where the premise holds, by SLSQP from several starts."""
    own = int(question.table[0][1])
    left, right = (int(number) for number in question.table[1][1:])
    classes = 10
    factor = float(hood.radius(SHARE)) * hood.ellipsoid.factor

    def reading(index: int, offset: int) -> Float64:
        """A logit or strength as a row of the readouts; the first of each is the one that others are relative to."""
        vector = np.zeros(len(centre))
        if index:
            vector[offset + index - 1] = 1.0
        return vector

    target = reading(left, classes - 1) - reading(right, classes - 1)
    premise = np.asarray([reading(own, 0) - reading(k, 0) for k in range(classes) if k != own])
    slope, slopes = target @ factor, premise @ factor
    base, bases = float(target @ centre), premise @ centre
    scale = max(abs(base), float(np.linalg.norm(slope)))
    limits = [
        NonlinearConstraint(lambda w: w @ w, -np.inf, 1.0, jac=lambda w: 2 * w[None]),
        LinearConstraint(slopes, -bases, np.inf),
    ]
    lowest = np.inf
    optimise: Any = minimize  # its stubs know no functions without annotations
    for start in (np.zeros(len(centre)), *(0.2 * rng.normal(size=(2, len(centre))))):
        found = optimise(
            lambda w: (slope @ w) / scale, start, jac=lambda w: slope / scale, constraints=limits, method="SLSQP"
        )
        if found.x @ found.x <= 1 + 1e-7 and (slopes @ found.x + bases).min() >= -1e-7 * scale:
            lowest = min(lowest, (base + float(slope @ found.x)) / scale)
    return lowest
