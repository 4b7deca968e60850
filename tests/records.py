"""Records as the plain JSON values that a reader of the files gets."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from conspect.results.files import encoded


def plain(record: msgspec.Struct) -> Any:
    """What `json.loads` makes of the record's file."""
    return json.loads(encoded(record))
