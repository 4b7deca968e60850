"""The packages that some kinds of data need, asked for before they are used."""

from __future__ import annotations

from importlib.util import find_spec

from conspect.core.diagnostics import outside_error


def need(package: str, kind: str) -> None:
    """Raises OutsideError DATA008 when `package` is not installed."""
    if find_spec(package) is None:
        fix = "pip install 'conspect[data]'"
        raise outside_error("DATA008", f"data of kind {kind!r} need the package {package}", fix)
