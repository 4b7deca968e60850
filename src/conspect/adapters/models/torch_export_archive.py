"""A `.pt2` archive made safe to load.

`torch.export.load` runs what a file asks for: it unpickles constants, weights and sample inputs, evaluates expressions and
guards as Python, resolves names below `torch`, and loads compiled libraries. So the archive is read here without torch,
refused unless it holds nothing but plain tensors and a graph of ATen operators, and written anew from those parts; torch
reads only the new one. Sources: torch/export/pt2_archive and torch/_export/serde of torch 2.13.
"""

from __future__ import annotations

import io
import json
import math
import re
import zipfile
from pathlib import Path
from typing import Any, TypedDict

from conspect.core.diagnostics import SourceLocation, user_error

MODEL = "models/model.json"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
SAMPLES = "data/sample_inputs/model.pt"
PLAIN = ("archive_format", "archive_version", "byteorder", ".data/version", ".data/serialization_id")
TENSOR = re.compile(r"data/(weights/weight|constants/tensor)_\d+")
OPERATOR = re.compile(
    r"torch\.ops\.aten\.(?!from_file)\w+\.\w+|_operator\.(getitem|add|sub|mul|floordiv|eq|ne|lt|le|gt|ge)"
)
# Sizes such as Add(Symbol('s0', positive=True, integer=True), Integer(1)), which torch evaluates as Python.
NAMES = (
    "Symbol|Integer|Rational|Add|Mul|Mod|PythonMod|FloorDiv|CleanDiv|Max|Min|positive|nonnegative|integer|True|False"
)
EXPRESSION = re.compile(rf"(?:\b(?:{NAMES}|[suz]\d+|\d+)\b|'[suz]\d+'|//|[-+*/(), <>=&|~](?!\*))*")
LONGEST_EXPRESSION = 2000
# torch.export.save stores without compressing: members that are declared much larger than the file are a bomb.
INFLATED, SMALL = 1.5, 1 << 24
LARGEST_GRAPH = 1 << 28
# Numbers in a graph are sizes, places and axes; sides of a shape that no image network has, multiplied, are a bomb too.
LARGEST_NUMBER, LARGEST_SHAPE, LARGEST_INTEGER = 1 << 32, 1 << 28, (1 << 63) - 1
ITEMSIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 2, 7: 4, 8: 8, 9: 4, 10: 8, 11: 16, 12: 1, 13: 2}
ARGUMENTS = {
    "as_none", "as_tensor", "as_tensors", "as_int", "as_ints", "as_float", "as_floats", "as_bool", "as_bools", "as_string",
    "as_strings", "as_sym_int", "as_sym_ints", "as_sym_bool", "as_sym_bools", "as_sym_float", "as_sym_floats",
    "as_scalar_type", "as_memory_format", "as_layout", "as_device", "as_optional_tensor", "as_optional_tensors", "as_expr",
    "as_name", "as_nested_tensors", "as_int_lists", "as_complex",
}  # fmt: skip
CONTAINERS = {None, "builtins.list", "builtins.tuple", "builtins.dict"}


class Unsafe(ValueError):
    """Something in the archive that torch would run."""


