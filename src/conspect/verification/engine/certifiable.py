"""Which evidence a certificate can carry: integers of a length that can be written and read."""

from __future__ import annotations

from dataclasses import replace

from conspect.core.verdicts import unknown
from conspect.verification.engine.prover import Outcome
from conspect.verification.engine.steps import Close

# The checker reads no longer integer than this many digits; Python itself refuses to write 4,300.
LARGEST_INTEGER = 10**3990


def certifiable(outcome: Outcome) -> Outcome:
    """The outcome itself, or unknown where its evidence has an integer that no certificate can carry."""
    steps = outcome.proof.steps if outcome.proof is not None else []
    numbers = [multiplier for step in steps if isinstance(step, Close) for _, multiplier in step.multipliers]
    if outcome.witness is not None and outcome.witness.exact is None:
        numbers += [*outcome.witness.vector.integers, outcome.witness.vector.denominator]
    if max(map(abs, numbers), default=0) <= LARGEST_INTEGER:
        return outcome
    reason = "decided, but its certificate would need an integer of more than 3,990 digits"
    return replace(outcome, verdict=unknown(reason), proof=None, witness=None, margin=None)
