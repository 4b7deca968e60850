"""Whether a head, applied to embeddings, gives what the whole model gave: the check behind every adapter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from conspect.core.diagnostics import UserError, user_error
from conspect.core.spaces import Float64, Floats, Head

SHOWN = 12


def _unchanged(logits: Float64) -> Float64:
    return logits


def _log_softmax(logits: Float64) -> Float64:
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def _softmax(logits: Float64) -> Float64:
    return np.exp(_log_softmax(logits))


def _sigmoid(logits: Float64) -> Float64:
    return 1 / (1 + np.exp(-np.clip(logits, -700, 700)))


# What a model may do to its logits at the very end. All keep their order, and the head's logits are those before it.
ENDINGS: dict[str, Callable[[Float64], Float64]] = {
    "logits": _unchanged, "softmax": _softmax, "log-softmax": _log_softmax, "sigmoid": _sigmoid,
}  # fmt: skip


def difference(logits: Float64, outputs: Floats, ending: str) -> float:
    """The largest distance of `ending(logits)` from `outputs`, both `[image, class]`, relative to the largest output."""
    outputs = np.asarray(outputs, dtype=np.float64)
    if logits.shape != outputs.shape:
        return float("inf")
    found = np.abs(ENDINGS[ending](logits) - outputs).max(initial=0.0)
    return float(found / max(1e-12, np.abs(outputs).max(initial=0.0)))


def ending_of(logits: Float64, outputs: Floats, tolerance: float) -> str | None:
    """Which ending turns the head's logits into the model's outputs; None when none does."""
    return next((name for name in ENDINGS if difference(logits, outputs, name) <= tolerance), None)


def confirm(head: Head, embeddings: Floats, outputs: Floats, ending: str, *, tolerance: float, name: str) -> None:
    """Raises UserError MODEL003 when the head does not replay the outputs of real images."""
    finite = np.isfinite(embeddings).all(1) & np.isfinite(outputs).all(1)
    found = difference(head.logits(embeddings[finite]), outputs[finite], ending)
    if found > tolerance:
        problem = f"head(encoder(x)) is not {name}(x): they differ by {found:.2g} of the largest output on real images"
        fix = "name the layer that turns the embedding into logits, with `head`; docs/models.md says which can be one"
        raise user_error("MODEL003", problem, fix)


def no_head(name: str, why: str, candidates: list[str]) -> UserError:
    """The error that lists what could be named instead."""
    shown = "; ".join(candidates[-SHOWN:]) or "the model has no linear layer"
    more = f" (the last {SHOWN} of {len(candidates)})" if len(candidates) > SHOWN else ""
    return user_error("MODEL003", f"{name}: {why}", f"name one with `head`; candidates{more}: {shown}")
