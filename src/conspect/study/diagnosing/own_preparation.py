"""The model as its own configuration prepares images, where a study names another file for that."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from conspect.adapters.models import model_of
from conspect.core.diagnostics import ConspectError
from conspect.core.protocols import VisionModel
from conspect.study.config import ModelConfig


def model_as_configured(model: ModelConfig, folder: Path) -> VisionModel | None:
    """The same model without the key `preprocessing`; None where the key is not given, or the model says nothing itself."""
    if model.preprocessing is None or model.kind in {"conspect", "module"}:
        return None
    try:
        return model_of(replace(model, preprocessing=None, known=None).request(folder))
    except ConspectError:
        return None
