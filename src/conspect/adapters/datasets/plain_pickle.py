"""Plain data out of a pickle file without unpickling it: a reader of its own for the few constructs that CIFAR's files use.

Nothing is ever imported, looked up or called. Names such as `numpy.dtype` are texts to this reader; two of them, applied
to what NumPy writes for a plain array of numbers, are understood as that array. Everything else is refused. Sources: the
pickle protocol as Python's `pickletools` documents it, and the array state of NumPy's `ndarray.__reduce__`.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from conspect.core.diagnostics import SourceLocation, outside_error

MAXIMUM_BYTES = 400_000_000
# A small file can stand for a huge value when its lists hold one another many times.
MAXIMUM_VALUES, MAXIMUM_DEPTH = 1_000_000, 8
NUMBERS = "biuf"
# Names by what they stand for. Python 2's NumPy, Python 3's NumPy 1 and NumPy 2 spell the first one differently.
ARRAY_MAKERS = {("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}
ARRAY, DTYPE, ENCODE = ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode")

LITERALS: dict[str, Callable[[Any], object]] = {
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), lambda value: value),
    **dict.fromkeys(("BINUNICODE", "SHORT_BINUNICODE"), lambda value: value),
    **dict.fromkeys(("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"), lambda value: value),
    **dict.fromkeys(("SHORT_BINSTRING", "BINSTRING"), lambda value: value.encode("latin-1")),  # Python 2's str
    "BINFLOAT": lambda value: value,
    "NONE": lambda value: None,
    "NEWTRUE": lambda value: True,
    "NEWFALSE": lambda value: False,
    "EMPTY_DICT": lambda value: {},
    "EMPTY_LIST": lambda value: [],
    "EMPTY_TUPLE": lambda value: (),
}


class _Refused(ValueError):
    """The file holds something that this reader does not know."""


@dataclass(frozen=True)
class _Name:
    """A module and a name in it; never looked up."""

    module: str
    name: str


@dataclass(eq=False)
class _Dtype:
    """What `numpy.dtype(code)` stands for; its state says the byte order."""

    code: str
    order: str = "|"

    def set_state(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) >= 2 and state[2:5] == (None, None, None)):
            raise _Refused("a dtype with fields")
        self.order = _as_text(state[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.code[:1] not in NUMBERS or not self.code[1:].isdecimal() or self.order not in ("|", "<", ">", "="):
            raise _Refused(f"an array of {self.code!r}")
        return np.dtype(self.order + self.code)


@dataclass(eq=False)
class _Array:
    """What `numpy.core.multiarray._reconstruct` stands for until its state is known."""

    value: np.ndarray[Any, Any] | None = None

    def set_state(self, state: object) -> None:
        if not (isinstance(state, tuple) and len(state) == 5 and isinstance(state[2], _Dtype)):
            raise _Refused("an array with an unknown state")
        _, shape, dtype, fortran, content = state
        if not (isinstance(shape, tuple) and all(type(side) is int and side >= 0 for side in shape)):
            raise _Refused("an array without a shape")
        if not isinstance(content, bytes) or len(content) != math.prod(shape) * dtype.dtype.itemsize:
            raise _Refused("an array whose bytes do not fill its shape")
        flat = np.frombuffer(content, dtype=dtype.dtype)
        self.value = flat.reshape(shape, order="F" if fortran else "C")


_MARK = object()


def read_plain_pickle(path: Path) -> Any:
    """The value in the file: dicts, lists, tuples, numbers, texts, bytes and arrays of numbers.

    Raises OutsideError DATA002 for a file that holds anything else, however it is spelled.
    """
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise _Refused(f"more than {MAXIMUM_BYTES:,} bytes")
        return _Plain().of(_Machine().run(path.read_bytes()), 0)
    except (OSError, ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
        why = str(error) if isinstance(error, _Refused) else f"not a whole pickle ({error})"
        raise outside_error(
            "DATA002",
            f"{path.name} is not a file of CIFAR's python version: {why[:200]}",
            "nothing in it was run; unpack the archive of the CIFAR page again",
            SourceLocation(str(path)),
        ) from error


class _Machine:
    """The protocol's stack and memo. An instruction without a method here, or a row in `LITERALS`, is refused."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def run(self, content: bytes) -> object:
        """The one value that is left when the pickle stops."""
        actions: dict[str, Callable[[Any], None]] = {
            **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda _: None),
            "MARK": lambda _: self.stack.append(_MARK),
            **dict.fromkeys(("BINPUT", "LONG_BINPUT"), lambda place: self.memo.update({place: self.stack[-1]})),
            "MEMOIZE": lambda _: self.memo.update({len(self.memo): self.stack[-1]}),
            **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda place: self.stack.append(self.memo[place])),
            "TUPLE1": lambda _: self.pack(1),
            "TUPLE2": lambda _: self.pack(2),
            "TUPLE3": lambda _: self.pack(3),
            "TUPLE": lambda _: self.stack.append(tuple(self.since_mark())),
            "APPEND": lambda _: self.extend([self.stack.pop()]),
            "APPENDS": lambda _: self.extend(self.since_mark()),
            "SETITEM": lambda _: self.update([self.stack.pop(-2), self.stack.pop()]),
            "SETITEMS": lambda _: self.update(self.since_mark()),
            "GLOBAL": lambda text: self.stack.append(_Name(*text.split(" ", 1))),
            "STACK_GLOBAL": lambda _: self.stack.append(
                _Name(_as_text(self.stack.pop(-2)), _as_text(self.stack.pop()))
            ),
            "REDUCE": lambda _: self.stack.append(_meaning(self.stack.pop(-2), self.stack.pop())),
            "BUILD": lambda _: self.build(self.stack.pop()),
        }
        for opcode, argument, _ in pickletools.genops(content):
            if opcode.name in LITERALS:
                self.stack.append(LITERALS[opcode.name](cast("Any", argument)))
            elif opcode.name in actions:
                actions[opcode.name](argument)
            else:
                raise _Refused(f"the instruction {opcode.name}")
        if len(self.stack) != 1:
            raise _Refused("more or less than one value")
        return self.stack[0]

    def pack(self, size: int) -> None:
        """Replaces the last values by a tuple of them."""
        items = tuple(self.stack[-size:])
        if len(items) != size or any(item is _MARK for item in items):
            raise _Refused("too few values")
        self.stack[-size:] = [items]

    def since_mark(self) -> list[Any]:
        """Takes what lies on the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise _Refused("values without a beginning")

    def extend(self, items: list[Any]) -> None:
        """Puts items into the list on top."""
        if type(self.stack[-1]) is not list:
            raise _Refused("items of something that is no list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        """Puts keys and values into the dict on top."""
        if type(self.stack[-1]) is not dict:
            raise _Refused("items of something that is no dict")
        if not all(type(key) in (str, bytes, int) for key in items[::2]):  # hashing deep tuples would end the process
            raise _Refused("a dict whose keys are no names")
        self.stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def build(self, state: object) -> None:
        """Gives an array or a dtype its state."""
        if not isinstance(self.stack[-1], _Dtype | _Array):
            raise _Refused("the state of an object")
        self.stack[-1].set_state(state)


def _meaning(function: object, arguments: object) -> object:
    """What a call stands for, if it is one that NumPy writes for an array; nothing is called."""
    if not isinstance(function, _Name) or not isinstance(arguments, tuple):
        raise _Refused("a call")
    wanted = (function.module, function.name)
    if wanted in ARRAY_MAKERS and arguments[:1] == (_Name(*ARRAY),):
        return _Array()
    if wanted == DTYPE and arguments:
        return _Dtype(_as_text(arguments[0]))
    if wanted == ENCODE and len(arguments) == 2 and arguments[1] in ("latin1", "latin-1"):
        return _as_text(arguments[0]).encode("latin-1")
    raise _Refused(f"a call of {function.module}.{function.name}")


class _Plain:
    """Puts arrays in their places, and refuses what is no data."""

    def __init__(self) -> None:
        self.values = 0

    def of(self, value: object, depth: int) -> object:
        """The value with its arrays."""
        self.values += 1
        if depth > MAXIMUM_DEPTH or self.values > MAXIMUM_VALUES:
            raise _Refused(f"data deeper than {MAXIMUM_DEPTH}, or more than {MAXIMUM_VALUES:,} values")
        if isinstance(value, _Array) and value.value is not None:
            return value.value
        if isinstance(value, dict):
            return {key: self.of(entry, depth + 1) for key, entry in value.items()}
        if isinstance(value, list):
            return [self.of(entry, depth + 1) for entry in value]
        if isinstance(value, tuple):
            return tuple(self.of(entry, depth + 1) for entry in value)
        if value is None or isinstance(value, bool | int | float | str | bytes):
            return value
        raise _Refused("something that is no data")


def _as_text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, str):
        raise _Refused("something else where a text is due")
    return value
