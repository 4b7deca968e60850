"""Subjects with known answers, for the tests of verification."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from conspect.core.spaces import AffineMap, Floats, Head, Lens
from conspect.verification.queries.changed import ChangedSplit, PictureName
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


def model_with_images(seed: int, *, images: int = 60, dimension: int = 6) -> VerificationModel:
    """Three classes and four concepts whose images lie in well separated clouds; the lens has rank 2."""
    rng = np.random.default_rng(seed)
    means = 3 * rng.normal(size=(3, dimension))
    labels = np.arange(images) % 3
    directions = np.linalg.qr(rng.normal(size=(5, 4)))[0].T
    alignment = rng.normal(size=(5, 2)) @ rng.normal(size=(2, dimension))
    splits = {
        name: EmbeddingSplit(
            (means[labels] + rng.normal(size=(images, dimension))).astype(np.float32),
            labels,
            tuple(f"{name}{k}" for k in range(images)),
        )
        for name in ("train", "val", "test")
    }
    return VerificationModel(
        Head.linear(means, -0.5 * np.square(means).sum(axis=1)),
        Lens(AffineMap(alignment, rng.normal(size=5)), ("a", "b", "c", "d"), directions),
        ("car", "truck", "cat"),
        splits,
        {"a": 0.1, "b": -0.2, "c": 0.0, "d": 0.3},
    )


class Pictures:
    """Changed pictures whose displacements are normal, of another spread in each direction."""

    pictures = (PictureName("mirror", "mirrored"), PictureName("shift", "left"), PictureName("shift", "right"))
    digest = "three changes"

    def __init__(self, model: VerificationModel, seed: int, spread: float) -> None:
        self.model, self.spread = model, spread
        self.seed = seed
        self.samples: dict[str, ChangedSplit] = {}

    def sample(self, split: str) -> ChangedSplit:
        if split not in self.samples:
            whole = np.asarray(self.model.splits[split].embeddings)
            rng = np.random.default_rng([self.seed, ["train", "val", "test"].index(split)])
            moved = rng.normal(size=(len(whole), 3, whole.shape[1])) * self.spread
            moved = moved * np.linspace(0.2, 2.0, whole.shape[1])
            moved[:, 0] *= 3.0
            changed = (whole[:, None, :] + moved).astype(np.float32)
            self.samples[split] = ChangedSplit(np.arange(len(whole)), changed)
        return self.samples[split]

    def around(self, split: str, row: int) -> Floats:
        return np.asarray(self.sample(split).embeddings[row])


def changed_model(seed: int, *, spread: float = 0.1, images: int = 60, free: bool = False) -> VerificationModel:
    """Images with changed pictures; `free`: in so many dimensions that any readouts are those of an embedding."""
    model = model_with_images(seed, images=images, dimension=12 if free else 6)
    if free:
        rng = np.random.default_rng(seed)
        model = replace(model, lens=replace(model.lens, alignment=AffineMap(rng.normal(size=(5, 12)), np.ones(5))))
    return replace(model, changed=Pictures(model, seed, spread))
