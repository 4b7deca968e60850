"""Con_spec, the specification language: parse, check, evaluate, print, build and explain. No files, no models."""

from conspect.language.exact import ExactReading, holds_exactly
from conspect.language.expansion import expand
from conspect.language.parser import Parsed, parse, parse_with_diagnostics
from conspect.language.semantics import Reading, holds, margin

__all__ = [
    "ExactReading",
    "Parsed",
    "Reading",
    "expand",
    "holds",
    "holds_exactly",
    "margin",
    "parse",
    "parse_with_diagnostics",
]
