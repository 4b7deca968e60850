"""Objects as JSON that changes with what they compute and with nothing else, such as an address or the order of a set.

Functions are their code, what they close over, their defaults and the globals that they name; other objects are what they
hold. The walk is bounded in depth and number, and goes through no object twice.
"""

from __future__ import annotations

import enum
import functools
import inspect
import io
import os
import pickletools
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from conspect.adapters.runtimes.files_read import LONGEST_NAME, is_installed
from conspect.core.digests import digest_arrays, digest_bytes, digest_file, digest_json

DEPTH, MOST = 24, 100_000
# Libraries whose objects are told by their kind: what they hold is machinery. Of the standard library these hold values.
MACHINERY = {"torch", "numpy", "onnxruntime", "conspect", "builtins", "PIL"}
PLAIN = {"types", "argparse", "collections", "dataclasses", "configparser"}
# What a class has besides its values and methods.
CLASS_OWN = {
    "__dict__", "__weakref__", "__module__", "__doc__", "__annotations__", "__firstlineno__", "__static_attributes__",
    "__qualname__", "__abstractmethods__", "_abc_impl", "__parameters__", "__orig_bases__", "__annotate_func__",
}  # fmt: skip
# Members of an archive of torch.jit that say where it was made, not what it computes.
UNTOLD = r"\.debug_pkl$|/\.data/|/traced_inputs"
MANGLED = r"[./]___torch_mangle_\d+"
# What every module of torch has: parts that the walk takes on its own, and hooks that no image passes.
MODULE_SKIPPED = {"training", "_non_persistent_buffers_set", "_graph", "_code", "meta", "_is_full_backward_hook"}


class Walk:
    """One walk over objects; `files` collects the source files of their classes, functions and modules."""

    def __init__(self) -> None:
        self.files: set[Path] = set()
        self._known: dict[int, tuple[int, object]] = {}

    def described(self, value: Any, depth: int = DEPTH) -> Any:
        """A JSON value for any object."""
        simple = _simple(value)
        if simple is not None:
            return simple
        if id(value) in self._known:
            return ["again", self._known[id(value)][0]]
        if depth <= 0 or len(self._known) >= MOST:
            return _kind(type(value))
        self._known[id(value)] = len(self._known), value
        return self._composed(value, depth - 1)

    def _composed(self, value: Any, depth: int) -> Any:
        description: Any
        if isinstance(value, list | tuple):
            description = [_kind(type(value)), *(self.described(part, depth) for part in value)]
        elif isinstance(value, set | frozenset):
            description = sorted((_simple(part) or _kind(type(part)) for part in value), key=repr)
        elif isinstance(value, Mapping):
            description = [[self.described(key, depth), self.described(part, depth)] for key, part in value.items()]
        elif isinstance(value, functools.partial):
            description = [
                "partial",
                *(self.described(part, depth) for part in (value.func, value.args, value.keywords)),
            ]
        elif isinstance(value, MethodType):
            description = ["method", self.described(value.__func__, depth), self.described(value.__self__, depth)]
        elif isinstance(value, FunctionType):
            description = self._function(value, depth)
        elif isinstance(value, property):
            description = [self.described(part, depth) for part in (value.fget, value.fset)]
        elif isinstance(value, staticmethod | classmethod):
            description = self.described(value.__func__, depth)
        elif isinstance(value, ModuleType):
            self._file(value)
            description = f"module {value.__name__}"
        else:
            description = self._class(value, depth) if isinstance(value, type) else self._object(value, depth)
        return description

    def _function(self, value: FunctionType, depth: int) -> Any:
        self._file(value)
        cells = [_cell(cell) for cell in value.__closure__ or ()]
        held = [self.described(part, depth) for part in (cells, value.__defaults__, value.__kwdefaults__)]
        # A decorator keeps what it wraps in a cell, a cache of functools in an attribute.
        named = [] if _is_library(value) else sorted(_names(value.__code__) & set(value.__globals__))
        reached = [[name, self.described(value.__globals__[name], depth)] for name in named]
        return [code_digest(value.__code__), held, reached]

    def _class(self, kind: type, depth: int) -> Any:
        if _is_library(kind):
            return _kind(kind)
        self._file(kind)
        own = [[key, self.described(value, depth)] for key, value in sorted(vars(kind).items()) if key not in CLASS_OWN]
        return [_kind(kind), own, [self.described(base, depth) for base in kind.__bases__]]

    def _object(self, value: Any, depth: int) -> Any:
        script = _script(value)
        if script is not None:
            return script
        kind = self.described(type(value), depth)
        top = type(value).__module__.split(".")[0]
        if hasattr(value, "named_modules"):
            code = [value.code] if isinstance(getattr(value, "code", None), str) else []
            return [kind, code, *self._module(value, depth)]
        if top in MACHINERY or (top in sys.stdlib_module_names and top not in PLAIN):
            wrapped = getattr(value, "__wrapped__", None)  # functools.lru_cache
            return kind if wrapped is None else [kind, self.described(wrapped, depth)]
        return [kind, *([key, self.described(part, depth)] for key, part in sorted(_held(value)))]

    def _module(self, value: Any, depth: int) -> Iterator[list[Any]]:
        for key, held in sorted(vars(value).items()):
            if key in MODULE_SKIPPED or "backward" in key or "state_dict" in key:
                continue
            # Hooks stand under numbers that count all hooks of the process.
            hooks = "_hooks" in key and isinstance(held, Mapping)
            yield [
                key,
                [self.described(hook, depth) for hook in held.values()] if hooks else self.described(held, depth),
            ]

    def _file(self, value: Any) -> None:
        try:
            path = Path(inspect.getfile(value)).resolve()
        except (TypeError, OSError):  # made in a notebook or a console, or built in
            return
        if path.is_file() and not is_installed(path):
            self.files.add(path)


