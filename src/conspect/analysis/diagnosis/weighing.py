"""Which part of a model is broken: evidence weighed by what it was worth on planted faults, and left open where it is open."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from conspect.analysis.diagnosis.evidence import FEATURES, ModelEvidence, features
from conspect.core.spaces import Float64
from conspect.statistics.logistic import LogisticModel, fit_logistic

# One suspect is named at the first, nothing being broken at the second probability; otherwise as few as together reach the third
# are named as not to be told apart.
LEAST_CONFIDENCE, LEAST_SOUND, LEAST_TOGETHER = 0.55, 0.5, 0.85
# No part is called broken alone where nothing being broken is as likely as this.
MOST_NONE = 0.2
# Nothing being broken is never likelier than this where the norms' records say nothing, or accuracy was lost. What is taken from
# it goes to encoder and head in these shares: most of what is wrong with a head another one would mend, and that would show.
MOST_UNKNOWN, UNKNOWN_SHARES = 0.45, np.array([0.8, 0.2])
# Where a corrected head is better as surely as this, something is broken: 6 standard errors. Sound networks reached 3.6 at most.
SURE_SURPRISE = 1.5
FIT_PENALTY, FIT_ITERATIONS, FIT_TOLERANCE = 1e-2, 3000, 1e-8


class Suspect(StrEnum):
    """What may be broken."""

    LABELS = "labels"
    INPUT = "input pipeline"
    ENCODER = "encoder"
    HEAD = "head"
    NONE = "none"


SUSPECTS = tuple(Suspect)
INPUT, ENCODER, HEAD, NONE = (
    SUSPECTS.index(suspect) for suspect in (Suspect.INPUT, Suspect.ENCODER, Suspect.HEAD, Suspect.NONE)
)
SURPRISE, MENDS, UNSTEADY, UNHARMED, LOST = (
    FEATURES.index(name)
    for name in (
        "surprise at what a corrected head fixes",
        "an input that mends",
        "embeddings that are not steady",
        "nothing lost against the reported accuracy",
        "accuracy lost against the reported one",
    )
)


@dataclass(frozen=True, slots=True)
class WeightsTable:
    """Weights as they ship: of which `features` and `suspects` they are, `weight [suspect, feature]`, `bias [suspect]`."""

    features: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    weight: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class EvidenceWeights:
    """A multinomial logistic model from `FEATURES` to `SUSPECTS`."""

    model: LogisticModel

    @classmethod
    def from_table(cls, table: WeightsTable) -> EvidenceWeights:
        """From what `table` gave. Raises ValueError for weights of other features or suspects."""
        if table.features != FEATURES or table.suspects != SUSPECTS:
            raise ValueError("these weights are of other evidence; run training/fit_diagnosis.py")
        return cls(LogisticModel(np.array(table.weight, dtype=np.float64), np.array(table.bias, dtype=np.float64)))

    def table(self) -> WeightsTable:
        """As they are written down, rounded to five decimals."""
        rows = (tuple(row) for row in self.model.weight.round(5).tolist())
        return WeightsTable(FEATURES, SUSPECTS, tuple(rows), tuple(self.model.bias.round(5).tolist()))

    def posterior(self, evidence: Float64, *, too_close: bool = False) -> Float64:
        """`[suspect]` for numbers `[feature]`. Where a change of the input mends, or an image has more than one embedding,
        something is broken: what would be put down to nothing is put down to the input, or to the encoder; to all other suspects
        in proportion where a corrected head is better beyond what sound networks allow (`SURE_SURPRISE`).

        Where norms fit the images as closely as if they had been estimated again on them (`too_close`), a broken encoder may
        have left no trace in them, and what another head mends may be wrong in the encoder as well: nothing being broken gets
        `MOST_UNKNOWN` at most, and encoder and head are as likely, unless the accuracy is known to be what it was. Where
        accuracy was lost for sure, nothing being broken gets no more than that either.
        """
        posterior = np.asarray(self.model.probabilities(evidence[None])[0])
        for feature, broken in ((MENDS, INPUT), (UNSTEADY, ENCODER)):
            if evidence[feature] > 0:
                posterior[broken] += posterior[NONE]
                posterior[NONE] = 0.0
        if evidence[SURPRISE] >= SURE_SURPRISE:
            posterior[NONE] = 0.0
            posterior /= posterior.sum()
        more = posterior[NONE] - MOST_UNKNOWN
        silent = too_close and not evidence[UNHARMED]
        if more > 0 and (silent or evidence[LOST] > 0):
            posterior[NONE] -= more
            posterior[[ENCODER, HEAD]] += more * UNKNOWN_SHARES
        if silent:
            posterior[[ENCODER, HEAD]] = posterior[[ENCODER, HEAD]].mean()
        return posterior


def fit_weights(evidence: Float64, truth: NDArray[np.int64], *, penalty: float = FIT_PENALTY) -> EvidenceWeights:
    """From cases `evidence [case, feature]` whose suspect is known, `truth [case]` an index of `SUSPECTS`; each suspect counts
    equally."""
    groups = [np.flatnonzero(truth == suspect) for suspect in np.unique(truth)]
    most = max(map(len, groups))
    rows = np.concatenate([np.resize(group, most) for group in groups])
    fitted = fit_logistic(
        evidence[rows],
        truth[rows],
        len(SUSPECTS),
        penalty=penalty,
        iterations=FIT_ITERATIONS,
        tolerance=FIT_TOLERANCE,
    )
    return EvidenceWeights(fitted)


@dataclass(frozen=True, eq=False)
class NamedSuspects:
    """What is broken. `posterior [suspect]` in the order of `SUSPECTS`; `named`: one suspect where it is decided,
    otherwise those that the evidence cannot tell apart, the likeliest first."""

    posterior: Float64
    named: tuple[Suspect, ...]

    @classmethod
    def of(cls, posterior: Float64) -> NamedSuspects:
        """What probabilities name."""
        return cls(posterior, named_suspects(posterior))

    @property
    def suspect(self) -> Suspect | None:
        """The one suspect; None where the evidence does not decide."""
        return self.named[0] if len(self.named) == 1 else None

    @property
    def confidence(self) -> float:
        """Probability that one of the named suspects is right, 0..1."""
        return float(sum(self.posterior[SUSPECTS.index(suspect)] for suspect in self.named))


@dataclass(frozen=True, eq=False)
class ModelDiagnosis(NamedSuspects):
    """The answer about the model, with the evidence that it comes from."""

    evidence: ModelEvidence


def diagnose(evidence: ModelEvidence, weights: EvidenceWeights) -> ModelDiagnosis:
    """The evidence weighed; class names in another order are named before anything else is believed."""
    posterior = order_posterior(evidence)
    if posterior is None:
        posterior = weights.posterior(features(evidence), too_close=evidence.too_close)
        if evidence.head.same_rows:
            # No input can tell these classes apart: of what would be put down to nothing.
            posterior[HEAD] += posterior[NONE]
            posterior[NONE] = 0.0
    more = posterior[NONE] - MOST_UNKNOWN
    if more > 0 and evidence.beginning is not None and not evidence.unharmed:
        # What the encoder sees is not what it saw in training, as in no sound network: it is another, or its input is.
        posterior[NONE] -= more
        posterior[[INPUT, ENCODER]] += more / 2
    if evidence.not_finite:
        # A sound model gives numbers for every image.
        posterior[ENCODER] += posterior[NONE]
        posterior[NONE] = 0.0
    if not evidence.divided:
        # No head was found: what speaks against it speaks against the encoder as well.
        parts = [SUSPECTS.index(Suspect.ENCODER), SUSPECTS.index(Suspect.HEAD)]
        posterior[parts] = posterior[parts].mean()
    return ModelDiagnosis(posterior, named_suspects(posterior), evidence)


def order_posterior(evidence: ModelEvidence) -> Float64 | None:
    """`[suspect]` where the class names are in another order, else None.

    The names are wrong (`names_wrong`), or, of two that are exchanged, the rows of the head.
    """
    if not evidence.other_order:
        return None
    labels = 0.95 if evidence.names_wrong else 0.25
    chances = {Suspect.LABELS: labels, Suspect.HEAD: 0.98 - labels}
    rest = (1 - sum(chances.values())) / (len(SUSPECTS) - 2)
    return np.array([chances.get(suspect, rest) for suspect in SUSPECTS])


def named_suspects(posterior: Float64) -> tuple[Suspect, ...]:
    """The likeliest alone where it reaches `LEAST_CONFIDENCE` and nothing being broken stays below `MOST_NONE`; nothing being
    broken where that reaches `LEAST_SOUND`; else the fewest that reach `LEAST_TOGETHER` together.
    """
    order = np.argsort(-posterior, kind="stable")
    first = SUSPECTS[order[0]]
    most, none = posterior[order[0]], posterior[NONE]
    if most >= LEAST_SOUND if first is Suspect.NONE else most >= LEAST_CONFIDENCE and none < MOST_NONE:
        return (first,)
    number = int(np.searchsorted(np.cumsum(posterior[order]), LEAST_TOGETHER)) + 1
    return tuple(SUSPECTS[k] for k in order[: min(max(number, 2), len(order))])
