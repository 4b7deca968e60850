"""The JSON Schemas that ship, made of the records. To write them anew: python -m tests.schemas"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from conspect.results.results import Results
from conspect.study.config import SECTIONS, StudyConfig
from tests.documentation import DOCS, ROOT, text_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDERS = (ROOT / "src/conspect/assets/schemas", DOCS / "schemas")


def results_schema() -> dict[str, Any]:
    """Of results.json."""
    schema = msgspec.json.schema(Results)
    return {"$schema": DIALECT, "title": "results.json of a Conspect study", **schema}


def study_schema() -> dict[str, Any]:
    """Of study.toml: TOML has no null, unknown keys are errors, and each key says what docs/study.md says of it."""
    schema = msgspec.json.schema(StudyConfig)
    told = meanings()
    for section, kind in SECTIONS.items():
        part = schema["$defs"][kind.__name__]
        for key, value in part["properties"].items():
            value["description"] = told[section, key]
    for part in schema["$defs"].values():
        part["additionalProperties"] = False
        part["properties"] = {key: without_null(value) for key, value in part["properties"].items()}
    return {"$schema": DIALECT, "title": "study.toml of Conspect", **schema}


def without_null(value: dict[str, Any]) -> dict[str, Any]:
    """The same without the choice, and the default, of null."""
    kept = {key: part for key, part in value.items() if (key, part) != ("default", None)}
    choices = [choice for choice in kept.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        return choices[0] | kept
    return {"anyOf": choices, **kept} if choices else kept


def meanings() -> dict[tuple[str, str], str]:
    """By section and key, the words of docs/study.md."""
    told: dict[tuple[str, str], str] = {}
    section = ""
    for line in text_of("study.md").split("## study.toml")[1].split("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| ") or len(cells) != 3:
            continue
        section = re.sub(r"[`\[\]]", "", cells[0]) or section
        for key in re.findall(r"`(\w+)`", cells[1]):
            told[section, key] = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", cells[2]).replace("`", "")
    return told


def files() -> dict[str, str]:
    """By file name, the text of each schema."""
    schemas = {"results.schema.json": results_schema(), "study.schema.json": study_schema()}
    return {name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


if __name__ == "__main__":
    for folder in FOLDERS:
        folder.mkdir(exist_ok=True)
        for name, text in files().items():
            (folder / name).write_text(text, encoding="utf-8")
