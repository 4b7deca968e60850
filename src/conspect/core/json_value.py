"""Values as JSON knows them. The type of what has no record of ours: files of others that were just parsed, and formats that
others define (SARIF, OpenAPI, JSON Schema); all else that is written or read is a record of `results` or a dataclass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = "Mapping[str, JsonValue]"
