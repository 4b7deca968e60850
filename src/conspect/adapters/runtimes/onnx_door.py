"""The door to ONNX Runtime. Its telemetry, which looks up its maker's host and leaves a device's id on the disk, is off.

It reads its setting when it is imported, so nobody imports it anywhere else.
"""

from __future__ import annotations

import os
from types import ModuleType

SILENCE = "ORT_DISABLE_TELEMETRY"


def onnx_runtime() -> ModuleType:
    """The module `onnxruntime`, imported without telemetry. Raises ImportError where it is not installed."""
    os.environ[SILENCE] = "1"
    import onnxruntime

    return onnxruntime  # type: ignore[no-any-return,unused-ignore]
