"""What a witness looks like to a person: its strengths, what the model says, the images next to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.regions import Region
from conspect.core.spaces import Float64
from conspect.language import Readouts, margin
from conspect.language.syntax.tree import Formula
from conspect.verification.images.exact_truth import ExactTruth
from conspect.verification.queries.model import VerificationModel
from conspect.verification.results import NearImage, WitnessRecord

NEIGHBOURS = 400  # images whose nearest neighbours say how far apart images lie


@dataclass(eq=False)
class Describer:
    """Describes embeddings of a subject; readings of splits and truths of formulas are kept."""

    subject: VerificationModel
    nearest: int
    exact: ExactTruth = field(init=False)
    _truths: dict[tuple[Formula, str], NDArray[np.bool_]] = field(default_factory=dict)
    _norms: Float64 | None = None

    def __post_init__(self) -> None:
        self.exact = ExactTruth(self.subject)

    def truth(self, formula: Formula, split: str) -> NDArray[np.bool_]:
        """Where a formula is true among the images of a split, exactly."""
        key = (formula, split)
        if key not in self._truths:
            self._truths[key] = self.exact.of_split(formula, split)
        return self._truths[key]

    def margin(self, formula: Formula, embedding: Float64) -> float | None:
        """Margin of a formula at one embedding: logits, and cosines for strengths. None where floats overflow."""
        names = self.subject.concept_names
        thresholds = np.array([self.subject.thresholds.get(name, np.nan) for name in names], dtype=np.float64)
        point = embedding[None, :]
        with np.errstate(all="ignore"):
            logits, mapped = self.subject.head.logits(point), self.subject.lens.alignment(point)
            strengths, length = self.subject.lens.cosines(mapped), np.linalg.norm(mapped)
        # Of a length that is infinite every cosine would be 0.
        if not (np.isfinite(logits).all() and np.isfinite(length)):
            return None
        reading = Readouts(self.subject.class_names, names, logits, strengths, thresholds)
        return float(margin(formula, reading)[0])

    def describe(self, embedding: Float64, region: Region | None, *, image_id: str | None = None) -> WitnessRecord:
        """The record of a witness; distances are Euclidean, in the model's embedding space."""
        subject = self.subject
        strengths = subject.lens.strengths(embedding[None, :])[0]
        logits = subject.head.logits(embedding[None, :])[0]
        order = np.argsort(-strengths, kind="stable")
        size = float(region.sizes(embedding[None, :])[0]) if region is not None else 0.0
        return WitnessRecord(
            embedding=embedding,
            profile=tuple((subject.concept_names[k], float(strengths[k])) for k in order),
            predicted=subject.class_names[int(logits.argmax())],
            nearest=self._nearest(embedding, image_id),
            size=size,
            image_id=image_id,
        )

    def remoteness(self, witness: WitnessRecord | None) -> tuple[str, ...]:
        """That a witness which is no image lies farther from all images than they lie from each other, if it does."""
        apart = self._apart
        if witness is None or witness.image_id is not None or not witness.nearest or apart is None:
            return ()
        nearest = witness.nearest[0].distance
        if not nearest > apart:
            return ()
        return (
            f"the witness is no picture's and far from all of them: {nearest:.3g} from the nearest held-out image, while of "
            f"those images themselves 99 % have another within {apart:.3g}",
        )

    @cached_property
    def _apart(self) -> float | None:
        """The distance within which 99 % of (at most `NEIGHBOURS`) held-out images have another one; None with too few."""
        data = np.asarray(self.subject.splits[self.subject.measure_split].embeddings, dtype=np.float64)
        if len(data) < 2:
            return None
        rows = np.linspace(0, len(data) - 1, min(NEIGHBOURS, len(data))).astype(np.intp)
        with np.errstate(all="ignore"):
            squares = np.square(data).sum(axis=1)
            rough = squares[rows, None] + squares - 2 * data[rows] @ data.T
            rough[np.arange(len(rows)), rows] = np.inf
            least = np.linalg.norm(data[rough.argmin(axis=1)] - data[rows], axis=1)
        apart = float(np.quantile(least, 0.99))
        return apart if np.isfinite(apart) else None

    def find(self, image_id: str) -> tuple[str, int]:
        """Split and row of an image, named by its id alone or as split/id. VERIFY007 when there is none."""
        for name, split in self.subject.splits.items():
            if image_id in split.ids:
                return name, split.ids.index(image_id)
            start = f"{name}/"
            if image_id.startswith(start) and image_id[len(start) :] in split.ids:
                return name, split.ids.index(image_id[len(start) :])
        fix = "use an id such as test/00017; of a large split only images drawn from it can be named"
        raise user_error("VERIFY007", f"no image that properties can name is called {image_id!r}", fix)

    def _nearest(self, embedding: Float64, image_id: str | None) -> tuple[NearImage, ...]:
        split = self.subject.splits[self.subject.measure_split]
        if not len(split.embeddings) or self.nearest <= 0:
            return ()
        if self._norms is None:
            self._norms = np.square(split.embeddings, dtype=np.float64).sum(axis=1)
        with np.errstate(over="ignore", invalid="ignore"):
            rough = self._norms - 2 * (split.embeddings @ embedding.astype(split.embeddings.dtype))
        if not np.isfinite(rough).all():  # too large for the embeddings' own type
            rough = self._norms - 2 * (split.embeddings.astype(np.float64) @ embedding)
        count = min(len(rough), self.nearest + 8)
        rows = np.argpartition(rough, count - 1)[:count]
        distances = np.linalg.norm(split.embeddings[rows].astype(np.float64) - embedding, axis=1)
        order = [k for k in np.argsort(distances, kind="stable") if split.ids[rows[k]] != image_id][: self.nearest]
        return tuple(
            NearImage(split.ids[rows[k]], float(distances[k]), self.subject.class_names[int(split.labels[rows[k]])])
            for k in order
        )
