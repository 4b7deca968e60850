"""Reading text whatever wrote it, and writing files so that a reader sees a whole file or none."""

from __future__ import annotations

import codecs
import errno
import json
import os
import re
import stat
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from conspect.core.diagnostics import SourceLocation, outside_error, user_error
from conspect.core.terminal import plain

LARGEST_TEXT, LARGEST_FILE = 1 << 26, 1 << 32
LEFTOVER_SECONDS = 24 * 3600
_MAKE_ROOM = "free space there, or choose another folder"
_REMEDIES: dict[int | None, str] = {
    errno.EISDIR: "move away the folder that has this name",
    errno.ENXIO: "move away the pipe that has this name: nobody reads it",
    **dict.fromkeys(
        (errno.ENOTDIR, errno.EEXIST), "move away the file that stands where a folder belongs, or choose another folder"
    ),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "let this user write there, or choose another folder"),
}
# The end of a temporary's name: process and random digits. Other programs' temporaries are left alone.
LEFTOVER = re.compile(r"\.\d+\.[0-9a-f]{8}\.tmp$")


def read_content(path: Path, *, most: int = LARGEST_FILE) -> bytes:
    """The bytes of a regular file. Raises OSError for anything else, which may never end or never begin, and for more bytes."""
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if status.st_size > most:
        raise OSError(errno.EFBIG, f"{status.st_size:,} bytes are more than {most:,}", str(path))
    return path.read_bytes()


def read_text(path: Path, *, most: int = LARGEST_TEXT) -> str:
    """The text of a regular file of at most `most` bytes: UTF-8, or what a byte order mark says (UTF-8, UTF-16, UTF-32).

    The mark is not part of the text. Raises OSError for what is no such file (a pipe, a device, a folder, a larger one),
    ValueError (UnicodeDecodeError) for bytes that are not text.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path.name} is not a regular file")
    if status.st_size > most:
        raise OSError(f"{path.name} has {status.st_size:,} bytes, more than {most:,}")
    return decoded_text(path.read_bytes())


def read_specification(file: Path) -> bytes:
    """The content of a specification file, whoever asks for it, of at most `LARGEST_TEXT` bytes; a shell's `<(...)` is one.

    Raises UserError SPEC415 when it cannot be read: a pipe by any other name may never begin, a device never end.
    """
    try:
        if not str(file).startswith(("/dev/fd/", "/proc/self/fd/", "/dev/stdin")):
            return read_content(file, most=LARGEST_TEXT)
        with file.open("rb") as stream:
            content = stream.read(LARGEST_TEXT + 1)
        if len(content) > LARGEST_TEXT:
            raise OSError(errno.EFBIG, f"more than {LARGEST_TEXT:,} bytes", str(file))
        return content
    except OSError as error:
        fix = "give the path of a file that exists and may be read"
        problem = f"cannot read the file: {error.strerror or error}"
        raise user_error("SPEC415", problem, fix, SourceLocation(str(file))) from error


def decoded_text(content: bytes) -> str:
    """UTF-8 text, or text in the encoding of its byte order mark, without the mark. Raises UnicodeDecodeError."""
    # UTF-32's mark begins with UTF-16's, so it is looked for first.
    wide = {"utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE), "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)}
    encoding = next((name for name, marks in wide.items() if content.startswith(marks)), "utf-8-sig")
    return content.decode(encoding)


def require_place(path: Path, *, new: bool = False, making_folders: bool = False) -> None:
    """Nothing when a file can be written to `path`, as far as can be known before it is tried; asked before long work.

    `making_folders`: whoever writes it makes the folders above it that are missing. Raises UserError CLI004 where there is no
    folder for it, where the system does not allow it, or where a folder has that name; CLI001 with `new` where a file has.
    """
    try:
        if new and os.path.lexists(path):
            raise user_error("CLI001", f"{path} already exists", "choose another file")
        wrong = _why_no_place(path, making_folders)
    except OSError as error:  # a name that is too long, a folder that may not be entered
        wrong = f"{error.strerror}"
    if wrong is not None:
        raise user_error("CLI004", f"cannot write {path}: {wrong}", "choose a file in a folder that exists")


def _why_no_place(path: Path, making_folders: bool) -> str | None:
    if path.is_dir():
        return "it is a folder"
    folder = path.parent
    while making_folders and not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is no folder" if folder.exists() else f"there is no folder {folder}"
    return None if os.access(path if path.exists() else folder, os.W_OK) else "the system does not allow it"


@contextmanager
def writing_to(folder: Path, what: str = "") -> Iterator[None]:
    """Makes `folder` and clears it of what killed writers left there, then runs the block.

    What the system refuses becomes OutsideError STORE001: cannot write `what` to it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        yield
    except OSError as error:
        named = what or _file_below(folder, error)
        problem = f"cannot write {named + ' ' if named else ''}to {folder}: {error.strerror or error}"
        raise outside_error("STORE001", problem, _REMEDIES.get(error.errno, _MAKE_ROOM)) from error


