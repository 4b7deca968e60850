"""Writes the OpenAPI document that the front end's types are generated from: python -m conspect.web.explorer.document."""

from __future__ import annotations

import json

from conspect.web.explorer.openapi import openapi


def text() -> str:
    """The document as the repository keeps it, of no version: only the questions and the answers count."""
    return json.dumps(openapi("0"), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(text(), end="")
