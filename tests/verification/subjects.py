"""Subjects with known answers, for the tests of verification."""

from __future__ import annotations

import numpy as np

from conspect.core.spaces import AffineMap, Head, Lens
from conspect.verification.queries.model import EmbeddingSplit, VerificationModel


def plane(
    *, head: Head | None = None, thresholds: dict[str, float] | None = None, count: int = 200
) -> VerificationModel:
    """Two dimensions, read as they are: concepts `right` (1, 0) and `up` (0, 1), class `east` where z0 > 0."""
    rng = np.random.default_rng(1)
    east = rng.normal(size=(count, 2)) * 0.5 + np.array([2.0, 1.0])
    west = rng.normal(size=(count, 2)) * 0.5 + np.array([-2.0, 1.0])
    splits = {}
    for part, name in enumerate(("train", "val", "test")):
        embeddings = np.vstack([east[part::3], west[part::3]])
        labels = np.repeat([0, 1], [len(east[part::3]), len(west[part::3])])
        splits[name] = EmbeddingSplit(embeddings, labels, tuple(f"{name}-{k}" for k in range(len(labels))))
    return VerificationModel(
        head or Head.linear(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.zeros(2)),
        Lens(AffineMap(np.eye(2), np.zeros(2)), ("right", "up"), np.eye(2)),
        ("east", "west"),
        splits,
        thresholds or {},
    )
