"""A later version of a model against the fingerprint of a sound one: what moved, and which part costs accuracy."""

from __future__ import annotations

from msgspec import Struct, field

from conspect.results.localization import PartLoss, SwappedFailure
from conspect.results.shares import Count, CulpritCounts, Fraction, Part


class FingerprintHeader(Struct, frozen=True, kw_only=True):
    """What a fingerprint's file says beside its arrays. `reference`: digest of the images; `head_layers`: number of its maps."""

    format: int
    model: str
    reference: str
    classes: tuple[str, ...]
    concepts: tuple[str, ...]
    layers: tuple[str, ...]
    head_layers: Count


class MovedLayer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a layer's activations on the reference images moved, in deviations they had (root mean square over channels), and
    the largest factor by which a channel's deviation changed.
    """

    layer: str
    moved: float
    factor: float


class MovedConcept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far a concept's strength, read by the sound version's lens, moved on average, in deviations over images."""

    concept: str
    moved: float


class MovedClass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the mean embedding of a class moved, in deviations within classes."""

    class_name: str = field(name="class")
    moved: float


class FingerprintComparison(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`model` against the sound version `sound`, on the same reference images. `accuracy`, `sound_accuracy` are on these.

    `input_changed`: what the network is fed differs. `layers`: those that moved, in the order of their calls; `first_layer`: the
    first of them. `head_rows`: classes whose row of the head is another. `broken`: parts that cost accuracy for sure; not the
    encoder where what it is fed changed, since then the two cannot be told apart. `failures`: every reference image that the
    later version gets wrong, by the swap test of that image (where the input changed, "encoder" stands for it and the input
    together); `counts`: of those that the sound version gets right.
    """

    model: str
    sound: str
    images: Count
    accuracy: Fraction
    sound_accuracy: Fraction
    sentence: str
    input_changed: bool
    broken: tuple[Part, ...]
    parts: tuple[PartLoss, ...]
    first_layer: str | None
    layers: tuple[MovedLayer, ...]
    head_rows: tuple[str, ...]
    classes: tuple[MovedClass, ...]
    concepts: tuple[MovedConcept, ...]
    counts: CulpritCounts
    failures: tuple[SwappedFailure, ...]
