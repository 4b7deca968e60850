"""Encoder or head: the verdicts on the failures, in numbers and one by one."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from conspect.core.concept_words import quoted
from conspect.core.notebooks import drawing_of
from conspect.results.diagnosis import CauseCounted, CauseName
from conspect.results.heatmaps import LostPair
from conspect.results.shares import BrokenPair, Count, Culprit, CulpritCounts, Fraction, Part, PartCounts


class CrossTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Failures by the verdict of the lens (fields) and by that of the refitted head."""

    head: PartCounts
    encoder: PartCounts
    undecided: PartCounts


class ClassFailures(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Failures of one true class by what they are put down to."""

    class_name: str = field(name="class")
    failures: Count
    causes: tuple[CauseCounted, ...]


class WorstClass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The class with the most failures, what most of them are taken for, and the pair that they lose most clearly."""

    class_name: str = field(name="class")
    failures: Count
    taken_for: str
    times: Count
    lost: LostPair | None


class Reason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A concept that belongs to one of two classes: the output's, which the image shows more than the share
    `share` of the label's rightly classified images do, or the label's, which it shows less than `share` of them do.

    `images`: how many these are. `twins`: concepts that would do as well and cannot be told from it here; `opposites`: those
    that fall where it rises, and would do as well the other way round. The share is true of each of them.
    """

    concept: str
    side: Literal["label", "output"]
    share: Fraction
    images: Count
    twins: tuple[str, ...] = ()
    opposites: tuple[str, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failure in a sentence, and the reasons that it is made of; no reasons where nothing stands out."""

    sentence: str
    reasons: tuple[Reason, ...]


def slice_column(name: str) -> str:
    """What the table of failures calls the values of a column of metadata."""
    return f"slice {name}"


class Failure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One misclassified image. `confidence`: the output's softmax; `strengths`: the cosine of each concept.

    `cause` is the answer of the diagnosis, `label_wrong` the probability that the label is wrong and `label_instead` what the
    judges say instead. `paper_verdict` is what the paper's oracle (the lens) says, which blames encoder or head whether or not a
    part is broken, `refitted_head_verdict` what another says; neither is the answer.
    """

    id: str
    label: str
    output: str
    confidence: Fraction
    cause: CauseName
    label_wrong: Fraction
    label_instead: str
    paper_verdict: Culprit
    refitted_head_verdict: Culprit
    vlm_says: str
    vlm_says_through_lens: str
    explanation: Explanation
    went_wrong: tuple[BrokenPair, ...]
    strengths: tuple[float, ...]

    def _repr_html_(self) -> str | None:
        return drawing_of(self)


class SwappedFailure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failure judged by the swap test; `new`: the sound version is right on it."""

    id: str
    label: str
    output: str
    new: bool
    blame: Culprit
    head_probability: Fraction | None


class LostConcept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A concept and the probability that it is the one that was lost. `twins`: concepts that rise and fall with it, so that no
    method can say which of them was lost; `opposites`: those that fall where it rises.
    """

    concept: str
    twins: tuple[str, ...]
    probability: Fraction
    opposites: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """The whole group, as in: “colored eyes” or “floppy ears” (or lack of “wings”)."""
        others = " or ".join(map(quoted, self.opposites))
        return " or ".join(map(quoted, (self.concept, *self.twins))) + (f" (or lack of {others})" if others else "")


class LostOfClass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the encoder most likely lost of a class that has so many new failures, the likeliest of its concepts first."""

    class_name: str = field(name="class")
    new_failures: Count
    concepts: tuple[LostConcept, ...]


class PartLoss(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accuracy lost by a part: its Shapley value, what it loses when it alone is exchanged (less than 0: gained), whether it was
    changed at all, and the probability of so many losses against gains by chance when it alone is exchanged (McNemar), which
    `beyond_chance` says to be small.
    """

    part: Part
    changed: bool
    loss: float
    alone: float
    p_value: Fraction
    beyond_chance: bool


class SwapTest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect localize --json` prints: `model` against `sound`; `counts` are of the new failures.

    `broken`: the parts that cost accuracy for sure; both where both do.
    `lost`: of classes whose new failures are mostly put down to the encoder, which concept it no longer sees.
    """

    model: str
    sound: str
    method: Literal["swap test"]
    accuracy: Fraction
    sound_accuracy: Fraction
    failures: Count
    new_failures: Count
    broken: tuple[Part, ...]
    sentence: str
    parts: tuple[PartLoss, ...]
    counts: CulpritCounts
    lost: tuple[LostOfClass, ...]
    images: tuple[SwappedFailure, ...]


class PaperOracle(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paper's oracle (the lens) on all failures, beside a refitted head: for comparison with the papers, not the answer.

    Both blame encoder or head whether or not a part is broken. `agreement` and `kappa`: of the two over the failures that the
    lens decides, null when it decides none.
    """

    counts: CulpritCounts
    refitted_head_counts: PartCounts
    refitted_head_accuracy: Fraction
    cross_table: CrossTable
    agreement: Fraction | None
    agreement_interval: tuple[Fraction, Fraction] | None
    kappa: float | None


class Localization(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every failure with what the diagnosis puts it down to, and the paper's oracle for comparison.

    `left_out`: why nothing is said of head and encoder, null where something is; the oracle's counts are then all undecided.
    `worst`: null without failures. `images`: the first thousand; the file `table` beside results.json, an Arrow stream, has all.
    """

    failures: Count
    paper_oracle: PaperOracle
    by_class: tuple[ClassFailures, ...]
    worst: WorstClass | None
    images: tuple[Failure, ...]
    table: str
    left_out: str | None = None
