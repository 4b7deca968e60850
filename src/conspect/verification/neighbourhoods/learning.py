"""Neighbourhoods learned from changed pictures: shape on one split, radius on a second, measured on a third."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conspect.core.diagnostics import user_error
from conspect.core.digests import digest_json
from conspect.core.percentages import narrow
from conspect.core.spaces import Float64, Floats
from conspect.language.syntax.tree import ORDINARY
from conspect.statistics.intervals import normal_quantile
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.ellipsoid import ChangeEllipsoid, conformal_radius, least_extent_ellipsoid
from conspect.verification.neighbourhoods.extents import Extents
from conspect.verification.neighbourhoods.rows import ReadoutRows
from conspect.verification.queries.changed import ChangedPictures, PictureName
from conspect.verification.queries.formula_table import FormulaTable, concepts_asked
from conspect.verification.queries.model import VerificationModel
from conspect.verification.queries.negation import AtomRows
from conspect.verification.regions.readouts import ReadoutKinds, ReadoutSpace, StrengthForm


def kinds_near(table: FormulaTable, concepts: int) -> ReadoutKinds:
    """The readouts that a neighbourhood is made of: logits relative to the first class and strengths of all `concepts`
    relative to the first, whatever the formula reads of them, so that one set serves all formulas and all classes; for
    one that says `hasCon` the strengths themselves and the length."""
    form = StrengthForm.LENGTH if concepts_asked(table) else StrengthForm.RELATIVE
    return ReadoutKinds(0, tuple(range(concepts)), form)


@dataclass(frozen=True, slots=True)
class MeasuredShare:
    """The share of changed pictures inside, of `images` that had no part: overall with an interval, by change, by class."""

    share: float
    low: float
    high: float
    images: int
    by_change: dict[str, float]
    by_class: dict[str, float]


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """What changed pictures do to one kind of readouts. `sized`, `measured` `[image, picture]`: sizes of the two splits;
    `classes [image]`: names of the true classes of the measured images.
    """

    kinds: ReadoutKinds
    changes: str
    pictures: tuple[PictureName, ...]
    ellipsoid: ChangeEllipsoid
    extents: Extents
    sized: Float64
    measured: Float64
    classes: NDArray[np.str_]
    fitted_images: int

    def radius(self, share: Fraction) -> Fraction:
        """The smallest radius that holds a share of changed pictures. VERIFY006 with too few images."""
        radius = conformal_radius(self.sized, share)
        if radius is None:
            raise user_error(
                "VERIFY006",
                f"{len(self.sized)} images cannot show that a neighbourhood holds {narrow(float(share))} of changed pictures",
                "ask for a lower share, or change more images",
            )
        return radius

    def measure(self, radius: Fraction) -> MeasuredShare:
        """The share inside on the third split; the interval treats images, not pictures, as independent."""
        inside = self.measured <= float(radius)
        own = inside.mean(axis=1)
        share = float(own.mean()) if len(own) else 0.0
        half = normal_quantile(0.95) * float(own.std(ddof=1)) / len(own) ** 0.5 if len(own) > 1 else 1.0
        kinds = dict.fromkeys(picture.kind for picture in self.pictures)
        by_change = {
            kind: float(inside[:, [p.kind == kind for p in self.pictures]].mean()) if len(own) else 0.0
            for kind in kinds
        }
        by_class = {str(name): float(own[self.classes == name].mean()) for name in np.unique(self.classes)}
        return MeasuredShare(share, max(0.0, share - half), min(1.0, share + half), len(own), by_change, by_class)

    def digest(self, radius: Fraction) -> str:
        """SHA-256 of factor, readouts and radius: what the neighbourhood is, apart from its centre."""
        reads = [self.kinds.class_index, list(self.kinds.concepts), self.kinds.form.value]
        return digest_json([self.ellipsoid.digest, reads, str(radius)])


@dataclass(eq=False)
class Neighbourhoods:
    """Neighbourhoods of one model, each learned once. VERIFY014 for a model without changed pictures."""

    model: VerificationModel
    _learned: dict[tuple[ReadoutKinds, str], Neighbourhood] = field(default_factory=dict)

    @property
    def changed(self) -> ChangedPictures:
        """Where changed pictures come from."""
        if self.model.changed is None:
            raise user_error(
                "VERIFY014",
                "there are no changed pictures to learn a neighbourhood from",
                "verify a study with images, with Study.verify or conspect verify --study",
            )
        return self.model.changed

    def chosen(self, changes: str) -> NDArray[np.intp]:
        """Which pictures a name of changes stands for. VERIFY014 for a name that study.toml does not have."""
        pictures = self.changed.pictures
        kinds = dict.fromkeys(picture.kind for picture in pictures)
        if changes == ORDINARY:
            return np.arange(len(pictures))
        if changes not in kinds:
            raise user_error(
                "VERIFY014",
                f"the study has no changes {changes!r}",
                f"use one of: {', '.join((ORDINARY, *kinds))}; study.toml names them in [neighbourhoods] changes",
            )
        return np.flatnonzero([picture.kind == changes for picture in pictures])

    def space(self, kinds: ReadoutKinds) -> ReadoutSpace:
        """The readouts of those kinds."""
        return ReadoutSpace(self.model, kinds)

    def rows(self, kinds: ReadoutKinds, leads: Sequence[Fraction] = ()) -> ReadoutRows:
        """What literals compare, over those readouts."""
        model = self.model
        thresholds = {
            k: Fraction(model.thresholds[name])
            for k, name in enumerate(model.concept_names)
            if name in model.thresholds
        }
        atoms = AtomRows(
            model.head.classes, len(model.concept_names), thresholds, tuple(sorted(set(leads))), kinds.has_length
        )
        return ReadoutRows(kinds, atoms)

    def learned(self, kinds: ReadoutKinds, changes: str) -> Neighbourhood:
        """The neighbourhood of a kind of readouts under some changes."""
        key = (kinds, changes)
        if key not in self._learned:
            self._learned[key] = self._learn(kinds, changes)
        return self._learned[key]

    def _learn(self, kinds: ReadoutKinds, changes: str) -> Neighbourhood:
        chosen, model = self.chosen(changes), self.model
        fit = self._displacements(kinds, model.fit_split, chosen)
        if not len(fit):
            raise user_error("VERIFY006", "no image of the fit split could be changed", "look at [neighbourhoods]")
        ellipsoid = least_extent_ellipsoid(fit.reshape(-1, fit.shape[-1]), self.rows(kinds).compared())
        sized, measured = (
            ellipsoid.sizes(self._displacements(kinds, split, chosen))
            for split in (model.size_split, model.measure_split)
        )
        measured_rows = self.changed.sample(model.measure_split).rows
        return Neighbourhood(
            kinds,
            changes,
            tuple(self.changed.pictures[k] for k in chosen),
            ellipsoid,
            Extents(ellipsoid.factor),
            sized,
            measured,
            np.asarray(model.class_names)[np.asarray(model.splits[model.measure_split].labels)[measured_rows]],
            len(fit),
        )

    def _displacements(self, kinds: ReadoutKinds, split: str, chosen: NDArray[np.intp]) -> Float64:
        """Readouts of changed pictures minus their centre, `[image, picture, V]`."""
        space, sample = self.space(kinds), self.changed.sample(split)
        pictures = np.asarray(sample.embeddings)[:, chosen]
        count, each, dimension = pictures.shape
        moved = space.readouts(pictures.reshape(-1, dimension)).reshape(count, each, space.dimension)
        centres = self.centres(kinds, self.model.splits[split].embeddings[sample.rows])
        return np.asarray(moved - centres.floats[:, None, :])

    def centres(self, kinds: ReadoutKinds, embeddings: Floats) -> Centres:
        """Centres of the neighbourhoods of images with these embeddings `[image, D]`."""
        return Centres.of(self.space(kinds).readouts(embeddings))
