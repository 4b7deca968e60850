"""What a check answers, as JSON and as the schema in OpenAPI."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, Field

from conspect.monitor.runtime import ACCEPT, Monitor
from conspect.web.engine import CheckedInputs

Asked = Literal["flagged", "all", "none"]
NOT_FINITE = "the embedding, a logit or the suspicion is not a finite number"


class Answer(BaseModel):
    """One input."""

    output: str | None = Field(description="The class that the model says; null when its logits are not finite.")
    verdict: Literal["accept", "uncertain", "suspect"]
    suspicion: float | None = Field(description="Log-odds that the output is wrong, nats; null when not finite.")
    reasons: list[str] = Field(description="What speaks most against the output, strongest first; may be empty.")


class Answers(BaseModel):
    """One answer for each input, in the order of the inputs."""

    results: list[Answer]


class Problem(BaseModel):
    """What went wrong and what to do."""

    code: str
    problem: str
    fix: str


class Failure(BaseModel):
    """The one shape of every error."""

    error: Problem


def answers(monitor: Monitor, checked: CheckedInputs, asked: Asked) -> list[dict[str, Any]]:
    """The fields of `Answer` for each input; reasons for those not accepted, for all, or for none."""
    found = []
    decisions = checked.decisions
    rows = zip(decisions.outputs.tolist(), decisions.verdicts.tolist(), decisions.suspicion.tolist(), strict=True)
    for row, ((output, verdict, suspicion), name) in enumerate(zip(rows, decisions.names(), strict=True)):
        finite = bool(checked.finite[row])
        reasons: list[str] = []
        if asked == "all" or (asked == "flagged" and verdict != ACCEPT):
            reasons = _reasons(monitor, checked, row, output) if finite else [NOT_FINITE]
        found.append(
            {
                "output": monitor.class_names[output] if finite else None,
                "verdict": name,
                "suspicion": round(suspicion, 6) if finite else None,
                "reasons": reasons,
            }
        )
    return found


def _reasons(monitor: Monitor, checked: CheckedInputs, row: int, output: int) -> list[str]:
    with np.errstate(all="ignore"):
        return [str(reason) for reason in monitor.reasons(checked.embeddings[row], output)]