def safe_archive(path: Path) -> io.BytesIO:
    """The program in `path`, rebuilt from its plain tensors and its graph.

    Raises UserError MODEL005 when loading it could run code, MODEL002 when it is not such an archive.
    """
    place = SourceLocation(str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            kept = _kept(_members(archive, path.stat().st_size))
    except Unsafe as error:
        fix = "export it anew from its source with torch.export.save, as a graph of ATen operators and tensors alone"
        raise user_error("MODEL005", f"loading this program could run code: {error}", fix, place) from error
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        why = f"there is no {error}" if isinstance(error, KeyError) else error
        raise user_error(
            "MODEL002", f"not a torch.export archive: {why}", "give a file of torch.export.save", place
        ) from error
    rebuilt = io.BytesIO()
    with zipfile.ZipFile(rebuilt, "w", zipfile.ZIP_STORED) as archive:
        for name, content in kept.items():
            archive.writestr(f"program/{name}", content)
    rebuilt.seek(0)
    return rebuilt


def _members(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    """The members but for sample inputs, which nothing needs. Raises ValueError for sizes that the file cannot have."""
    declared = {member.filename: member.file_size for member in archive.infolist()}
    if len(declared) < len(archive.namelist()):
        raise ValueError("two members have one name")
    if sum(declared.values()) > INFLATED * size + SMALL:
        raise ValueError(f"its members are said to have {sum(declared.values()):,} bytes, and the file has {size:,}")
    named = {name.partition("/")[2]: name for name in declared}
    if declared.get(named.get(MODEL, ""), 0) > LARGEST_GRAPH:
        raise ValueError(f"its graph has {declared[named[MODEL]]:,} bytes")
    return {short: b"" if short == SAMPLES else archive.read(name) for short, name in named.items()}


def _kept(members: dict[str, bytes]) -> dict[str, bytes]:
    strange = [name for name in members if not (name in (MODEL, SAMPLES, *CONFIGS, *PLAIN) or TENSOR.fullmatch(name))]
    if strange:
        raise Unsafe(f"it holds {strange[0]!r}")
    kept = {name: content for name, content in members.items() if name in PLAIN or TENSOR.fullmatch(name)}
    for name in CONFIGS:
        config = json.loads(members[name])
        _check_payload(config, {name.rpartition("/")[2]: len(content) for name, content in members.items()})
        kept[name] = json.dumps(config).encode()
    program = json.loads(members[MODEL])
    # Both are Python source to torch, and needed by nothing here; sample inputs are pickled, and empty is allowed.
    program["guards_code"] = []
    for node in program["graph_module"]["graph"]["nodes"]:
        node["metadata"] = {}
    _check(program)
    kept[MODEL] = json.dumps(program).encode()
    kept[SAMPLES] = b""
    return kept


class Symbolic(TypedDict):
    """A whole number as torch writes it."""

    as_int: int


class TensorMeta(TypedDict, total=False):
    """How a tensor lies in its file, in elements."""

    dtype: int
    sizes: list[Symbolic]
    strides: list[Symbolic]
    storage_offset: Symbolic


class PayloadEntry(TypedDict):
    """Where a tensor's values are."""

    path_name: str
    use_pickle: bool
    tensor_meta: TensorMeta | None


class PayloadConfig(TypedDict):
    """The index of the files with tensors; what is not as it says here raises KeyError, TypeError or AttributeError."""

    config: dict[str, PayloadEntry]


def _check_payload(config: PayloadConfig, sizes: dict[str, int]) -> None:
    """`sizes`: bytes by name of the files with tensors. Raises Unsafe, ValueError for a tensor larger than its file."""
    for name, entry in config["config"].items():
        if entry["use_pickle"] is not False or not re.fullmatch(r"(weight|tensor)_\d+", entry["path_name"]):
            raise Unsafe(f"{name!r} is pickled")
        _check_extent(name, entry.get("tensor_meta") or {}, sizes.get(entry["path_name"], 0))
        _check(entry)


def _check_extent(name: str, meta: TensorMeta, size: int) -> None:
    """Raises ValueError where a tensor reaches beyond the `size` bytes of its file, or repeats them beyond reason."""
    shape, strides = (
        [int(side["as_int"]) for side in sides] for sides in (meta.get("sizes", []), meta.get("strides", []))
    )
    itemsize = ITEMSIZES.get(meta.get("dtype", 0), 1)
    offset = int((meta.get("storage_offset") or {"as_int": 0})["as_int"])
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    number = math.prod(shape)
    if min([*shape, *strides, offset], default=0) < 0 or (number and (last + 1) * itemsize > size):
        raise ValueError(f"{name!r} is said to be {shape}, which is more than there is of it")
    if number * itemsize > size + SMALL:
        raise ValueError(f"{name!r} is said to be {shape}, {number * itemsize:,} bytes made of {size:,}")


def _check(value: Any) -> None:
    """Walks the graph. Raises Unsafe."""
    if isinstance(value, list):
        for entry in value:
            _check(entry)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key.startswith("as_") and key not in ARGUMENTS:
            raise Unsafe(f"an argument is of kind {key!r}")
        if key == "target" and isinstance(inner, str) and not OPERATOR.fullmatch(inner) and "inputs" in value:
            raise Unsafe(f"it calls {inner!r}")
        if key == "expr_str" and not (
            isinstance(inner, str) and len(inner) <= LONGEST_EXPRESSION and EXPRESSION.fullmatch(inner)
        ):
            raise Unsafe(f"it evaluates {str(inner)[:80]!r}")
        if key in ("as_int", "as_ints") and _is_bomb(inner):
            raise ValueError(f"it asks for a size of {str(inner)[:80]}")
        if key in ("in_spec", "out_spec") and inner:
            _check_containers(json.loads(inner))
        _check(inner)


def _is_bomb(numbers: Any) -> bool:
    """Whether a number, or a shape's sides multiplied, is larger than any that a network for images has; -1 and the largest
    integers, which stand for "the rest" and "to the end", are none.
    """
    listed = [number for number in (numbers if isinstance(numbers, list) else [numbers]) if isinstance(number, int)]
    sides = [abs(number) for number in listed if abs(number) < LARGEST_INTEGER]
    if any(abs(number) > LARGEST_INTEGER for number in listed):
        return True
    return any(side > LARGEST_NUMBER for side in sides) or math.prod(max(side, 1) for side in sides) > LARGEST_SHAPE


def _check_containers(spec: Any) -> None:
    """How inputs and outputs are nested: lists, tuples and dictionaries with plain keys."""
    if isinstance(spec, list):
        for part in spec:
            _check_containers(part)
    elif isinstance(spec, dict):
        context = spec.get("context")
        names = json.loads(context) if isinstance(context, str) else context
        plain = names is None or (isinstance(names, list) and all(isinstance(name, str) for name in names))
        if spec.get("type") not in CONTAINERS or not plain:
            raise Unsafe(f"its inputs are held by {spec.get('type')!r}")
        _check_containers(spec.get("children_spec"))
