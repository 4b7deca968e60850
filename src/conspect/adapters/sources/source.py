"""The [model] and [vlm] sections as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from conspect.adapters.sources import kinds
from conspect.adapters.sources.kinds import Keys, Precision

if TYPE_CHECKING:  # a request reads preprocessing, and loads NumPy
    from conspect.adapters.sources.request import Request


@dataclass(frozen=True)
class SourceKeys:
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

    def request(self, folder: Path) -> Request:
        """What is asked for, paths relative to `folder`; a network of one's own may lie in it."""
        from conspect.adapters.sources.request import Request

        def below(name: str | None) -> Path | None:
            return None if name is None else folder / name

        return Request(
            self.name,
            below(self.path),
            self.kind,
            weights=self.weights,
            preprocessing=below(self.preprocessing),
            known=below(self.known),
            device=self.device,
            precision=self.precision,
            title=self.title,
            folder=folder,
        )
