"""What is known of a case's model, as far as weights are fitted on it; and the answers by weights that did not see a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conspect.analysis.diagnosis.evidence import ModelEvidence
from conspect.analysis.diagnosis.weighing import SUSPECTS, EvidenceWeights, NamedSuspects, Suspect, fit_weights
from conspect.core.spaces import Float64
from conspect.faults.planting.cases import Part, Series

SUSPECTED = {
    Part.NONE: {Suspect.NONE},
    Part.LABELS: {Suspect.LABELS},
    Part.INPUT: {Suspect.INPUT},
    Part.HEAD: {Suspect.HEAD},
    Part.ENCODER: {Suspect.ENCODER},
    Part.BOTH: {Suspect.HEAD, Suspect.ENCODER},
}


# Series of kinds that no weight is fitted on.
HELD_BACK = frozenset({Series.FOURTH, Series.FIFTH})


@dataclass(frozen=True, eq=False)
class CaseEvidence:
    """A case with what is known of its model.

    `blind`, `reported [feature]`: the evidence as numbers, without and with the accuracy that the sound network has; `too_close`:
    whether the norms fit the images as if estimated again on them. `order [suspect]`: the answer where the class names are in
    another order, else None. `traced`: whether the fault left a trace that its part can be known by (an input that can be mended,
    or that loses something).
    """

    network: str
    kind: str
    part: Part
    drop: float
    series: Series
    traced: bool
    blind: Float64
    reported: Float64
    too_close: bool
    order: Float64 | None

    @property
    def fittable(self) -> bool:
        """Whether the weights of the evidence may be fitted on it: one known suspect, that left a trace, and no other order."""
        return self.part is not Part.BOTH and self.order is None and self.traced and self.series not in HELD_BACK

    def answer(self, weights: EvidenceWeights, *, reported: bool = False) -> NamedSuspects:
        """What is said of the model, knowing the accuracy that it had or not."""
        if self.order is not None:
            return NamedSuspects.of(self.order)
        known = self.reported if reported else self.blind
        return NamedSuspects.of(weights.posterior(known, too_close=self.too_close))


def traced(part: Part, evidence: ModelEvidence) -> bool:
    """Whether a fault of this part left a trace."""
    lost = evidence.preparation is not None and bool(evidence.preparation.lost)
    return part is not Part.INPUT or evidence.mending is not None or lost


def weights_of(cases: Sequence[CaseEvidence]) -> EvidenceWeights:
    """Weights of the evidence fitted on those of the cases that are `fittable`, without and with the accuracy that was."""
    fitted = [case for case in cases if case.fittable]
    truth = [SUSPECTS.index(next(iter(SUSPECTED[case.part]))) for case in fitted]
    known = np.stack([case.blind for case in fitted] + [case.reported for case in fitted])
    return fit_weights(known, np.array(2 * truth, dtype=np.int64))