def code_digest(code: CodeType) -> str:
    """SHA-256 of the instructions, names and constants of a function's code."""
    constants = [_constant(constant) for constant in code.co_consts]
    return digest_bytes(code.co_code, repr((code.co_names, code.co_varnames, constants)).encode())


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return code_digest(value)
    if isinstance(value, frozenset):  # its order is another in every process
        return repr(sorted(map(repr, value)))
    return f"({', '.join(map(_constant, value))})" if isinstance(value, tuple) else repr(value)


def _simple(value: Any) -> Any:
    """What needs no walk; None for the rest."""
    description: Any = None
    if value is None:
        description = "None"
    elif isinstance(value, enum.Enum):
        description = [_kind(type(value)), value.name]
    elif isinstance(value, bool | int | float | complex | bytes):
        description = [type(value).__name__, repr(value)]
    elif isinstance(value, str | os.PathLike):
        text = os.fspath(value)
        description = ["text", _content(text) if isinstance(text, str) else repr(text)]
    elif isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        description = digest_arrays({"": array}) if array.dtype.kind in "biufcSUmM" else "objects"
    elif hasattr(value, "detach") and hasattr(value, "contiguous"):
        description = tensor_digest(value)
    elif type(value).__module__ == "torch" and type(value).__name__ in ("dtype", "device", "memory_format"):
        description = str(value)
    elif isinstance(value, BuiltinFunctionType | np.ufunc):
        description = f"{getattr(value, '__module__', '')}.{value.__name__}"
    return description


def _content(text: str) -> str:
    """The text; of the full name of a file its content, which is read there, so that what is moved stays the same."""
    if len(text) > LONGEST_NAME or not os.path.isabs(text) or "\0" in text:
        return text
    path = Path(text)
    try:
        if path.is_dir():
            return "a folder"
        return digest_file(path) if path.is_file() and not is_installed(path) else text
    except OSError:
        return text


def tensor_digest(value: Any) -> str:
    """SHA-256 of dtype, shape and values of a tensor; of one without plain values (meta, quantised) of what it says of itself."""
    import torch

    try:
        plain = value.detach().cpu()
        plain = (plain.to_dense() if plain.layout != torch.strided else plain).contiguous().resolve_conj().resolve_neg()
        kind = str(plain.dtype)
        # NumPy has no bfloat16 and no float8: their bytes are taken.
        if plain.dtype.is_floating_point and plain.dtype.itemsize < 4:
            plain = plain.reshape(-1).view(torch.uint8)
        return digest_arrays({f"{kind} {list(value.shape)}": np.asarray(plain.numpy())})
    except (RuntimeError, TypeError, NotImplementedError, ValueError):
        return digest_bytes(f"{value.dtype} {list(getattr(value, 'shape', ()))}".encode())


def _script(value: Any) -> str | None:
    """What a program of torch.jit is, hashed: its archive without the places of its sources, which are told there too."""
    import torch

    if not isinstance(value, torch.jit.ScriptModule | torch.jit.ScriptFunction):
        return None
    saved: Any = value
    try:
        with zipfile.ZipFile(io.BytesIO(saved.save_to_buffer())) as archive:
            parts = [member for member in archive.namelist() if not re.search(UNTOLD, member)]
            return digest_json(sorted(_part(member.partition("/")[2], archive.read(member)) for member in parts))
    except (RuntimeError, AttributeError):  # one that cannot be saved
        return digest_bytes(re.sub(MANGLED, "", str(value.inlined_graph)).encode())


def _part(name: str, content: bytes) -> list[str]:
    """Name and digest of a member of such an archive, but for the numbers that a process gives to classes of one name."""
    if name.endswith(".pkl"):
        content = repr([(code.name, argument) for code, argument, _ in pickletools.genops(content)]).encode()
    if name.endswith((".pkl", ".py")):
        content = re.sub(MANGLED.encode(), b"", content)
    return [re.sub(MANGLED, "", name), digest_bytes(content)]


def _kind(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_library(value: Any) -> bool:
    top = str(getattr(value, "__module__", "")).split(".")[0]
    if top in MACHINERY or top in sys.stdlib_module_names:
        return top != "__main__"
    file = getattr(sys.modules.get(str(value.__module__)), "__file__", None)
    return isinstance(file, str) and is_installed(Path(file).resolve())


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _cell(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return None


def _held(value: Any) -> list[tuple[str, Any]]:
    slots = [name for kind in type(value).__mro__ for name in _slots(kind) if hasattr(value, name)]
    return (
        [*vars(value).items(), *((name, getattr(value, name)) for name in slots)]
        if hasattr(value, "__dict__")
        else [(name, getattr(value, name)) for name in slots]
    )


def _slots(kind: type) -> tuple[str, ...]:
    own = vars(kind).get("__slots__", ())
    names = (own,) if isinstance(own, str) else tuple(own)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))
