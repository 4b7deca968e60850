"""What a user asks for when he names a VLM: the [vlm] section with its paths resolved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conspect.adapters.preprocessing import Preprocessing, read_preprocessing


@dataclass(frozen=True)
class VlmRequest:
    """`name` at a library or a hub, or `path` of a local file or folder; the rest refines what is there."""

    name: str | None = None
    path: Path | None = None
    weights: str | None = None
    preprocessing: Path | None = None
    known: Path | None = None
    device: str = "cpu"
    precision: str = "fp32"

    @property
    def label(self) -> str:
        """What the VLM is called in reports."""
        return self.name or (self.path.stem if self.path is not None else "VLM")

    def own_preprocessing(self) -> Preprocessing | None:
        """What the user's file says. Raises UserError MODEL002."""
        return None if self.preprocessing is None else read_preprocessing(self.preprocessing)
