"""How fast neighbourhoods are decided: 540 properties around 2,000 images, some compared with an independent exact decision.

Synthetic: 10 classes, 18 concepts, 256 dimensions, as in the demo; displacements have a spread of their own in each
direction. The independent decision looks for the nearest point that denies the formula, see `independent_near`.
"""

from __future__ import annotations

import time
from dataclasses import replace
from fractions import Fraction

import numpy as np

from conspect.bench.oracles.neighbourhoods import Polyhedra
from conspect.bench.rows import Row, row
from conspect.bench.verify import setting
from conspect.bench.workloads.drawn_pictures import DrawnPictures
from conspect.checker import check
from conspect.language.syntax.tree import ORDINARY, Near
from conspect.verification.certificates.writing import bundle, sealed
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.neighbourhoods.around import Around, ImagesAtHand, Question, Surroundings
from conspect.verification.neighbourhoods.claims import NeighbourhoodClaim
from conspect.verification.neighbourhoods.learning import Neighbourhood, Neighbourhoods, kinds_near
from conspect.verification.neighbourhoods.verdicts import refuting
from conspect.verification.queries.changed import ChangedSplit
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel

PROPERTIES, IMAGES, DIMENSION, SHARE = 540, 2000, 256, Fraction(9, 10)


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


def rows(*, sample: int = 1000, seed: int = 0) -> list[Row]:
    """Figures as rows; `sample`: (property, image) pairs that are decided independently as well."""
    model, questions = subject(seed)
    hoods = Neighbourhoods(model)
    surroundings = Surroundings(hoods, ExactTruth(model))
    split = model.splits["test"]
    embeddings = split.embeddings
    surroundings.proved(questions[:1], embeddings, ORDINARY, SHARE)  # learns the neighbourhood
    started = time.perf_counter()
    proved = surroundings.proved(questions, embeddings, ORDINARY, SHARE)
    seconds = time.perf_counter() - started
    pairs = sum(len(flags) for flags in proved)
    images = ImagesAtHand(embeddings, hoods.changed.sample("test").embeddings)
    started = time.perf_counter()
    answers = surroundings.decide(questions, images, ORDINARY, SHARE)
    deciding = time.perf_counter() - started
    hood = hoods.learned(kinds_near(questions[0].table, len(model.concept_names)), ORDINARY)
    data = _certificate(model, hood, questions, answers)
    writing = time.perf_counter() - started
    started = time.perf_counter()
    check.check_data(data)
    checking = time.perf_counter() - started
    refuted = sum(int(answer.refuted.sum()) for answer in answers)
    both = sum(int((answer.refuted & answer.proved).sum()) for answer in answers)
    done = sum(int(answer.proved.sum()) for answer in answers)
    compared = _compared(model, hood, (questions, answers), sample, seed)
    return [
        row(f"{len(questions)} properties around {IMAGES:,} images, proofs", seconds, "s", ("<=", 2.0)),
        row("the same with counterexamples", deciding, "s"),
        row("the same with a certificate of all of them written", writing, "s", ("<=", 20.0)),
        row("that certificate checked by the independent checker", checking, "s"),
        row("certificate", len(data) / 1e6, "MB"),
        row("(property, image) pairs", pairs, "pairs"),
        row("proved, exactly", done / pairs, "of them"),
        row("refuted, exactly", refuted / pairs, "of them"),
        row("both proved and refuted", both, "pairs", ("<=", 0)),
        row(
            f"of {sample} pairs, proved or refuted against an independent exact decision",
            compared["wrong"],
            "pairs",
            ("<=", 0),
        ),
        row("of them left open", compared["open"], "pairs"),
        row("of them not decided independently", compared["undecided"], "pairs"),
    ]


def _certificate(
    model: VerificationModel, hood: Neighbourhood, questions: list[Question], answers: list[Around]
) -> bytes:
    """All that is proved and refuted around the images, as a file: of each property, open, that it is true of nine tenths."""
    split, radius = model.splits["test"], hood.radius(SHARE)
    assert model.changed is not None
    changed = model.changed.sample("test").embeddings
    claims = []
    for number, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        embeddings = split.embeddings[question.images]
        claims.append(
            NeighbourhoodClaim(
                f"p{number}", "", "", question.table, "unknown", None, "test",
                tuple(split.ids[row] for row in question.images), Near(ORDINARY, SHARE), hood.kinds, hood.ellipsoid.factor,
                radius, answer.centres, embeddings, answer.tree, answer.proved,
                refuting(answer, embeddings, changed[question.images]), SHARE, Fraction(1, 20),
            )
        )  # fmt: skip
    return sealed(bundle(model, claims))


def _compared(
    model: VerificationModel, hood: Neighbourhood, both: tuple[list[Question], list[Around]], sample: int, seed: int
) -> dict[str, int]:
    """How many of some pairs are proved or refuted against the independent decision, left open, and not decided by it."""
    rng = np.random.default_rng(seed)
    questions, answers = both
    polyhedra = Polyhedra(model, hood.kinds, hood.ellipsoid.factor, hood.radius(SHARE))
    counts = dict.fromkeys(("wrong", "open", "undecided"), 0)
    for which in rng.integers(0, len(questions), size=sample).tolist():
        question, answer = questions[which], answers[which]
        place = int(rng.integers(0, len(question.images)))
        (true,) = polyhedra.true_around(question.formula, answer.centres.floats[place : place + 1])
        proved, refuted = bool(answer.proved[place]), bool(answer.refuted[place])
        counts["undecided"] += true is None
        counts["open"] += not (proved or refuted)
        counts["wrong"] += (proved and true is False) or (refuted and true is True)
    return counts
