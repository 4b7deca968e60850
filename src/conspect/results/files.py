"""Records to JSON and back. What is read is validated: a file that is not the record is one diagnostic."""

from __future__ import annotations

import numbers
from pathlib import Path
from typing import TypeVar

import msgspec

from conspect.core.files import write_atomically

Record = TypeVar("Record", bound=msgspec.Struct)


def encoded(record: msgspec.Struct, *, indent: int | None = 1) -> bytes:
    """The record as JSON with a line end, indented or (None) on one line.

    Raises ValueError for a value that its type does not allow. NaN and infinities, which JSON lacks, are such values: what
    is written reads back as the same record.
    """
    try:
        content = msgspec.json.encode(record, enc_hook=_plain_number)
    except UnicodeEncodeError:  # names of files that are not UTF-8: they hold halves of surrogate pairs
        content = msgspec.json.encode(_written(msgspec.to_builtins(record, enc_hook=_plain_number)))
    try:
        msgspec.json.decode(content, type=type(record))
    except msgspec.ValidationError as error:
        raise ValueError(f"a {type(record).__name__} that cannot be read back: {error}") from error
    return (content if indent is None else msgspec.json.format(content, indent=indent)) + b"\n"


def _written(value: object) -> object:
    """JSON values with bytes that are no UTF-8 written as `\\xff`."""
    if isinstance(value, str):
        return (
            value.encode("utf-8", "surrogatepass").decode("utf-8", "backslashreplace") if not value.isascii() else value
        )
    if isinstance(value, dict):
        return {_written(key): _written(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_written(inner) for inner in value]
    return value


def decoded(content: bytes, kind: type[Record]) -> Record:
    """The record that `content` holds. Raises ValueError naming the first field that is not as `kind` says."""
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def schema_of(content: bytes) -> int | None:
    """The number of its format that a JSON object says under "schema"; None where it says none."""
    try:
        said = msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get("schema")
        return None if said is None else msgspec.json.decode(said, type=int)
    except (msgspec.MsgspecError, RecursionError):
        return None


def write_record(path: Path, record: msgspec.Struct) -> None:
    """Writes `encoded(record)`: a reader sees the old file or the new one."""
    write_atomically(path, encoded(record))


def _plain_number(value: object) -> int | float:
    """A number of another library (a NumPy scalar) as Python's own."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError(f"a {type(value).__name__} has no place in a record")
