"""Counterexamples inside neighbourhoods: a changed picture that breaks the formula, or an embedding that does.

Everything here is decided in floats with rigorous bounds on their rounding, or exactly: what is called inside is inside,
and what is called a counterexample makes the formula false.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats
from conspect.language.syntax.tree import Formula
from conspect.verification.engine.rounding import DOUBLE
from conspect.verification.images.exact_truth import ExactTruth, SplitReadouts
from conspect.verification.neighbourhoods.centres import Centres
from conspect.verification.neighbourhoods.ellipsoid import ChangeEllipsoid
from conspect.verification.queries.model import VerificationModel
from conspect.verification.regions.readouts import ReadoutKinds, ReadoutSpace, StrengthForm

# A candidate is pulled towards the centre by this share, so that rounding does not put it outside.
ROOM = 1e-7


@dataclass(frozen=True, eq=False)
class Readings:
    """Readouts `values [image, V]` with bounds on their rounding, `errors [image, V]`, and all that formulas read."""

    values: Float64
    errors: Float64
    read: SplitReadouts


@dataclass(eq=False)
class Refuter:
    """Looks for counterexamples of one model around images."""

    model: VerificationModel
    truth: ExactTruth
    _inverses: dict[ReadoutKinds, Float64] = field(default_factory=dict)

    def readings(self, kinds: ReadoutKinds, embeddings: Floats) -> Readings:
        """The readouts of embeddings `[image, D]`, in the order of `ReadoutSpace`."""
        read = self.truth.readouts(embeddings)
        values: list[Float64] = []
        errors: list[Float64] = []

        def relative(values_of: Float64, errors_of: Float64, own: int) -> None:
            others = [k for k in range(values_of.shape[1]) if k != own]
            values.append(values_of[:, others] - values_of[:, [own]])
            rounding = 4 * DOUBLE * (np.abs(values_of[:, others]) + np.abs(values_of[:, [own]]))
            errors.append(errors_of[:, others] + errors_of[:, [own]] + rounding)

        if kinds.class_index is not None:
            relative(read.logits, read.logit_errors, kinds.class_index)
        if kinds.form is StrengthForm.RELATIVE:
            chosen = list(kinds.concepts)
            relative(read.numerators[:, chosen], read.numerator_errors[:, chosen], 0)
        else:
            chosen = list(kinds.strengths_read)
            values += [read.numerators[:, chosen]]
            errors += [read.numerator_errors[:, chosen]]
        if kinds.has_length:
            values += [read.norm[:, None]]
            errors += [read.norm_errors[:, None]]
        return Readings(np.concatenate(values, axis=1), np.concatenate(errors, axis=1), read)

    def inside(
        self, ellipsoid: ChangeEllipsoid, radius: Fraction, readings: Readings, centres: Float64
    ) -> NDArray[np.bool_]:
        """Which readings certainly lie within the neighbourhoods of `centres [image, V]`.

        With G an approximate inverse of F and d the displacement, |F^-1 d| <= |G d| + |F^-1| |d - F G d|, and
        |F^-1| <= 2 |G| where |I - GF| < 1/2.
        """
        factor, inverse = ellipsoid.factor, ellipsoid.inverse
        width = len(factor)
        if not np.linalg.norm(np.eye(width) - inverse @ factor) < 0.25:
            return np.zeros(len(centres), dtype=bool)
        displacement = readings.values - centres
        coordinates = displacement @ inverse.T
        error = readings.errors + 2 * DOUBLE * (np.abs(readings.values) + np.abs(centres))
        rounding = 4 * width * DOUBLE * (np.abs(coordinates) @ np.abs(factor).T + np.abs(displacement))
        residual = np.abs(displacement - coordinates @ factor.T) + rounding + error
        norm = float(np.linalg.norm(inverse))
        sizes = np.linalg.norm(coordinates, axis=1) * (1 + 1e-12) + 2 * norm * np.linalg.norm(residual, axis=1)
        return np.asarray(sizes <= float(radius) * (1 - 1e-15))

    def false(self, formula: Formula, embeddings: Floats, read: SplitReadouts) -> NDArray[np.bool_]:
        """Where a formula is false, exactly, at embeddings whose readings are at hand."""
        bounds = self.truth.bounds(formula, read)
        false = ~bounds.maybe
        for row in np.flatnonzero(bounds.maybe & ~bounds.surely).tolist():
            false[row] = not self.truth.at(formula, embeddings[row])
        return np.asarray(false)

    def candidates(
        self,
        kinds: ReadoutKinds,
        ellipsoid: ChangeEllipsoid,
        radius: Fraction,
        images: tuple[Floats, Centres],
        ways: Float64,
    ) -> Float64 | None:
        """Embeddings `[image, D]` whose readouts are about centre + radius F w; None where readouts are not affine.

        `images`: their embeddings `[image, D]` and centres; `ways [image, V]`: w. Of all such embeddings the nearest to
        the image's own, in the Euclidean sense.
        """
        if kinds.class_index is not None and not self.model.head.is_linear:
            return None
        embeddings, centres = np.asarray(images[0], dtype=np.float64), images[1]
        target = centres.floats + float(radius) * (1 - ROOM) * (ways @ ellipsoid.factor.T)
        missing = target - self.readings(kinds, embeddings).values
        if not kinds.has_length:
            return np.asarray(embeddings + missing @ self._inverse(kinds).T)
        moved = embeddings.copy()
        for row in range(len(moved)):
            for _ in range(3):  # the length is not affine: Newton's steps
                away = target[row] - self.readings(kinds, moved[row : row + 1]).values[0]
                moved[row] += np.asarray(np.linalg.pinv(self._slopes(kinds, moved[row])) @ away, dtype=np.float64)
        return moved

    def _inverse(self, kinds: ReadoutKinds) -> Float64:
        if kinds not in self._inverses:
            slopes = self._slopes(kinds, np.zeros(self.model.dimension))
            self._inverses[kinds] = np.asarray(np.linalg.pinv(slopes), dtype=np.float64)
        return self._inverses[kinds]

    def _slopes(self, kinds: ReadoutKinds, embedding: Float64) -> Float64:
        """The derivative of the readouts `[V, D]` at an embedding."""
        lens, linear = self.model.lens, ReadoutSpace(self.model, kinds).slopes()
        if not kinds.has_length:
            return linear
        mapped = lens.alignment(embedding[None, :])[0]
        length = max(float(np.linalg.norm(mapped)), 1e-12)
        return np.vstack([linear, (mapped / length) @ lens.alignment.weight])
