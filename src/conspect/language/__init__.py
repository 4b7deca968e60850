"""Con_spec, the specification language: parse, check, evaluate, print, build and explain. No files, no models."""

from conspect.core.attribute_table import read_attribute_table
from conspect.language.checker import Checked, check, check_text
from conspect.language.exact import ExactReading, holds_exactly
from conspect.language.expansion import expand
from conspect.language.explanation import Explanation, explain
from conspect.language.formatting import Formatted, format_text
from conspect.language.generation import from_attribute_table, from_carried, from_pairs
from conspect.language.parser import Parsed, parse, parse_with_diagnostics
from conspect.language.printer import write, write_formula
from conspect.language.respelling import Respelled, respell
from conspect.language.semantics import Reading, holds, margin
from conspect.language.vocabulary import Vocabulary

__all__ = [
    "Checked",
    "ExactReading",
    "Explanation",
    "Formatted",
    "Parsed",
    "Reading",
    "Respelled",
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
