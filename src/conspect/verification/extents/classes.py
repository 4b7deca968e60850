"""Extents over a class: in which share of its images a concept may change by so much before anything else does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from conspect.core.claim_names import OUTPUT
from conspect.core.diagnostics import SourceLocation, user_error
from conspect.core.protocols import ProgressBar, silent
from conspect.language.syntax.tree import ForAll, Predict
from conspect.language.writing.printer import write_formula
from conspect.verification.certificates.claims import ExtentClaim
from conspect.verification.extents.ray import Direction
from conspect.verification.extents.search import Extent, ExtentSearch, output_table
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.planning import Obligation, about

STEPS = 20
# Images of a class that are looked at, the first ones: each is a claim for each property.
MOST_IMAGES = 50


@dataclass(frozen=True, slots=True)
class CurveStep:
    """In a `share` of the images the concept may change by `change` either way, proved."""

    change: float
    share: float


@dataclass(frozen=True, eq=False)
class ClassExtents:
    """Extents of one concept in the held-out images of a class. `of`: the property's name, or "output".

    `claims`: one for each image in which the value keeps for some step. `images`: of the class; `at_once`: those in which the
    smallest step changes it. `curve`: certified shares, rounded towards safety.
    """

    of: str
    class_name: str
    concept: str
    images: int
    at_once: int
    curve: tuple[CurveStep, ...]
    claims: tuple[ExtentClaim, ...] = field(repr=False)


def class_extents(
    jobs: Sequence[Obligation], model: VerificationModel, concept: str, bar: ProgressBar = silent
) -> list[ClassExtents]:
    """For each class that properties speak of the extents of its output, then those of each property.

    Raises UserError VERIFY002, VERIFY015, or VERIFY016 for a property called "output".

    Images are the first `MOST_IMAGES` of the measuring split, by true label; the
    output of an image is the class that the model says there, whether right or not.
    """
    search = ExtentSearch(model)
    direction = search.direction(concept)
    asked = [job for job in jobs if isinstance(job.quantifier, ForAll) and job.class_name is not None]
    for job in asked:
        if job.name == OUTPUT:
            raise user_error(
                "VERIFY016",
                f"a property is called {OUTPUT!r}, as the output of the model itself is among extents",
                "give the property another name",
                SourceLocation(job.file, job.line),
            )
    classes = list(dict.fromkeys((job.file, str(job.class_name)) for job in asked))
    step = bar("extents", len(classes))
    extents = []
    for file, class_name in classes:
        of_class = [job for job in asked if (job.file, job.class_name) == (file, class_name)]
        extents += _of_class(search, of_class, concept, direction)
        step(1)
    return extents


def extent_name(of: str, class_name: str, image: str, concept: str) -> str:
    """The name of the claim about one image."""
    return f"{of} of {class_name} along {concept} in {image}"


def _of_class(
    search: ExtentSearch, jobs: Sequence[Obligation], concept: str, direction: Direction
) -> list[ClassExtents]:
    model = search.model
    file, class_name = jobs[0].file, str(jobs[0].class_name)
    split = model.splits[model.measure_split]
    members = np.flatnonzero(np.asarray(split.labels) == model.class_names.index(class_name))[:MOST_IMAGES].tolist()
    index = model.concept_names.index(concept)
    places = {job.name: job.place for job in jobs}
    claims: dict[str, list[ExtentClaim]] = {OUTPUT: [], **{job.name: [] for job in jobs}}
    for row in members:
        image = split.ids[row]
        ray = search.ray(np.asarray(split.embeddings[row], dtype=np.float64), direction, [job.table for job in jobs])
        own = int(np.argmax(model.head.logits(ray.embedding[None, :])[0]))
        output = write_formula(Predict(model.class_names[own]), "house", "x")
        asked = [(OUTPUT, output, output_table(own)), *((job.name, job.statement, job.table) for job in jobs)]
        for of, said, table in asked:
            with about(of, places.get(of)):
                extent = search.extent(table, ray)
            if extent is not None:
                name = extent_name(of, class_name, image, concept)
                claim = ExtentClaim(name, file, said, extent.table, "holds", model.measure_split, image, index, extent)
                claims[of].append(claim)
    return [
        ClassExtents(
            of,
            class_name,
            concept,
            len(members),
            len(members) - len(known),
            _curve([claim.extent for claim in known], len(members)),
            tuple(known),
        )
        for of, known in claims.items()
    ]


def _curve(extents: Sequence[Extent], images: int) -> tuple[CurveStep, ...]:
    """Shares at equal steps up to the change that nine tenths of the images do not stand."""
    if not images or not extents:
        return ()
    reaches = sorted(float(extent.reach) for extent in extents)
    top = reaches[min(len(reaches) - 1, len(reaches) * 9 // 10)]
    steps = [top * k / STEPS for k in range(1, STEPS + 1)]
    return tuple(CurveStep(s, sum(reach >= s for reach in reaches) / images) for s in steps)
