"""Results as SARIF 2.1.0, which code hosts show beside the specification's lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from urllib.parse import quote

from conspect.core.json_value import JsonObject, JsonValue
from conspect.core.terminal import plain
from conspect.core.version import VERSION
from conspect.report.junit import claim_of
from conspect.results.verification import Property

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
RULES = {
    "violated": ("error", "a property is violated: there is an embedding of its region that makes it false"),
    "unknown": ("warning", "nothing could be shown about a property"),
    "holds": ("none", "a property holds"),
}


def sarif_log(results: Sequence[Property]) -> JsonObject:
    """One run with a result for each property; held properties have the kind `pass`."""
    rules: list[JsonValue] = [
        {"id": f"conspect/{key}", "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for key, (level, text) in RULES.items()
    ]
    driver: dict[str, JsonValue] = {
        "name": "conspect",
        "version": VERSION,
        "informationUri": "https://arxiv.org/abs/2403.19837",
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver | {"rules": rules}}, "results": [_result(r) for r in results]}],
    }


def uri_of(file: str) -> str:
    """A path as SARIF has them: relative ones stay so, for a code host to find them; characters that no URI holds are encoded."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def in_sarif(text: str) -> str:
    """`text` as a plain message: braces are no place for an argument (SARIF 2.1.0, 3.11.5), brackets no link (3.11.6)."""
    text = plain(text).replace("{", "{{").replace("}", "}}")
    return text.replace("[", "\\[").replace("]", "\\]") if "](" in text else text


def _result(result: Property) -> JsonObject:
    outcome = result.verdict
    text = f"{result.id}: {outcome}: {claim_of(result)}"
    if result.reason:
        text += f" ({result.reason})"
    entry: dict[str, JsonValue] = {
        "ruleId": f"conspect/{outcome}",
        "kind": {"holds": "pass", "violated": "fail", "unknown": "open"}[outcome],
        # SARIF asks for the level "none" wherever the kind is not "fail".
        "level": "error" if outcome == "violated" else "none",
        "message": {"text": in_sarif("\n".join([text, *result.caveats]))},
        "properties": {"margin": result.margin, "gammaMax": result.gamma_max},
    }
    if result.file:
        place: dict[str, JsonValue] = {"artifactLocation": {"uri": uri_of(result.file)}}
        if result.line is not None:
            place["region"] = {"startLine": result.line}
        entry["locations"] = [{"physicalLocation": place}]
    return entry
