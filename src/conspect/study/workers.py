"""What a study gives the workers of an engine: names for its data sets and models, which each worker opens itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from conspect.core.protocols import ImageDataset, VisionLanguageModel, VisionModel
from conspect.study.config import StudyConfig
from conspect.study.inputs import StudyInputs, load_inputs

Shared: TypeAlias = Mapping[str, ImageDataset | VisionModel | VisionLanguageModel | None]


def shared_of(inputs: StudyInputs) -> Shared:
    """The objects that do not travel, by name."""
    return {
        "train": inputs.train,
        "test": inputs.test,
        "held_out": inputs.held_out,
        "model": inputs.model,
        "vlm": inputs.vlm,
    }


def open_shared(config: StudyConfig, folder: Path) -> Shared:
    """The same in a worker: opened from what study.toml names."""
    return shared_of(load_inputs(config, folder))
