"""Whether a head, applied to embeddings, gives what the whole model gave: the check behind every adapter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from conspect.core.diagnostics import UserError, user_error
from conspect.core.spaces import AffineMap, Float64, Floats, Head
from conspect.core.vectors import log_softmax, softmax

SHOWN = 12
TINY = 1e-12
VARIED, LEFT_OVER = 1e-2, 1e-4
# What mends a list of classes that is not as long as the outputs.
A_NAME_EACH = "give one name per output, in order, with `classes`; two for one logit, the class it speaks for last"


def _unchanged(logits: Float64) -> Float64:
    return logits


def _sigmoid(logits: Float64) -> Float64:
    return 1 / (1 + np.exp(-np.clip(logits, -700, 700)))


# What a model may do to its logits at the very end. All keep their order, and the head's logits are those before it.
ENDINGS: dict[str, Callable[[Float64], Float64]] = {
    "logits": _unchanged, "softmax": softmax, "log-softmax": log_softmax, "sigmoid": _sigmoid,
}  # fmt: skip


def _log(outputs: Float64) -> Float64:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(outputs)


def _centred(outputs: Float64) -> Float64:
    return np.asarray(outputs - outputs.mean(1, keepdims=True))


# Back from an output to logits, for softmax and log-softmax up to a number for each image. Values that were cut off are not
# finite and left out.
_BACK: dict[str, Callable[[Float64], Float64]] = {
    "logits": _unchanged,
    "softmax": lambda outputs: _centred(_log(outputs)),
    "log-softmax": _centred,
    "sigmoid": lambda outputs: _log(outputs) - _log(1 - outputs),
}


@dataclass(frozen=True)
class Replay:
    """How logits become a model's outputs: times `scale`, one or `[class]`, plus `shift [class]`, then `ending`.

    A temperature or a constant that a model applies after its last layer is part of its head, and so is a batch norm.
    """

    ending: str
    scale: float | Float64 = 1.0
    shift: Float64 | None = None

    def folded(self, head: Head) -> Head:
        """The head with scale and shift in its last layer."""
        if self.shift is None and np.ndim(self.scale) == 0 and self.scale == 1.0:
            return head
        *first, last = head.layers
        offset = last.offset * self.scale + (0.0 if self.shift is None else self.shift)
        return Head((*first, AffineMap(last.weight * np.reshape(self.scale, (-1, 1)), offset)))


def difference(logits: Float64, outputs: Floats, ending: str) -> float:
    """The largest distance of `ending(logits)` from `outputs`, both `[image, class]`, relative to the largest output."""
    outputs = np.asarray(outputs, dtype=np.float64)
    if logits.shape != outputs.shape:
        return float("inf")
    off = np.abs(ENDINGS[ending](logits) - outputs).max(initial=0.0)
    return float(off / max(TINY, np.abs(outputs).max(initial=0.0)))


def ending_of(logits: Float64, outputs: Floats, tolerance: float) -> str | None:
    """Which ending turns the head's logits into the model's outputs; None when none does."""
    return next((name for name in ENDINGS if difference(logits, outputs, name) <= tolerance), None)


def replay_of(logits: Float64, outputs: Floats, tolerance: float) -> Replay | None:
    """How `logits [image, class]` become `outputs`; None when no ending, scale and shift do.

    Scale and shift are fitted by least squares and must then hold for every image; fewer than three images fit anything.
    """
    ending = ending_of(logits, outputs, tolerance)
    if ending is not None:
        return Replay(ending)
    if logits.shape != np.shape(outputs) or len(logits) < 3:
        return None
    # Over a narrow range several fit within the tolerance; the right one fits by orders of magnitude better.
    best, closest = None, tolerance
    for name, back in _BACK.items():
        for shifted in (False, True) if name in ("logits", "sigmoid") else (False,):
            replay = _fitted(logits, back(np.asarray(outputs, dtype=np.float64)), name, shifted)
            if replay is None:
                continue
            changed = logits * replay.scale + (0.0 if replay.shift is None else replay.shift)
            off = difference(changed, outputs, name)
            if off <= closest:
                best, closest = replay, off
    return best or next(
        (by_class for name in ("logits", "sigmoid") if (by_class := _by_class(logits, outputs, name)) is not None), None
    )


def _by_class(logits: Float64, outputs: Floats, ending: str) -> Replay | None:
    """A scale and a shift for each class. Two numbers a class fit a few images that are much alike, whatever the function:
    so each class must vary, and what is left over must be next to nothing beside how it varies.
    """
    wanted = _BACK[ending](np.asarray(outputs, dtype=np.float64))
    if len(logits) < 4 or not (np.isfinite(wanted).all() and np.isfinite(logits).all()):
        return None
    left, right = logits - logits.mean(0), wanted - wanted.mean(0)
    spread = np.abs(right).max(0)
    if not (spread > VARIED * np.maximum(np.abs(wanted).max(0), TINY)).all() or not (np.abs(left).max(0) > TINY).all():
        return None
    scale = (left * right).sum(0) / (left**2).sum(0)
    if not (np.abs(left * scale - right).max(0) <= LEFT_OVER * spread).all() or not (scale != 0).all():
        return None
    return Replay(ending, scale, wanted.mean(0) - scale * logits.mean(0))


def _fitted(logits: Float64, wanted: Float64, ending: str, shifted: bool) -> Replay | None:
    given = _centred(logits) if ending in ("softmax", "log-softmax") else logits
    usable = np.isfinite(wanted) & np.isfinite(given)
    if not usable.all() and (shifted or ending != "softmax"):
        return None
    if shifted:
        left, right = given - given.mean(0), wanted - wanted.mean(0)
    else:
        left, right = np.where(usable, given, 0.0), np.where(usable, wanted, 0.0)
    square = float((left**2).sum())
    scale = float((left * right).sum()) / square if square > TINY else 0.0
    if not np.isfinite(scale) or scale == 0:
        return None
    return Replay(ending, scale, wanted.mean(0) - scale * given.mean(0) if shifted else None)


def two_columns(outputs: Floats) -> Float64:
    """Logits `[image, 1]` as those of two classes: [0, z].

    The second class is the one that the logit speaks for; softmax of [0, z] is (1 - sigmoid(z), sigmoid(z)).
    """
    values = np.asarray(outputs, dtype=np.float64).reshape(len(outputs), 1)
    return np.concatenate([np.zeros_like(values), values], axis=1)


def as_two_classes(head: Head) -> Head:
    """A head of one logit as one of two classes: the first class's logit is 0."""
    *first, last = head.layers
    weight = np.concatenate([np.zeros_like(last.weight), last.weight])
    return Head((*first, AffineMap(weight, np.concatenate([np.zeros_like(last.offset), last.offset]))))


def confirm(head: Head, embeddings: Floats, outputs: Floats, ending: str, *, tolerance: float, name: str) -> None:
    """Raises UserError MODEL003 when the head does not replay the outputs of real images."""
    finite = np.isfinite(embeddings).all(1) & np.isfinite(outputs).all(1)
    off = difference(head.logits(embeddings[finite]), outputs[finite], ending)
    if off > tolerance:
        problem = f"head(encoder(x)) is not {name}(x): they differ by {off:.2g} of the largest output on real images"
        fix = (
            "name the layer that turns the embedding into logits, with `head` (docs/models.md says which can be one), or study "
            'the outputs alone: head = "none"'
        )
        raise user_error("MODEL003", problem, fix)


def no_head(name: str, why: str, candidates: list[str]) -> UserError:
    """The error that lists what could be named instead."""
    shown = "; ".join(candidates[-SHOWN:]) or "the model has no linear layer"
    more = f" (the last {SHOWN} of {len(candidates)})" if len(candidates) > SHOWN else ""
    return user_error("MODEL003", f"{name}: {why}", f"name one with `head`; candidates{more}: {shown}")
