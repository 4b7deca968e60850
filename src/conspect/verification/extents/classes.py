"""Extents over a class: in which share of its images a concept may change by so much before anything else does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from conspect.core.protocols import ProgressBar, silent
from conspect.core.spaces import Float64
from conspect.language.syntax.tree import ForAll, Predict
from conspect.language.writing.printer import write_formula
from conspect.verification.certificates.claims import ExtentClaim
from conspect.verification.extents.search import Extent, ExtentSearch, output_table
from conspect.verification.queries.formula_table import FormulaTable
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.planning import Obligation

OUTPUT = "output"
STEPS = 20


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

    def to_json(self) -> dict[str, object]:
        """As `conspect verify --extent --json` prints it."""
        return {
            "of": self.of,
            "class": self.class_name,
            "concept": self.concept,
            "images": self.images,
            "changed_at_once": self.at_once,
            "curve": [{"change": step.change, "share": step.share} for step in self.curve],
        }


def class_extents(
    jobs: Sequence[Obligation], model: VerificationModel, concept: str, bar: ProgressBar = silent
) -> list[ClassExtents]:
    """For each class that properties speak of the extents of its output, then those of each property.

    Raises UserError VERIFY002 or VERIFY015. The images are those of the measuring split, by true label; the output of an
    image is the class that the model says there, whether right or not.
    """
    search = ExtentSearch(model)
    direction = search.direction(concept)
    asked = [job for job in jobs if isinstance(job.quantifier, ForAll) and job.class_name is not None]
    classes = list(dict.fromkeys((job.file, str(job.class_name)) for job in asked))
    step = bar("extents", len(classes) + len(asked))
    found = []
    for file, class_name in classes:
        found.append(_of_class(search, (OUTPUT, file, "", None), class_name, concept, direction))
        step(1)
        for job in asked:
            if (job.file, job.class_name) == (file, class_name):
                what = (job.name, file, job.statement, job.table)
                found.append(_of_class(search, what, class_name, concept, direction))
                step(1)
    return found


def extent_name(of: str, class_name: str, image: str, concept: str) -> str:
    """The name of the claim about one image."""
    return f"{of} of {class_name} along {concept} in {image}"


def _of_class(
    search: ExtentSearch,
    what: tuple[str, str, str, FormulaTable | None],
    class_name: str,
    concept: str,
    direction: Float64,
) -> ClassExtents:
    model = search.model
    name, file, statement, table = what
    split = model.splits[model.measure_split]
    members = np.flatnonzero(np.asarray(split.labels) == model.class_names.index(class_name)).tolist()
    claims, at_once = [], 0
    for row in members:
        embedding = np.asarray(split.embeddings[row], dtype=np.float64)
        said = statement
        asked = table
        if asked is None:
            own = int(np.argmax(model.head.logits(embedding[None, :])[0]))
            asked, said = output_table(own), write_formula(Predict(model.class_names[own]), "house", "x")
        extent = search.extent(asked, embedding, direction)
        if extent is None:
            at_once += 1
            continue
        claims.append(
            ExtentClaim(
                extent_name(name, class_name, split.ids[row], concept),
                file,
                said,
                extent.table,
                "holds",
                model.measure_split,
                split.ids[row],
                model.concept_names.index(concept),
                extent,
            )
        )
    curve = _curve([claim.extent for claim in claims], len(members))
    return ClassExtents(name, class_name, concept, len(members), at_once, curve, tuple(claims))


def _curve(extents: Sequence[Extent], images: int) -> tuple[CurveStep, ...]:
    """Shares at equal steps up to the change that nine tenths of the images do not stand."""
    if not images or not extents:
        return ()
    reaches = sorted(float(extent.reach) for extent in extents)
    top = reaches[min(len(reaches) - 1, len(reaches) * 9 // 10)]
    steps = [top * k / STEPS for k in range(1, STEPS + 1)]
    return tuple(CurveStep(s, sum(reach >= s for reach in reaches) / images) for s in steps)
