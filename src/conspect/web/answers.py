"""What a check answers, as records that are written as JSON and described in OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from conspect.monitor.runtime import ACCEPT, Monitor
from conspect.monitor.runtime.decisions import VerdictName
from conspect.web.engine import CheckedInputs

Asked = Literal["flagged", "all", "none"]
NOT_FINITE = "the embedding, a logit or the suspicion is not a finite number"


@dataclass(frozen=True, slots=True)
class Answer:
    """One input."""

    output: Annotated[
        str | None, Field(description="The class that the model says; null when its logits are not finite.")
    ]
    verdict: VerdictName
    suspicion: Annotated[
        float | None, Field(description="Log-odds that the output is wrong, nats; null when not finite.")
    ]
    reasons: Annotated[
        list[str], Field(description="What speaks most against the output, strongest first; may be empty.")
    ]


@dataclass(frozen=True, slots=True)
class Answers:
    """One answer for each input, in the order of the inputs."""

    results: list[Answer]


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong and what to do."""

    code: str
    problem: str
    fix: str
    file: str | None
    line: int | None
    column: int | None


@dataclass(frozen=True, slots=True)
class Failure:
    """The one shape of every error."""

    error: Problem


def answers(monitor: Monitor, checked: CheckedInputs, asked: Asked) -> list[Answer]:
    """The answer for each input; reasons for those not accepted, for all, or for none."""
    decisions = checked.decisions
    rows = zip(
        decisions.outputs.tolist(),
        decisions.verdicts.tolist(),
        decisions.suspicion.tolist(),
        decisions.names(),
        checked.finite.tolist(),
        strict=True,
    )
    answered = []
    for row, (output, verdict, suspicion, name, finite) in enumerate(rows):
        reasons: list[str] = []
        if asked == "all" or (asked == "flagged" and verdict != ACCEPT):
            reasons = _reasons(monitor, checked, row, output) if finite else [NOT_FINITE]
        if finite:
            answered.append(Answer(monitor.class_names[output], name, round(suspicion, 6), reasons))
        else:
            answered.append(Answer(None, name, None, reasons))
    return answered


def _reasons(monitor: Monitor, checked: CheckedInputs, row: int, output: int) -> list[str]:
    with np.errstate(all="ignore"):
        return [str(reason) for reason in monitor.reasons(checked.embeddings[row], output)]
