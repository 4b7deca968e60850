"""Con_spec, the specification language: parse, check, evaluate, print, build and explain. No files, no models."""

from conspect.core.attribute_table import read_attribute_table
from conspect.language.meaning.checker import CheckedSpecification, check, check_text
from conspect.language.meaning.exact import ExactReadouts, holds_exactly
from conspect.language.meaning.expansion import expand
from conspect.language.meaning.semantics import Readouts, holds, margin
from conspect.language.meaning.vocabulary import Vocabulary
from conspect.language.syntax.parser import ParseResult, parse, parse_with_diagnostics
from conspect.language.writing.explanation import Explanation, explain
from conspect.language.writing.formatting import FormatResult, format_text
from conspect.language.writing.generation import from_attribute_table, from_carried, from_pairs
from conspect.language.writing.printer import write, write_formula
from conspect.language.writing.respelling import RespellResult, respell

__all__ = [
    "CheckedSpecification",
    "ExactReadouts",
    "Explanation",
    "FormatResult",
    "ParseResult",
    "Readouts",
    "RespellResult",
    "Vocabulary",
    "check",
    "check_text",
    "expand",
    "explain",
    "format_text",
    "from_attribute_table",
    "from_carried",
    "from_pairs",
    "holds",
    "holds_exactly",
    "margin",
    "parse",
    "parse_with_diagnostics",
    "read_attribute_table",
    "respell",
    "write",
    "write_formula",
]
