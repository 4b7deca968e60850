"""Records as the plain JSON values that a reader of the files gets."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from conspect.results.files import Record, decoded, encoded


def plain(record: msgspec.Struct) -> Any:
    """What `json.loads` makes of the record's file."""
    return json.loads(encoded(record))


def record_of(value: object, kind: type[Record]) -> Record:
    """The record that plain JSON values make. Raises ValueError for one that does not fit."""
    return decoded(msgspec.json.encode(value), kind)
