"""The OpenAPI document of the explorer, written from the endpoints and their records; the front end's types come from it."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from conspect.web.explorer.endpoints import ENDPOINTS, Method
from conspect.web.explorer.queries import PictureFile

Document: TypeAlias = dict[str, "Document"] | list["Document"] | str | int | float | bool | None
_REFERENCE = "#/components/schemas/{name}"


def openapi(version: str) -> dict[str, Document]:
    """OpenAPI 3.1: every endpoint with its question and its answer."""
    types = [endpoint.response for endpoint in ENDPOINTS] + [endpoint.query for endpoint in ENDPOINTS]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFERENCE)
    answers, questions = schemas[: len(ENDPOINTS)], schemas[len(ENDPOINTS) :]
    paths: dict[str, Document] = {}
    for endpoint, answer, question in zip(ENDPOINTS, answers, questions, strict=True):
        operation: dict[str, Document] = {
            "operationId": endpoint.path.removeprefix("/api/").replace("/", "_"),
            "summary": endpoint.summary,
            "responses": {
                "200": {"description": "The answer", "content": {"application/json": {"schema": answer}}},
                "400": {"description": "What is wrong with the question, and the remedy"},
            },
        }
        if endpoint.method is Method.POST:
            kind: dict[str, Document] = {"application/json": {"schema": question}}
            if endpoint.query is PictureFile:
                kind = {"application/octet-stream": {}}
            operation["requestBody"] = {"required": True, "content": kind}
        else:
            name = question["$ref"].rsplit("/", 1)[1]
            component = components[name]
            operation["parameters"] = [
                {"name": key, "in": "query", "required": key in component.get("required", ()), "schema": schema}
                for key, schema in component.get("properties", {}).items()
            ]
        paths[endpoint.path] = {endpoint.method.value.lower(): operation}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Conspect explorer", "version": version},
        "paths": paths,
        "components": {"schemas": components},
    }