def _file_below(folder: Path, error: OSError) -> str:
    """The name of the file that the system refused, if it lies in `folder`; of a temporary, what it was to become."""
    path = error.filename2 or error.filename
    if not isinstance(path, str | bytes) or Path(os.fsdecode(path)).parent != folder:
        return ""
    name = Path(os.fsdecode(path)).name
    return LEFTOVER.sub("", name)[1:] if LEFTOVER.search(name) else name


def write_atomically(path: Path, content: bytes) -> None:
    """Writes beside `path`, flushes to disk and renames; a kill leaves the old file or the new one.

    A link is replaced, and what it leads to stays as it was; it is said on standard error. What is no file (a pipe, a
    device, anything under /dev or /proc such as /dev/stdout) is written in place: renaming would put a file there.
    """
    with replacing(path) as out:
        out.write(content)


def require_replaceable(folder: Path, names: Iterable[str]) -> None:
    """Nothing when these files can be written to `folder`, as far as can be known before long work.

    Raises OutsideError STORE001 where a folder or a pipe has such a name, and where this user may not write.
    """
    with writing_to(folder):
        if not os.access(folder, os.W_OK):
            locked = os.statvfs(folder).f_flag & os.ST_RDONLY
            raise PermissionError(*_reason(errno.EROFS if locked else errno.EACCES))
        for path in (folder / name for name in names):
            if path.is_dir() or path.is_fifo():
                raise OSError(*_reason(errno.EISDIR if path.is_dir() else errno.ENXIO), str(path))


def _reason(number: int) -> tuple[int, str]:
    return number, os.strerror(number)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write a part at a time, which takes the place of `path` when the block ends well; see `write_atomically`."""
    if _is_device(path):
        with _opened_in_place(path) as out:
            yield out
        return
    if path.is_symlink() and sys.stderr is not None:
        print(plain(f"{path} was a link to {os.readlink(path)}; it is a file of its own now"), file=sys.stderr)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with temporary.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):  # the error that matters is the one of the writing
            temporary.unlink()


def _opened_in_place(path: Path) -> BinaryIO:
    """Raises OSError for a pipe that nobody reads, which would be waited for without end."""
    if path.exists() and stat.S_ISFIFO(path.stat().st_mode):
        opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(opened, True)
        return os.fdopen(opened, "wb")
    return path.open("wb")


def _is_device(path: Path) -> bool:
    place = path.absolute().as_posix()
    return place.startswith(("/dev/", "/proc/")) or (path.exists() and not path.is_file())


def remove_leftovers(folder: Path) -> None:
    """Deletes what killed writers left in `folder`; files younger than `LEFTOVER_SECONDS` may still be in the making."""
    for path in folder.glob(".*.tmp"):
        with suppress(FileNotFoundError):  # another writer has just renamed its own, or removed this one
            if LEFTOVER.search(path.name) and time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                path.unlink()


def write_json(path: Path, value: object) -> None:
    """Writes a JSON value, indented, keys in the given order; NaN and infinities are refused (ValueError)."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode())
