"""What a user asks for when he names a model or a VLM, with the paths resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from conspect.adapters.preprocessing import Preprocessing, read_preprocessing
from conspect.adapters.sources.classes import read_classes, unique
from conspect.adapters.sources.kinds import Precision
from conspect.core.diagnostics import Diagnostic, UserError


class RequestOptions(TypedDict, total=False):
    """What may be said of a model or a VLM beside its name, path and kind; see `Request`."""

    weights: str | None
    head: str | None
    output: str | None
    classes: tuple[str, ...] | Path | None
    preprocessing: Path | None
    known: Path | None
    device: str
    precision: Precision
    title: str | None
    folder: Path | None


@dataclass(frozen=True)
class Request:
    """`name` at a library or a hub, or `path` of a local file or folder; `kind` says which; the rest refines what is there.

    `head`, `output` and `classes` are a vision model's alone, `folder` is where a network of the user's own is looked for.
    `title`: what reports call it.
    """

    name: str | None = None
    path: Path | None = None
    kind: str = ""
    weights: str | None = None
    head: str | None = None
    output: str | None = None
    classes: tuple[str, ...] | Path | None = None
    preprocessing: Path | None = None
    known: Path | None = None
    device: str = "cpu"
    precision: Precision = "fp32"
    title: str | None = None
    folder: Path | None = None

    def check_files(self) -> None:
        """Reads preprocessing and class names, so that what is wrong in both is told at once. Raises UserError MODEL002."""
        problems: list[Diagnostic] = []
        for read in (self.own_preprocessing, self.class_names):
            try:
                read()
            except UserError as error:
                problems += error.diagnostics
        if problems:
            raise UserError(*problems)

    @property
    def label(self) -> str:
        """What it is called in reports."""
        return self.title or self.name or (self.path.stem if self.path is not None else "model")

    def class_names(self, own: Callable[[], tuple[str, ...]] = tuple) -> tuple[str, ...]:
        """The names that the user gives, else the model's own. Raises UserError MODEL002."""
        if isinstance(self.classes, Path):
            return read_classes(self.classes)
        return unique(self.classes) if self.classes else own()

    def own_preprocessing(self) -> Preprocessing | None:
        """What the user's file says. Raises UserError MODEL002."""
        return None if self.preprocessing is None else read_preprocessing(self.preprocessing)
