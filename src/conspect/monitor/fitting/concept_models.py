"""Class-conditional models of right and wrong behaviour in the strengths, and the concept failure ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from conspect.core.spaces import Float64, Floats

# Pseudo-images of the class's overall mean in each half; weight of the isotropic part of the shared covariance;
# pseudo-images of the overall failure rate in each concept's failure ratio.
MEAN_SHRINKAGE, COVARIANCE_SHRINKAGE, RATIO_SHRINKAGE = 20.0, 0.1, 20.0


@dataclass(frozen=True, eq=False)
class ConceptEvidence:
    """log P(strengths | output wrong) - log P(strengths | right) by class: `weight [class, concept]`, `offset [class]`.

    Two Gaussians a class with one covariance for all, so the ratio is affine in the strengths. Numerators do as well as
    cosines. The offset holds the log odds of a wrong output of the class. Source: linear discriminant analysis, Fisher
    (1936), with means shrunk to the class's mean and the covariance to a multiple of the identity.
    """

    weight: Float64
    offset: Float64

    @classmethod
    def fit(
        cls, strengths: Floats, outputs: NDArray[np.integer], wrong: NDArray[np.bool_], classes: int
    ) -> ConceptEvidence:
        """From held-out `strengths [image, concept]`, `outputs [image]`, `wrong [image]`."""
        x = np.asarray(strengths, dtype=np.float64)
        means, images = np.zeros((2, classes, x.shape[1])), np.zeros((2, classes))
        overall = x.mean(0)
        residual = np.empty_like(x)
        for label in range(classes):
            members = outputs == label
            centre = x[members].mean(0) if members.any() else overall
            for kind in (0, 1):
                chosen = members & (wrong == bool(kind))
                images[kind, label] = chosen.sum()
                summed = x[chosen].sum(0) + MEAN_SHRINKAGE * centre
                means[kind, label] = summed / (images[kind, label] + MEAN_SHRINKAGE)
                residual[chosen] = x[chosen] - means[kind, label]
        inverse = np.linalg.inv(shrunk_covariance(residual))
        scaled = means @ inverse
        squares = np.sum(scaled * means, axis=2)
        odds = np.log(images[1] + 1) - np.log(images[0] + 1)
        return cls(scaled[1] - scaled[0], (squares[0] - squares[1]) / 2 + odds)


@dataclass(frozen=True, eq=False)
class ConceptFailureRatio:
    """How much oftener inputs with a concept fail: `present [concept]` strength from which on, `log_odds [concept]`.

    Source: CAFD (arXiv 2605.24008), concept failure ratio; here as a shrunken log odds ratio against all inputs. A
    concept counts as present above its median strength on the held-out inputs.
    """

    present: Float64
    log_odds: Float64

    @classmethod
    def fit(cls, strengths: Floats, wrong: NDArray[np.bool_]) -> ConceptFailureRatio:
        """From held-out `strengths [image, concept]` and `wrong [image]`, of which some but not all are true."""
        present = np.median(np.asarray(strengths, dtype=np.float64), axis=0)
        has = strengths > present
        base = float(wrong.mean())
        rate = ((has & wrong[:, None]).sum(0) + RATIO_SHRINKAGE * base) / (has.sum(0) + RATIO_SHRINKAGE)
        return cls(present, np.log(rate / (1 - rate)) - np.log(base / (1 - base)))


def shrunk_covariance(residual: Float64) -> Float64:
    """Second moments of `residual [image, dimension]`, drawn towards their mean variance times the identity."""
    moments = residual.T @ residual / len(residual)
    spread = float(np.trace(moments)) / len(moments)
    floor = max(COVARIANCE_SHRINKAGE * spread, np.finfo(np.float64).tiny)
    return np.asarray((1 - COVARIANCE_SHRINKAGE) * moments + floor * np.eye(len(moments)))
