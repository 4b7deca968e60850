"""Directions, cosines and softmax, once for everybody: along the last axis, in float64 whatever comes in.

float32 overflows when numbers above 1.8e19 are squared, and differences of close cosines drown in its rounding.
"""

from __future__ import annotations

import numpy as np

from conspect.core.spaces import Float64, Floats

# A softmax of several classes is neither 1 nor 0, though float32 rounds it to that.
_LEAST, _MOST = float(np.finfo(np.float32).tiny), 1 - 2.0**-24


def unit(vectors: Floats) -> Float64:
    """`vectors [..., D]` at length 1, those that vanish at 0: products of unit vectors are cosines."""
    exact = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(exact, axis=-1, keepdims=True)
    return np.asarray(exact / np.where(lengths > 0, lengths, 1.0))


def cosines(first: Floats, second: Floats) -> Float64:
    """cos of `first [..., D]` and `second [..., D]`, broadcast, in [-1, 1] but for rounding; 0 where one of them vanishes."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray(np.sum(a * b, axis=-1) / np.where(lengths > 0, lengths, 1.0))


def log_softmax(logits: Floats) -> Float64:
    """Log-probabilities `[..., class]` in nats of `logits [..., class]`."""
    shifted = _below_the_largest(logits)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(logits: Floats) -> Float64:
    """Probabilities `[..., class]` of `logits [..., class]`; each row sums to 1."""
    shares = np.exp(_below_the_largest(logits))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def confidences(logits: Floats) -> Float64:
    """The softmax `[..., class]` as it is stored and shown: of several classes none is 1 or 0, in float32 either."""
    shares = softmax(logits)
    return np.asarray(np.clip(shares, _LEAST, _MOST)) if shares.shape[-1] > 1 else shares


def _below_the_largest(logits: Floats) -> Float64:
    """Shifted so that the largest is 0 and no exponential overflows: neither function changes with a shift of a row."""
    exact = np.asarray(logits, dtype=np.float64)
    return np.asarray(exact - exact.max(axis=-1, keepdims=True, initial=-np.inf))
