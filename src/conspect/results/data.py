"""What was asked, and on which images and concepts."""

from __future__ import annotations

from msgspec import Struct

from conspect.results.shares import Count, Fraction


class TrainImages(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The images that the alignment was fitted on. `omissions`: as of `Dataset`."""

    split: str
    images: Count
    digest: str
    omissions: tuple[str, ...] = ()


class StudyChoices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The choices of study.toml that every figure rests on; `data` is the kind of data set."""

    data: str
    train: TrainImages
    seed: int
    confidence: Fraction
    binarize_at: Fraction


class Dataset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The images that everything is measured on: `images` were asked for, `readable` could be read by both models.

    `omissions`: what lies among them and is no image of the data set, a sentence for each kind with number and examples.
    """

    name: str
    split: str
    images: Count
    readable: Count
    digest: str
    omissions: tuple[str, ...] = ()


class Unreadable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image that is left out of every count but `dataset.images`, and why."""

    split: str
    id: str
    reason: str


class Environment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Versions of what computed."""

    python: str
    numpy: str
