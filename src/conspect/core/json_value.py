"""Values as JSON knows them. The type of what has no record of ours: files of others that were just parsed, and formats that
others define (SARIF, OpenAPI, JSON Schema); all else that is written or read is a record of `results` or a dataclass."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = "Mapping[str, JsonValue]"


def parsed_once(content: str | bytes) -> Any:
    """The value of a JSON text that people bring. Raises ValueError, RecursionError, also for a key that stands twice in one
    object: the last of them would win, and which was meant is not known.
    """
    return json.loads(content, object_pairs_hook=once)


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no key stands twice. Raises ValueError."""
    value = dict(pairs)
    if len(value) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {name[:40]!r} stands twice")
    return value
