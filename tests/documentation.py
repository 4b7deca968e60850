"""Reading the pages of docs/ and the shape of what they document."""

from pathlib import Path
from typing import Any

import conspect

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Where the package that is tested lies: `src`, or site-packages.
PACKAGE = Path(conspect.__file__).parent


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def leaves(value: Any, path: str = "") -> set[str]:
    """Paths of a JSON value: `a.b`, and `a[].b` for lists of objects."""
    if isinstance(value, dict):
        return {leaf for key, entry in value.items() for leaf in leaves(entry, f"{path}.{key}" if path else key)}
    if isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        return {leaf for entry in value for leaf in leaves(entry, f"{path}[]")}
    return {path}
