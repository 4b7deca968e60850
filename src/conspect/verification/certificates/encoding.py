"""Float arrays as text without loss."""

from __future__ import annotations

import base64

import numpy as np

from conspect.core.spaces import Float64


def encoded(values: Float64) -> str:
    """Little-endian float64 in base64, C order."""
    return base64.b64encode(np.ascontiguousarray(values, dtype="<f8").tobytes()).decode()
