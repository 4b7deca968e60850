"""Where a store lies: a folder of this machine, or any URL that fsspec knows, such as s3://bucket/prefix.

A file there is whole or not there at all: local ones are renamed, object stores put whole objects, and on other remote
file systems a file is moved to its name when it is complete.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from conspect.adapters.engines.local import LocalEngine
from conspect.core.diagnostics import ConspectError, outside_error, user_error
from conspect.core.files import write_atomically, writing_to
from conspect.core.json_value import JsonObject
from conspect.core.protocols import Engine

# Object stores: what is put there appears as a whole.
PUT_WHOLE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"}


class Place(Protocol):
    """A folder of whole files, here or elsewhere. `str` of it is its path or URL."""

    def below(self, name: str) -> Place:
        """The folder `name` in it."""

    def has(self, name: str) -> bool:
        """Whether file `name` is there."""

    def opened(self, name: str) -> Any:
        """A context manager that gives the path of a local file with the content of `name`."""

    def write(self, name: str, content: bytes) -> None:
        """Writes file `name` as a whole. Raises OutsideError STORE001."""


@dataclass(frozen=True)
class LocalPlace:
    """A folder of this machine, made when it is written to."""

    folder: Path

    def __str__(self) -> str:
        return str(self.folder)

    def below(self, name: str) -> LocalPlace:
        """The folder `name` in it."""
        return LocalPlace(self.folder / name)

    def has(self, name: str) -> bool:
        """Whether file `name` is there."""
        return (self.folder / name).is_file()

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """The file itself."""
        yield self.folder / name

    def write(self, name: str, content: bytes) -> None:
        """Writes beside it and renames. Raises OutsideError STORE001."""
        with writing_to(self.folder, "embeddings"):
            write_atomically(self.folder / name, content)


@dataclass(frozen=True)
class RemotePlace:
    """A folder of a file system that fsspec opens by URL. `options` go to the file system, such as an endpoint or keys.

    Without them it finds its own, as S3 does in AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and the like.
    """

    url: str
    options: JsonObject = field(default_factory=dict, repr=False, hash=False)

    def __str__(self) -> str:
        return self.url

    def below(self, name: str) -> RemotePlace:
        """The folder `name` in it."""
        return RemotePlace(f"{self.url.rstrip('/')}/{name}", self.options)

    @cached_property
    def _system(self) -> Any:
        """Opened where it is used: connections do not travel to workers."""
        return _file_system(self.url, self.options)

    def __getstate__(self) -> dict[str, str | JsonObject]:
        return {"url": self.url, "options": self.options}

    def has(self, name: str) -> bool:
        """Whether file `name` is there. Raises OutsideError STORE001 when that cannot be asked."""
        with self._reaching("reach"):
            try:
                return bool(self._system.info(self._path(name))["type"] == "file")
            except FileNotFoundError:  # `isfile` would also answer no where reading is forbidden
                return False

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """A copy that is gone when the block ends. Raises OutsideError STORE001."""
        with self._reaching("read"):
            content: bytes = self._system.cat_file(self._path(name))
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / name
            copy.write_bytes(content)
            yield copy

    def write(self, name: str, content: bytes) -> None:
        """Puts the whole object, or moves a complete file to its name. Raises OutsideError STORE001."""
        path = self._path(name)
        with self._reaching("write embeddings to"):
            if self.url.split("://", 1)[0] in PUT_WHOLE:
                self._system.pipe_file(path, content)
                return
            self._system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
            temporary = f"{path}.{uuid.uuid4().hex[:8]}.tmp"
            self._system.pipe_file(temporary, content)
            self._system.mv(temporary, path)

    def _path(self, name: str) -> str:
        return f"{self.url.rstrip('/')}/{name}"

    @contextmanager
    def _reaching(self, doing: str) -> Iterator[None]:
        try:
            yield
        except ConspectError:
            raise
        except Exception as error:  # every file system has its own; whatever it is, it is outside
            reason = " ".join((str(error).strip() or type(error).__name__).split())
            fix = "check the address, the network and your right to read and write there"
            raise outside_error("STORE001", f"cannot {doing} {self.url}: {reason}", fix) from error


def _file_system(url: str, options: JsonObject) -> Any:
    """Of fsspec. Raises OutsideError STORE003 without the package that it needs, UserError STORE004 for an unknown kind."""
    protocol = url.split("://", 1)[0]
    try:
        import fsspec
        from fsspec.registry import get_filesystem_class

        get_filesystem_class(protocol)
    except ImportError as error:
        fix = "pip install 'conspect[remote]'; it brings fsspec and S3, other file systems have a package of their own"
        raise outside_error("STORE003", f"a store at {protocol}:// needs a package: {error}", fix) from error
    except ValueError as error:
        fix = "a folder of this machine, or a URL such as s3://bucket/prefix"
        raise user_error("STORE004", f"{url}: no file system is called {protocol!r}", fix) from error
    # Listings of an earlier look would hide what another worker has written since.
    return fsspec.filesystem(protocol, use_listings_cache=False, **options)


def place_of(where: str | Path, folder: Path = Path()) -> Place:
    """The place that a path (relative to `folder`) or a URL names. Raises UserError STORE004 for an unknown kind of URL."""
    text = str(where)
    if "://" not in text:
        return LocalPlace((folder / text).absolute())
    if text.startswith("file://"):
        return LocalPlace(Path(text.removeprefix("file://")))
    place = RemotePlace(text)
    _file_system(text, {})
    return place


@dataclass(frozen=True, eq=False)
class Store:
    """Where embeddings are kept, and the engine that computes those that are missing."""

    place: Place
    engine: Engine = field(default_factory=LocalEngine)

    @classmethod
    def at(cls, where: Store | Path) -> Store:
        """A store as it is, or the one in a folder."""
        return where if isinstance(where, Store) else cls(LocalPlace(where))
