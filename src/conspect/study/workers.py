"""What a study gives the workers of an engine: names for its data sets and models, which each worker opens itself."""

from __future__ import annotations

from pathlib import Path

from conspect.study.config import StudyConfig
from conspect.study.inputs import Inputs, load_inputs

SHARED = ("train", "test", "held_out", "model", "vlm")


def shared_of(inputs: Inputs) -> dict[str, object]:
    """The objects that do not travel, by name."""
    return {name: getattr(inputs, name) for name in SHARED}


def open_shared(config: StudyConfig, folder: Path) -> dict[str, object]:
    """The same in a worker: opened from what study.toml names."""
    return shared_of(load_inputs(config, folder))
