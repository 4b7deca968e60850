"""Which files a network of one's own is made of: the modules it imports, the files that are read for it, hashed.

Modules are followed through the import statements of their sources, so that the answer is the same in every process; files are
recorded where Python opens them (PEP 578, the event "open") while the network is made, and looked for under the texts that the
sources write out, since libraries in C open files unseen.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import source_from_cache
from pathlib import Path

from conspect.core.digests import digest_file

LONGEST_NAME = 1024
LIBRARIES = {"site-packages", "dist-packages"}
SYSTEM = tuple(
    Path(folder)
    for folder in ("/proc", "/sys", "/dev", "/etc", "/usr/lib", "/usr/share", "/usr/bin", "/lib", "/bin", "/run")
)
CODE = {".py", ".pyc"}
PACKAGE = Path(__file__).resolve().parents[2]

_RECORD = threading.local()
# What a module of somebody's own read while it was imported: a second use in this process does not import it again.
_IMPORTED: dict[str, set[str]] = {}
_HOOKED: list[bool] = []


@functools.cache
def is_installed(path: Path) -> bool:
    """Whether a file is of Python, of an installed library, of Conspect or of the system."""
    if LIBRARIES & set(path.parts) or path.is_relative_to(PACKAGE):
        return True
    standard = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    return any(path.is_relative_to(folder) for folder in (*standard, *SYSTEM))


@contextmanager
def recording_reads() -> Iterator[set[str]]:
    """The names of the files that this thread opens for reading inside the block."""
    if not _HOOKED:
        _HOOKED.append(True)
        sys.addaudithook(_opened)
    before, names = getattr(_RECORD, "names", None), set[str]()
    _RECORD.names = names
    try:
        yield names
    finally:
        _RECORD.names = before


def _opened(event: str, arguments: tuple[object, ...]) -> None:
    if event != "open" or (names := getattr(_RECORD, "names", None)) is None:
        return
    place, _, flags = arguments
    if isinstance(place, int) or not isinstance(place, str | bytes | os.PathLike):
        return
    if isinstance(flags, int) and flags & getattr(os, "O_ACCMODE", 3) == os.O_WRONLY:
        return
    name = os.path.abspath(os.fsdecode(place))
    names.add(name)
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>":
            _IMPORTED.setdefault(frame.f_code.co_filename, set()).add(name)
        frame = frame.f_back  # type: ignore[assignment]


def forget_reads(folder: Path) -> None:
    """Forgets what the modules of a folder read when they were imported, since they are imported anew."""
    for name in [name for name in _IMPORTED if Path(name).resolve().is_relative_to(folder)]:
        del _IMPORTED[name]


def files_digests(sources: Iterable[Path], reads: Iterable[str] = (), folder: Path | None = None) -> list[list[str]]:
    """`[name, SHA-256]` of what `sources` are made of, sorted: the modules that they import, directly or not, and the files that
    were read while these were imported, that they name, and `reads`.

    Names are relative to `folder`; those of files elsewhere are left out, so that a study can be moved. What is installed
    is left out too, since the statement of a model dates its libraries.
    """
    here = None if folder is None else folder.resolve()
    modules, named = _closure(sources, here)
    opened = {*reads, *(name for module in modules for name in _IMPORTED.get(str(module), ()))}
    data = {path for name in opened if (path := _source(name)) is not None}
    # Modules elsewhere are opened only once a process: they are followed through import statements alone.
    data = {path for path in data if path.suffix not in CODE or (here is not None and path.is_relative_to(here))}
    files = {path for path in modules | named | data if not is_installed(path) and path.is_file()}
    digests = []
    for path in files:
        name = path.relative_to(here).as_posix() if here is not None and path.is_relative_to(here) else ""
        try:
            digests.append([name, digest_file(path)])
        except OSError:  # such as one that may be read no longer
            digests.append([name, "unreadable"])
    return sorted(digests)


def _source(name: str) -> Path | None:
    path = Path(name).resolve()
    if path.suffix != ".pyc":
        return path
    try:
        return Path(source_from_cache(str(path)))
    except ValueError:
        return path


def _closure(sources: Iterable[Path], folder: Path | None) -> tuple[set[Path], set[Path]]:
    """All modules that `sources` import, themselves included, and the other files whose names these write out."""
    modules, named = set[Path](), set[Path]()
    waiting = [path.resolve() for path in sources]
    while waiting:
        path = waiting.pop()
        if path in modules or is_installed(path) or not path.is_file():
            continue
        modules.add(path)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, OSError, RecursionError):  # such as an extension in C
            continue
        roots = [path.parent, *([] if folder is None else [folder])]
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                waiting += [file for alias in node.names for file in _module_files(alias.name, roots)]
            elif isinstance(node, ast.ImportFrom):
                inner = [f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names]
                above = roots if not node.level else [path.parents[min(node.level, len(path.parents)) - 1]]
                for name in (*([node.module] if node.module else []), *inner):
                    waiting += _module_files(name, above, loaded=not node.level)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                named |= _named(node.value, roots)
    return modules, named - modules


def _module_files(name: str, roots: list[Path], *, loaded: bool = True) -> list[Path]:
    """The files of a module and of the packages around it."""
    parts = name.split(".")
    if loaded and parts[0] in sys.stdlib_module_names:
        return []
    files = []
    for end in range(1, len(parts) + 1):
        file = getattr(sys.modules.get(".".join(parts[:end])), "__file__", None) if loaded else None
        if isinstance(file, str):
            files.append(Path(file).resolve())
            continue
        for root in roots:
            place = root.joinpath(*parts[:end])
            there = [
                candidate for candidate in (place.with_suffix(".py"), place / "__init__.py") if candidate.is_file()
            ]
            if there:
                files.append(there[0].resolve())
                break
    return files


def _named(text: str, roots: list[Path]) -> set[Path]:
    """The files that a text in a source names, where it names one."""
    if not 0 < len(text) <= LONGEST_NAME or "\n" in text or "\0" in text or "." not in text:
        return set()
    try:
        return {(root / text).resolve() for root in roots if (root / text).is_file()}
    except (OSError, ValueError):
        return set()
