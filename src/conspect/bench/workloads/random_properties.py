"""Random models, regions and formulas whose numbers are short enough for ties to happen often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np

from conspect.bench.workloads.drawn_pictures import DrawnPictures
from conspect.core.regions import Box, Ellipsoid, PrincipalBox, Region
from conspect.core.spaces import AffineMap, Float64, Head, Lens
from conspect.language.syntax.tree import (
    And,
    Focus,
    ForAll,
    ForImage,
    ForImageNear,
    Formula,
    ForShare,
    ForShareNear,
    HasConcept,
    Iff,
    Images,
    Implies,
    Near,
    Not,
    Or,
    Predict,
    Stronger,
)
from conspect.verification.queries.changed import ChangedSplit
from conspect.verification.queries.formula_table import Names, tabulate
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel
from conspect.verification.queries.planning import Obligation

# A share of atoms that ask for a lead, a quarter of those that ask for a prediction.
LEADS = 0.06
DIMENSIONS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


@dataclass(frozen=True, eq=False)
class PropertyCase:
    """A formula over a region, and whether its verdict sits on an exact tie by construction."""

    job: Obligation
    region: Region
    at_tie: bool


def short(generator: np.random.Generator, shape: tuple[int, ...], bits: int, *, full: bool) -> Float64:
    """Random numbers: multiples of 2**-bits in [-2, 2], or floats with all their digits."""
    if full:
        return generator.normal(size=shape)
    return generator.integers(-2 << bits, (2 << bits) + 1, size=shape) / float(1 << bits)


def random_subject(
    generator: np.random.Generator, dimension: int, *, relu: bool = False, depth: int = 0, full: bool = False
) -> VerificationModel:
    """A subject of 2-4 classes and 2-5 concepts; with `relu`, a head of two layers and few neurons.

    `depth`: that many hidden layers, in which some neurons are dead, always active, or read nothing.
    """
    classes, concepts = int(generator.integers(2, 5)), int(generator.integers(2, 6))
    width = int(generator.integers(2, 6))

    def affine(outputs: int, inputs: int) -> AffineMap:
        weight = short(generator, (outputs, inputs), 3, full=full)
        return AffineMap(weight, short(generator, (outputs,), 3, full=full))

    if depth:
        head = _deep_head(generator, (dimension, *generator.integers(2, 4, size=depth).tolist(), classes), full=full)
    elif relu:
        neurons = int(generator.integers(2, 6))
        head = Head((affine(neurons, dimension), affine(classes, neurons)))
    else:
        head = Head((affine(classes, dimension),))
    names = tuple(f"k{index}" for index in range(concepts))
    lens = Lens(affine(width, dimension), names, short(generator, (concepts, width), 2, full=full))
    empty = EmbeddingSplit(np.zeros((0, dimension)), np.zeros(0, dtype=np.int64), ())
    thresholds = {name: float(generator.choice([-0.5, -0.125, 0.0, 0.0, 0.125, 0.25, 0.5])) for name in names}
    return VerificationModel(
        head,
        lens,
        tuple(f"c{index}" for index in range(classes)),
        {"all": empty},
        thresholds,
        fit_split="all",
        size_split="all",
        measure_split="all",
    )


def _deep_head(generator: np.random.Generator, widths: tuple[int, ...], *, full: bool) -> Head:
    layers = []
    for place, (inputs, outputs) in enumerate(pairwise(widths)):
        weight, offset = short(generator, (outputs, inputs), 3, full=full), short(generator, (outputs,), 3, full=full)
        if place < len(widths) - 2:
            for neuron in range(outputs):
                kind = generator.random()
                if kind < 0.1:  # dead, always active, or without a weight
                    offset[neuron] = -64.0
                elif kind < 0.2:
                    offset[neuron] = 64.0
                elif kind < 0.3:
                    weight[neuron] = 0.0
        layers.append(AffineMap(weight, offset))
    return Head(tuple(layers))


def subject_with_images(generator: np.random.Generator, images: int = 90) -> VerificationModel:
    """Three classes in clouds of a few dimensions, four concepts seen through a lens of rank 2, three splits."""
    dimension = int(generator.integers(3, 6))
    means, labels = 3 * generator.normal(size=(3, dimension)), np.arange(images) % 3

    def split(name: str) -> EmbeddingSplit:
        embeddings = (means[labels] + generator.normal(size=(images, dimension))).astype(np.float32)
        return EmbeddingSplit(embeddings, labels, tuple(f"{name}{k}" for k in range(images)))

    alignment = generator.normal(size=(4, 2)) @ generator.normal(size=(2, dimension))
    directions = np.linalg.qr(generator.normal(size=(4, 4)))[0]
    return VerificationModel(
        Head.linear(means, -0.5 * np.square(means).sum(axis=1)),
        Lens(AffineMap(alignment, generator.normal(size=4)), ("k0", "k1", "k2", "k3"), directions),
        ("c0", "c1", "c2"),
        {name: split(name) for name in ("train", "val", "test")},
        {"k0": 0.1, "k1": -0.2, "k2": 0.0, "k3": 0.3},
    )


def subject_with_changes(generator: np.random.Generator, images: int = 60) -> VerificationModel:
    """The same with three displaced embeddings of each image, from hardly to far; every third head has hidden layers."""
    subject = subject_with_images(generator, images)
    if generator.random() < 1 / 3:
        hidden = generator.integers(3, 6, size=int(generator.integers(1, 3))).tolist()
        head = _deep_head(generator, (subject.dimension, *hidden, len(subject.class_names)), full=True)
        subject = replace(subject, head=head)
    samples = {}
    for name, split in subject.splits.items():
        scale = float(generator.choice([0.02, 0.1, 0.3]))
        moved = split.embeddings[:, None] + scale * generator.normal(size=(images, 3, subject.dimension))
        samples[name] = ChangedSplit(np.arange(images), moved.astype(np.float32))
    return replace(subject, fit_split="train", size_split="val", measure_split="test", changed=DrawnPictures(samples))


def near_obligations(generator: np.random.Generator, subject: VerificationModel, count: int) -> list[Obligation]:
    """Random properties of neighbourhoods of the images of a class, of all, and (each fifth) of one image."""
    jobs = []
    for index, job in enumerate(readout_obligations(generator, subject, count)):
        near = Near("ordinary", Fraction(int(generator.integers(2, 19)), 20))
        name = str(generator.choice(subject.class_names)) if generator.random() < 0.8 else None
        quantifier: ForShareNear | ForImageNear = ForShareNear(
            Fraction(int(generator.integers(1, 20)), 20), Images(name), near
        )
        if index % 5 == 0:
            quantifier = ForImageNear(f"test{int(generator.integers(0, len(subject.splits['test'].ids)))}", near)
            name = None
        jobs.append(replace(job, quantifier=quantifier, class_name=name, variable="y"))
    return jobs


def readout_obligations(generator: np.random.Generator, subject: VerificationModel, count: int) -> list[Obligation]:
    """Random properties of the first class, half of them with the premise that it is predicted."""
    jobs = []
    for index in range(count):
        formula = random_formula(
            generator, subject, int(generator.integers(0, 3)), has_concept=index % 4 == 0, leads=True
        )
        if index % 2:
            formula = Implies(Predict(subject.class_names[0]), formula)
        jobs.append(make_job(subject, formula, f"r{index}"))
    return jobs


def image_properties(generator: np.random.Generator, subject: VerificationModel, count: int) -> list[Obligation]:
    """Random properties of single images and of shares of images, in turn; shares are near the observed one."""
    jobs = []
    for index in range(count):
        job = make_job(subject, random_formula(generator, subject, 2, has_concept=True, leads=True), f"i{index}")
        share = Fraction(int(generator.integers(1, 100)), 100)
        images = Images(str(generator.choice([*subject.class_names])) if index % 4 else None)
        image = ForImage(f"test{int(generator.integers(0, len(subject.splits['test'].ids)))}")
        quantifier = image if index % 2 else ForShare(share, images)
        jobs.append(replace(job, quantifier=quantifier, class_name=None if index % 2 else images.class_name))
    return jobs


def random_region(generator: np.random.Generator, dimension: int, *, shapes: tuple[str, ...], full: bool) -> Region:
    """A box, a box along slanted axes or an ellipsoid, of a size that is often not a float."""
    centre = short(generator, (dimension,), 3, full=full)
    size = Fraction(int(generator.integers(1, 12)), int(generator.choice([5, 8, 10, 16])))
    cut = int(generator.integers(0, 2)) if generator.random() < 0.2 else None
    shape = str(generator.choice(list(shapes)))
    if shape == "box":
        return Box(centre, np.abs(short(generator, (dimension,), 3, full=full)) * 0.5, size, cut)
    factor = short(generator, (dimension, dimension), 2, full=full) / 4 + np.eye(dimension) / 2
    kind = PrincipalBox if shape == "pca-box" else Ellipsoid
    return kind(centre, factor, size, cut)


def random_formula(
    generator: np.random.Generator, subject: VerificationModel, depth: int, *, has_concept: bool, leads: bool = False
) -> Formula:
    """Nested connectives over random atoms; with `leads` a quarter of the predictions ask for one."""

    def atom() -> Formula:
        kind = generator.random()
        if kind < 0.25:
            lead = Fraction(int(generator.integers(1, 9)), 4) if leads and kind < LEADS else Fraction(0)
            return Predict(str(generator.choice(subject.class_names)), lead)
        if has_concept and kind < 0.55:
            return HasConcept(str(generator.choice(subject.concept_names)))
        left, right = generator.choice(subject.concept_names, size=2, replace=bool(generator.random() < 0.02))
        return Stronger(str(left), str(right))

    def grow(level: int) -> Formula:
        kind = generator.random()
        if level <= 0 or kind < 0.15:
            return atom()
        if kind < 0.3:
            return Not(grow(level - 1))
        if kind < 0.6:
            parts = tuple(grow(level - 1) for _ in range(int(generator.integers(2, 4))))
            return And(parts) if kind < 0.45 else Or(parts)
        return Implies(grow(level - 1), grow(level - 1)) if kind < 0.85 else Iff(grow(level - 1), grow(level - 1))

    return grow(depth)


def make_job(subject: VerificationModel, formula: Formula, name: str) -> Obligation:
    """A job as the planner would make it."""
    names = Names(
        {n: k for k, n in enumerate(subject.class_names)}, {n: k for k, n in enumerate(subject.concept_names)}
    )
    focus = ForAll(Focus(subject.class_names[0]))
    return Obligation(name, formula, tabulate(formula, names), focus, subject.class_names[0], "", None, "")


def tied(region: Region, subject: VerificationModel, formula: Formula) -> Region | None:
    """The region resized so that one strength predicate of the formula is exactly zero at its worst point."""
    from conspect.language.meaning.expansion import nodes

    comparison = next((node for node in nodes(formula) if isinstance(node, Stronger) and node.left != node.right), None)
    if comparison is None or region.norm != "max":
        return None
    i, j = (subject.concept_names.index(name) for name in (comparison.left, comparison.right))
    q = [Fraction(a) - Fraction(b) for a, b in zip(*subject.lens.directions[[i, j]].tolist(), strict=True)]
    weight, offset = subject.lens.alignment.weight.tolist(), subject.lens.alignment.offset.tolist()
    slope = [
        sum((a * Fraction(row[k]) for a, row in zip(q, weight, strict=True)), Fraction(0))
        for k in range(region.dimension)
    ]
    factor = region.factor if region.factor.ndim == 2 else np.diag(region.factor)
    constant = sum((s * Fraction(c) for s, c in zip(slope, region.centre.tolist(), strict=True)), Fraction(0))
    constant += sum((a * Fraction(o) for a, o in zip(q, offset, strict=True)), Fraction(0))
    columns = factor.T.tolist()
    sides = [sum((s * Fraction(f) for s, f in zip(slope, column, strict=True)), Fraction(0)) for column in columns]
    reach = sum((abs(side) for side in sides), Fraction(0))
    if reach == 0 or constant == 0:
        return None
    return region.resized(abs(constant / reach))


def batches(
    properties: int,
    seed: int,
    *,
    per_subject: int = 40,
    has_concept: bool = False,
    relu: bool = False,
    depth: int = 0,
    leads: bool = False,
) -> Iterator[tuple[VerificationModel, list[PropertyCase]]]:
    """Subjects with their cases, `properties` cases in all; the same for the same seed."""
    generator = np.random.default_rng(seed)
    done = 0
    largest = 3 if has_concept or relu or depth else DIMENSIONS[-1]
    dimensions = [d for d in DIMENSIONS if d <= largest]
    while done < properties:
        dimension = int(generator.choice(dimensions))
        full = bool(generator.random() < 0.3)
        subject = random_subject(generator, dimension, relu=relu, depth=depth, full=full)
        shapes = ("box", "pca-box", "ellipsoid") if dimension <= 8 else ("box", "box", "pca-box")
        pool = [random_region(generator, dimension, shapes=shapes, full=full) for _ in range(3)]
        pool = [r if r.cut is None or r.cut < len(subject.class_names) else r.resized(r.size) for r in pool]
        cases = []
        for index in range(min(per_subject, properties - done)):
            nesting = int(generator.integers(0, 4))
            formula = random_formula(generator, subject, nesting, has_concept=has_concept, leads=leads)
            region = pool[int(generator.integers(0, len(pool)))]
            moved = tied(region, subject, formula) if generator.random() < 0.15 else None
            job = make_job(subject, formula, f"p{done + index}")
            cases.append(PropertyCase(job, moved or region, moved is not None))
        done += len(cases)
        yield subject, cases
