"""The [model] and [vlm] sections as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from conspect.adapters.sources import kinds
from conspect.adapters.sources.kinds import Keys, Precision


@dataclass(frozen=True)
class Source:
    """The keys that [model] and [vlm] share: `name` at a library or hub, `path` of a local file or folder. None: its own."""

    # The keys that hold a path, where they hold a text.
    PATHS: ClassVar[tuple[str, ...]] = ("path", "preprocessing", "known", "classes")
    SECTION: ClassVar[str]
    KINDS: ClassVar[Mapping[str, Keys]]

    name: str | None = None
    path: str | None = None
    kind: str = ""
    weights: str | None = None
    preprocessing: str | None = None
    known: str | None = None
    device: str = "cpu"
    precision: Precision = "fp32"
    title: str | None = None

    def misfits(self) -> list[tuple[str, str]]:
        """Problems and fixes of keys that the kind lacks or does not use."""
        return kinds.misfits(self.SECTION, self, self.KINDS)

    def files(self) -> tuple[str, ...]:
        """The files and folders it names."""
        named = (getattr(self, key, None) for key in self.PATHS)
        return tuple(name for name in named if isinstance(name, str))

    def options(self, folder: Path) -> dict[str, Any]:
        """What `load_model` or `load_vlm` takes, paths relative to `folder`, without what is as the kind has it."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        defaults = {one.name: one.default for one in fields(self)}
        options = {key: value for key, value in given.items() if value not in (None, defaults[key])}
        for key in self.PATHS:
            if isinstance(options.get(key), str):
                options[key] = folder / options[key]
        return {"name": None} | options
