"""Vision-language models by name. One module per foreign library, imported only when used."""

from __future__ import annotations

from pathlib import Path

from conspect.core.diagnostics import user_error
from conspect.core.protocols import VisionLanguageModel

NAMES = ("pocket",)


def load_vlm(name: str, *, cache: Path) -> VisionLanguageModel:
    """The VLM called `name`. Raises UserError MODEL002 for an unknown one, OutsideError VLM001 for a missing package."""
    if name not in NAMES:
        raise user_error("MODEL002", f"there is no VLM called {name!r}", f"use one of: {', '.join(NAMES)}")
    from conspect.adapters.vlms.pocket.pocket import PocketVlm

    return PocketVlm(cache=cache)
