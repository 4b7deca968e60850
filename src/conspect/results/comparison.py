"""Two studies side by side, and the verdict of a gate on what changed between them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct, field

from conspect.core.verdicts import Outcome
from conspect.results.failure_groups import GroupCondition
from conspect.results.shares import Count, Fraction, Share

# How the same images meet: image by image, or as two samples.
Pairing: TypeAlias = Literal["paired", "independent"]
GateOutcome: TypeAlias = Literal["pass", "fail", "investigate"]


class Side(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the two studies; digests as in its results.json."""

    name: str
    conspect: str
    model: str
    model_digest: str
    vlm: str
    vlm_digest: str
    dataset: str
    split: str
    images: Count
    dataset_digest: str


# What may be left out of a comparison.
ComparedPart: TypeAlias = Literal[
    "accuracy",
    "images",
    "failure groups",
    "heatmaps",
    "single cells",
    "concepts",
    "confidence",
    "properties",
    "monitors",
    "slices",
]


class Incomparable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is not compared, or not as well as it could be, in words, and why; `parts`: the parts of a comparison it lacks."""

    what: str
    parts: tuple[ComparedPart, ...]
    why: str


class ShareChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A share before and after. `difference`: after minus before, with its interval at the study's confidence.

    `paired`: by images fixed and broken (Tango's score interval, exact McNemar test); `independent`: as two samples (Newcombe's
    interval, Fisher's exact test). `p_value`: two-sided, Holm-adjusted where there are several; `beyond_chance`: it is below one
    minus the study's confidence. Null where a side is empty.
    """

    name: str
    before: Share
    after: Share
    pairing: Pairing
    fixed: Count | None
    broken: Count | None
    difference: float | None
    low: float
    high: float
    p_value: Fraction
    beyond_chance: bool


class ChangedImage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An image that only one of the models is wrong on, and what that one takes it for."""

    id: str
    label: str
    output: str


class Accuracy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accuracy in all, by class and by slice. `fixed`, `broken`: the first images of each, by id; null unless paired."""

    overall: ShareChange
    by_class: tuple[ShareChange, ...]
    by_slice: tuple[ShareChange, ...]
    fixed: tuple[ChangedImage, ...] | None
    broken: tuple[ChangedImage, ...] | None


class ChangedCell(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pair of concepts whose order changed in a class: shares of images in which `stronger` is the stronger.

    `paired`: `gained` images of the class have that order only after, `lost` only before (exact McNemar test); `independent`:
    as two samples (Fisher's exact test), and they are null.
    """

    class_name: str = field(name="class")
    stronger: str
    weaker: str
    before: Fraction
    after: Fraction
    p_value: Fraction
    pairing: Pairing
    gained: Count | None
    lost: Count | None


class HeatmapChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cells of the ground-truth heatmaps that changed, out of `tested`, p-values Holm-adjusted over all of them.

    `paired`: so many are tested image by image, because the images are the same; the rest as two samples. `cells`: the largest
    changes.
    """

    tested: Count
    paired: Count
    changed: Count
    cells: tuple[ChangedCell, ...]


class FailureGroup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images of a class taken for another, before and after, out of the images of the class; p-value Holm-adjusted.

    `paired`: `joined` images are in the group only after, `left` only before (exact McNemar test); `independent`: as two samples
    (Fisher's exact test), and they are null.
    """

    label: str
    output: str
    before: Count
    after: Count
    images_before: Count
    images_after: Count
    p_value: Fraction
    pairing: Pairing
    joined: Count | None
    left: Count | None


class FoundGroupChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of failures that was found in one of the studies or in both (`failure_groups` of results.json), by the same
    class, output and concepts. `before`, `after`: its share of failures; null where it was not found there, which does not
    mean that such images do not fail.
    """

    label: str | None
    output: str | None
    conditions: tuple[GroupCondition, ...]
    before: Share | None
    after: Share | None
    sentence: str


class ConceptChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Failures in which a concept that is usually stronger was not, before and after, out of all failures."""

    concept: str
    before: Count
    after: Count
    failures_before: Count
    failures_after: Count
    p_value: Fraction


class PropertyChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A property whose verdict is another one now, with the largest sizes at which it is proved.

    `quantifier`: for which inputs the statement is claimed, by both runs; empty in results of older versions.
    """

    id: str
    statement: str
    quantifier: str = ""
    before: Outcome
    after: Outcome
    gamma_max_before: float | None
    gamma_max_after: float | None


class HeldShare(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of the properties in both studies hold by one way of asking, such as "for 95 % of images"."""

    asked: str
    before: Count
    after: Count
    properties_before: Count
    properties_after: Count


class Properties(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Properties by name. `coverage_before`, `coverage_after`: mean share of held-out images in the regions of those in both."""

    in_both: Count
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    restated: tuple[str, ...]
    flipped: tuple[PropertyChange, ...]
    held: tuple[HeldShare, ...]
    coverage_before: Fraction | None
    coverage_after: Fraction | None


class DetectorChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """AUROC of a detector on a defect, each with its bootstrap interval."""

    defect: str
    detector: str
    before: Fraction
    before_low: Fraction
    before_high: Fraction
    after: Fraction
    after_low: Fraction
    after_high: Fraction


class KeptChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate of the deployed thresholds on the report split, each with its exact interval."""

    rate: str
    before: Fraction | None
    before_low: Fraction
    before_high: Fraction
    after: Fraction | None
    after_low: Fraction
    after_high: Fraction


class MonitorChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the monitors find, and what they keep."""

    detectors: tuple[DetectorChange, ...]
    kept: tuple[KeptChange, ...]


class Comparison(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`before` against `after`; what `conspect compare --json` prints. `sentences`: the same in words, most important first."""

    before: Side
    after: Side
    same_images: bool
    same_model: bool
    same_lens: bool
    confidence: Fraction
    accuracy: Accuracy | None
    heatmaps: HeatmapChange | None
    failure_groups: tuple[FailureGroup, ...]
    found_groups: tuple[FoundGroupChange, ...]
    concepts: tuple[ConceptChange, ...]
    properties: Properties | None
    monitor: MonitorChange | None
    not_compared: tuple[Incomparable, ...]
    sentences: tuple[str, ...]


class GateRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tolerance. `loss`: how much worse it became, with its interval; `outcome`: fail when the whole interval is above the
    tolerance, pass when it is not above it anywhere, investigate when the interval straddles it or nothing could be measured.
    """

    name: str
    tolerance: float
    loss: float | None
    low: float | None
    high: float | None
    outcome: GateOutcome
    sentence: str


class GateVerdict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect gate --json` prints: the worst outcome of the rules, the rules, and the comparison they are read off."""

    outcome: GateOutcome
    rules: tuple[GateRule, ...]
    comparison: Comparison
