"""The evaluation of a monitor: every detector on every defect, guarantees put to the test, examples."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from conspect.results.shares import Count, CulpritCounts, Fraction, Interval, PartCounts

DetectorKind: TypeAlias = Literal["baseline", "paper", "conspect", "conspect+vlm"]
Metric: TypeAlias = Literal["auroc", "aupr", "fpr95", "aurc", "eaurc", "augrc"]
MonitorVerdict: TypeAlias = Literal["accept", "uncertain", "suspect"]
# (share accepted, share of errors among them), or (false alarms, failures flagged).
Point: TypeAlias = tuple[Fraction, Fraction]


class SplitSize(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many images, and how many of them have a wrong output."""

    images: Count
    wrong: Count


class SplitSizes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`source`: "held-out" when fit and calibration are test images that the study does not report on, else "split"."""

    source: Literal["held-out", "split"]
    fit: SplitSize
    calibration: SplitSize
    report: SplitSize


class DetectorRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One detector on one defect: AUROC with its 95 % bootstrap interval and the other metrics (docs/monitoring.md)."""

    defect: str
    detector: str
    kind: DetectorKind
    auroc: Fraction
    auroc_low: Fraction
    auroc_high: Fraction
    aupr: float
    fpr95: float
    aurc: float
    eaurc: float
    augrc: float
    n_pos: Count
    n_neg: Count


class DetectorDifference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A detector against a baseline, paired; positive: the detector is better, whatever the metric's direction."""

    defect: str
    detector: str
    baseline: str
    metric: Metric
    better_by: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Whether the interval of the difference lies on one side of 0."""
        return self.low > 0 or self.high < 0


class DetectorCurve(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The curves of a chosen detector on one defect."""

    defect: str
    detector: str
    kind: DetectorKind
    roc: tuple[Point, ...]
    risk_coverage: tuple[Point, ...]


class Rates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was to be certified; null where nothing was asked."""

    false_alarms: float
    accepted_errors: float
    confidence: float
    errors_of_all: float | None = None


class Guarantee(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was certified on the calibration split, in numbers and in words."""

    wanted: Rates
    images: Count
    wrong: Count
    accepts: bool
    sentences: tuple[str, ...]


class Kept(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the thresholds do on the report split; 95 % Clopper-Pearson intervals."""

    accepted: Interval
    suspect: Interval
    false_alarms: Interval
    errors_among_accepted: Interval
    failures_flagged: Interval


class PairReason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A concept pair that speaks against the output."""

    stronger: str
    weaker: str
    among_right: Fraction
    among_wrong: Fraction
    words: str


class FlaggedImage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A suspect wrong output; suspicion in nats."""

    id: str
    label: str
    output: str
    suspicion: float
    verdict: MonitorVerdict
    reasons: tuple[PairReason, ...]


class AttackRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An attack and how often it succeeded; fields that it has no use for are null. `epsilon` of 255."""

    attack: str
    kind: Literal["FGSM", "PGD", "adaptive PGD"]
    epsilon: Count
    attacked: Count
    succeeded: Count
    steps: Count | None = None
    restarts: Count | None = None
    weights: tuple[float, ...] | None = None
    seed: int | None = None


class AttackLocalization(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Encoder or head, for the failures under one attack: by the paper's oracle (the lens) and by the refitted head."""

    attack: str
    failures: Count
    paper_counts: CulpritCounts
    refitted_head_counts: PartCounts


class MonitorEvaluation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `conspect monitor eval --json` prints; docs/results.md has the fields.

    `chosen`: by kind, the detector that was best on the calibration split. `taught`: attacked images that detectors were
    taught to flag. `left_out`: what could not be measured, name to reason.
    """

    splits: SplitSizes
    chosen: dict[DetectorKind, str]
    rows: tuple[DetectorRow, ...]
    differences: tuple[DetectorDifference, ...]
    curves: tuple[DetectorCurve, ...]
    guarantee: Guarantee
    kept: Kept
    kept_second_look: Kept
    flagged: tuple[FlaggedImage, ...]
    taught: Count
    attacks: tuple[AttackRow, ...]
    adversarial_localization: tuple[AttackLocalization, ...]
    left_out: dict[str, str]
