"""Fixes as this very installation can carry them out: from where it was installed, and with the pages that it brought."""

from __future__ import annotations

import json
import re
import shlex
import sys
from importlib import metadata
from pathlib import Path

_EXTRA = re.compile(r"'conspect\[([a-z, -]+)\]'")
_PIP = re.compile(r"\bpip install ((?:-U )?['\"]conspect\[)")
_PAGE = re.compile(r"\bdocs/([a-z-]+\.md)\b")


def as_installed(text: str) -> str:
    """`text` with `'conspect[EXTRA]'` as pip finds it, and pages of docs/ by the path that they have here.

    A Conspect that was installed from a file, a folder or a URL is on no index under its name: pip is given that place. One that
    pipx or uv installed as a program of its own has an environment that a bare `pip` does not reach.
    """
    text = _PIP.sub(lambda match: f"{_pip()} {match[1]}", text)
    place = _origin()
    if place is not None:
        text = _EXTRA.sub(lambda match: f"'conspect[{match[1]}] @ {place}'", text)
    return _PAGE.sub(lambda match: str(page) if (page := _page(match[1])) is not None else match[0], text)


def _pip() -> str:
    """What installs into the environment that this runs in. Source: the files by which pipx and uv know their own."""
    prefix = Path(sys.prefix)
    if (prefix / "pipx_metadata.json").is_file():
        return f"pipx runpip {prefix.name} install"
    if (prefix / "uv-receipt.toml").is_file():
        return f"uv pip install --python {shlex.quote(sys.executable)}"
    return "pip install"


def _origin() -> str | None:
    """The URL that Conspect was installed from; None where it came from an index, or is not installed at all (PEP 610)."""
    try:
        url = json.loads(metadata.distribution("conspect").read_text("direct_url.json") or "{}").get("url")
    except (metadata.PackageNotFoundError, ValueError, AttributeError, OSError):
        return None
    return url if isinstance(url, str) and url else None


def _page(name: str) -> Path | None:
    """A page that came with the package, or that lies in the repository it runs from."""
    package = Path(__file__).resolve().parents[1]
    places = (package / "docs" / name, package.parents[1] / "docs" / name)
    return next((path for path in places if path.is_file()), None)
