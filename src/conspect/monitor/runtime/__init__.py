"""What decides about an output while a model is in use. Imports NumPy; to read and write a monitor, safetensors."""

from conspect.monitor.runtime.decisions import ACCEPT, SUSPECT, UNCERTAIN, VERDICTS, Decisions, Reason, Thresholds
from conspect.monitor.runtime.detector import Detector
from conspect.monitor.runtime.monitor import Monitor
from conspect.monitor.runtime.parameters import FoldedReadings
from conspect.monitor.runtime.suspicion import FEATURES

__all__ = [
    "ACCEPT",
    "FEATURES",
    "SUSPECT",
    "UNCERTAIN",
    "VERDICTS",
    "Decisions",
    "Detector",
    "FoldedReadings",
    "Monitor",
    "Reason",
    "Thresholds",
]
