"""Calling foreign code: what it raises becomes an error about the model, with the exception and its place in the user's own code.

Whether it is a matter of the shapes and types that went in is read from the exception: only then is the remedy another shape.
"""

from __future__ import annotations

import linecache
import re
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from conspect.core.diagnostics import ConspectError, Diagnostic, SourceLocation, UserError, user_error

BATCH_STATISTICS = "Expected more than 1 value per channel when training"
# How operations of torch, NumPy, Python and ONNX Runtime speak of arrays that do not fit.
OF_SHAPES = re.compile(
    r"shape|\bsizes?\b|channels?\b|dimensions?\b|\bdim\b|mat1 and mat2|broadcast|same dtype|scalar type|\brank\b|must match"
    r"|tuple index out of range|too many indices|values to unpack|should be the same|invalid dimensions|data type"
    r"|Expected \d-?D|got input of size|Conv2D|not implemented for '|size mismatch",
    re.IGNORECASE,
)
# Exceptions that operations on arrays raise; those of ONNX Runtime are its own. What else is raised says nothing of shapes.
OF_OPERATIONS = (RuntimeError, ValueError, IndexError, TypeError)
OF_DEVICES = re.compile(
    r"not compiled with CUDA|No CUDA GPUs|NVIDIA driver|expected all tensors to be on the same device", re.I
)
# Packages whose frames are not the user's code; the last frame outside them is where the user's code was.
LIBRARIES = {
    "conspect", "torch", "numpy", "PIL", "onnx", "onnxruntime", "transformers", "timm", "torchvision", "open_clip",
}  # fmt: skip
LONGEST = 200


class DoesNotTake(UserError):
    """What was called does not take arrays of the shape or type that it was given."""


@contextmanager
def calling(name: str, what: str, given: str, wanted: str | None = None) -> Iterator[None]:
    """Whatever foreign code raises inside the block becomes UserError MODEL002: what was called, given and wanted, and where.

    An array that does not fit is told as that; every other exception is told first, with the line of the user's own code.
    """
    try:
        yield
    except (ConspectError, KeyboardInterrupt):
        raise
    except (Exception, SystemExit) as error:  # it is foreign code: anything may come out, also a call of sys.exit
        raise _told(error, name, what, given, wanted) from error


def _told(error: BaseException, name: str, what: str, given: str, wanted: str | None) -> UserError:
    if BATCH_STATISTICS in str(error):
        problem = (
            f"{name} is not a function of one image: a batch norm in it normalises with the statistics of the batch"
        )
        return user_error("MODEL002", problem, "let it use the recorded ones (training=False, also in functional form)")
    why, place = sentence_of(error), place_of(error)
    takes = f"; {wanted}" if wanted else ""
    about_shapes = is_of_shapes(error)
    if about_shapes and not _is_raised_by_statement(place):
        problem = f"{name}: {what} does not take {given}{takes} ({why})"
    else:
        problem = f"{name}: {what} raises {why}; it was given {given}{takes}"
    if about_shapes:
        fix = "mend size, channels or type in the file that `preprocessing` names, or the network"
    elif OF_DEVICES.search(str(error)):
        fix = "let it make its tensors on the device of its input (x.device), and name no device of its own"
    elif isinstance(error, SystemExit):
        fix = "take sys.exit out of what is called for every batch"
    else:
        where = "there" if place else f"in {what}"
        fix = f"mend it {where}: it is the model's own code that fails, not the shape or the type of what it was given"
    kind = DoesNotTake if about_shapes else UserError
    return kind(Diagnostic("MODEL002", problem, fix, place))


def sentence_of(error: BaseException) -> str:
    """The exception as `Type: message`, in one line; of a TorchScript the one that its interpreter reports at the end."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    if any("TorchScript" in line for line in lines[:2]):
        return lines[-1][:LONGEST]
    return f"{type(error).__name__}: {' '.join(lines)[:LONGEST]}"


def place_of(error: BaseException) -> SourceLocation | None:
    """Where the user's own code was when it was raised: the last frame outside libraries; None where there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return SourceLocation(error.filename, error.lineno)
    named = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if "TorchScript" in str(error)[:300]:
        named += [(file, int(line)) for file, line in re.findall(r'File "([^"<>]+)", line (\d+)', str(error))]
    for installed_too in (False, True):
        for file, line in reversed(named):
            if _is_own(Path(file), installed_too):
                return SourceLocation(file, line)
    return None


def _is_own(file: Path, installed_too: bool) -> bool:
    parts = set(file.parts)
    if not file.is_file() or file.is_relative_to(_CONSPECT):
        return False
    if parts & {"site-packages", "dist-packages"}:
        return installed_too and not parts & LIBRARIES
    return not any(file.is_relative_to(folder) for folder in _standard())


_CONSPECT = Path(__file__).resolve().parents[1]


@cache
def _standard() -> set[Path]:
    """Folders of the standard library; asked for when an error is told, since the answer is a module of its own."""
    return {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}


def is_of_shapes(error: BaseException) -> bool:
    """Whether it is what operations raise of arrays that do not fit, or a program of torch.export of other sizes."""
    if str(error).startswith("Guard failed: "):
        return True
    of_operations = isinstance(error, OF_OPERATIONS) or type(error).__module__.startswith(("onnxruntime", "torch"))
    return of_operations and OF_SHAPES.search(sentence_of(error)) is not None


def _is_raised_by_statement(place: SourceLocation | None) -> bool:
    """Whether the line there is a `raise` or an `assert`: the user's own words, which are told first."""
    if place is None or place.line is None:
        return False
    return linecache.getline(place.file, place.line).strip().startswith(("raise ", "assert "))
