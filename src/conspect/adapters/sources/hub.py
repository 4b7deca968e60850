"""Opening a model with a foreign library, by name at a hub or from a local place, and what is said when that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten

from safetensors import SafetensorError

from conspect.core.diagnostics import SourceLocation, outside_error, user_error
from conspect.core.network import announce

HUB = "huggingface.co"
LOCAL = "HF_HUB_OFFLINE=1 uses copies alone; `path` names a local one"
# What hubs and their clients say when they cannot be reached or do not have the name.
SIGNS = (
    "connect", "connection", "download", "resolve", "name or service", "timed out", "offline", "401", "403", "404",
    "hub", "urlopen", "cached",
)  # fmt: skip
# Whose errors are of the network, whatever they say; httpx's, for one, are no OSErrors.
CLIENTS = {"aiohttp", "hf_xet", "http", "httpcore", "httpcore2", "httpx", "httpx2", "requests", "urllib", "urllib3"}
# What libraries raise for files that are not what they should be.
UNREADABLE = (
    OSError, EOFError, RuntimeError, KeyError, ValueError, TypeError, AssertionError, UnpicklingError, SafetensorError,
)  # fmt: skip


@contextmanager
def fetching(name: str, host: str = HUB) -> Iterator[None]:
    """Says that `host` is asked for `name`. Errors of the network in the block become OutsideError MODEL006; others pass."""
    announce(f"{name}, unless this machine has its newest copy", host, LOCAL)
    try:
        yield
    except Exception as error:
        text = str(error)
        is_of_the_hub = isinstance(error, OSError | RuntimeError | ValueError) and any(
            sign in text.lower() for sign in SIGNS
        )
        if not (is_of_the_hub or is_of_network(error)):
            raise
        first = shorten(text.strip().splitlines()[0], 200, placeholder=" ...") if text.strip() else type(error).__name__
        fix = "check the name and the connection, or give a local copy with `path`; HF_HOME says where copies are kept"
        raise outside_error("MODEL006", f"{name} cannot be fetched: {first}", fix) from error


def is_of_network(error: BaseException) -> bool:
    """Whether a client of the network raised it, by the package that its type, or a type above it, is of."""
    return any(kind.__module__.partition(".")[0] in CLIENTS for kind in type(error).__mro__)


@contextmanager
def opening(place: str | Path, library: str, fix: str, code: str) -> Iterator[None]:
    """Errors of reading a local file or folder inside the block become UserError `code`, OutsideError for VLM002."""
    try:
        yield
    except UNREADABLE as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raises = outside_error if code == "VLM002" else user_error
        raise raises(code, f"{library} cannot load it: {why}", fix, SourceLocation(str(place))) from error
