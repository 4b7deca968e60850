"""Monitors of two studies: AUROC by detector and defect, and what the deployed thresholds keep."""

from __future__ import annotations

from conspect.results.comparison import DetectorChange, KeptChange, MonitorChange
from conspect.results.monitor import MonitorEvaluation

# The rates of `Kept`, as they are called in a sentence.
RATES = {
    "accepted": "accepted outputs",
    "suspect": "outputs called suspect",
    "false_alarms": "false alarms",
    "errors_among_accepted": "errors among the accepted",
    "failures_flagged": "failures called suspect",
}


def monitors(before: MonitorEvaluation, after: MonitorEvaluation) -> MonitorChange:
    """Detectors and defects that both have."""
    theirs = {(row.defect, row.detector): row for row in before.rows}
    shared = [(theirs[row.defect, row.detector], row) for row in after.rows if (row.defect, row.detector) in theirs]
    return MonitorChange(
        detectors=tuple(
            DetectorChange(
                defect=new.defect,
                detector=new.detector,
                before=old.auroc,
                before_low=old.auroc_low,
                before_high=old.auroc_high,
                after=new.auroc,
                after_low=new.auroc_low,
                after_high=new.auroc_high,
            )
            for old, new in shared
        ),
        kept=tuple(
            KeptChange(
                rate=words,
                before=old_rate.value,
                before_low=old_rate.low,
                before_high=old_rate.high,
                after=new_rate.value,
                after_low=new_rate.low,
                after_high=new_rate.high,
            )
            for name, words in RATES.items()
            for old_rate, new_rate in [(getattr(before.kept, name), getattr(after.kept, name))]
        ),
    )
