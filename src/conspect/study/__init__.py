"""The study: what every analysis takes, and the facade that wires adapters, analyses and report."""

from conspect.study.config import (
    ConceptsConfig,
    DataConfig,
    ModelConfig,
    Settings,
    StudyConfig,
    VlmConfig,
    read_config,
)
from conspect.study.inputs import StudyInputs
from conspect.study.study import Study

__all__ = [
    "ConceptsConfig",
    "DataConfig",
    "ModelConfig",
    "Settings",
    "Study",
    "StudyConfig",
    "StudyInputs",
    "VlmConfig",
    "read_config",
]
