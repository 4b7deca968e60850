"""The words and signs of Con_spec in one place: what the lexer reads, the printer writes and the messages suggest."""

from __future__ import annotations

from typing import Literal, TypeAlias

Spelling: TypeAlias = Literal["paper", "module", "house"]
Connective: TypeAlias = Literal["not", "and", "or", "iff", "implies"]

DEPTH_LIMIT = 200  # of brackets, and of the tree
TOKEN_LIMIT = 250_000  # words and signs in a file: what bounds the time that a hostile file takes
COMPARISON_LIMIT = 250_000  # that the sets of a file stand for: each of {...} > each of {...} is their product
NAME_LIMIT = 200  # code points
PHRASE_LIMIT = 2000  # code points
NUMBER_LIMIT = 40  # digits

SIGNS: dict[str, Connective] = {
    "~": "not",
    "!": "not",
    "¬": "not",
    "^": "and",
    "&": "and",
    "∧": "and",
    "|": "or",
    "∨": "or",
    "=>": "implies",
    "->": "implies",
    "⇒": "implies",
    "→": "implies",
    "<=>": "iff",
    "<->": "iff",
    "⇔": "iff",
    "↔": "iff",
}
WORDS: dict[str, Connective] = {
    "not": "not",
    "and": "and",
    "or": "or",
    "v": "or",
    "implies": "implies",
    "iff": "iff",
}
BINDING: dict[Connective, int] = {"implies": 1, "iff": 2, "or": 3, "and": 4, "not": 5}
WRITTEN: dict[Spelling, dict[Connective, str]] = {
    "paper": {"not": "~", "and": "^", "or": "v", "implies": "=>", "iff": "<=>"},
    "module": {"not": "~", "and": "^", "or": "v", "implies": "=>", "iff": "<=>"},
    "house": {"not": "not ", "and": "and", "or": "or", "implies": "implies", "iff": "iff"},
}

# Connectives that are words, and never names without quotes; v is both.
CONNECTIVE_WORDS = frozenset(WORDS) - {"v"}

PREDICATES = ("predict", "hasCon")
ITEM_WORDS = frozenset({"class", "concept", "con", "network", "rep", "img", "imageCon", "property", "Module"})
RESERVED = ITEM_WORDS | WORDS.keys() | {*PREDICATES, "E", "for", "forall", "each", "in", "of", "where"}
QUANTIFIER_WORDS = frozenset({"all", "every", "any", "at", "least"})  # quoted when a variable is called so
SHAPES = ("box", "ellipsoid", "pca-box", "span", "band")

# Words that people write by habit where Con_spec has others: each with what to write instead.
EVERYDAY: dict[str, str] = {
    "if": "write 'a implies b' or 'a => b' for 'if a then b'",
    "then": "write 'a implies b' or 'a => b' for 'if a then b'",
    "any": "write 'a > c or b > c'; 'each of {a, b} > c' asks for all of them",
    "some": "write 'a > c or b > c'; 'each of {a, b} > c' asks for all of them",
    "exists": "there is no existential quantifier: deny a 'for all' instead",
    "each": "write 'each of {a, b} > c'",
    "all": "write 'each of {a, b} > c'",
    "both": "write 'a and b'",
    "either": "write 'a or b'",
    "neither": "write 'not a and not b'",
    "when": "write 'a implies b' for 'when a, b'",
    "whenever": "write 'a implies b' for 'whenever a, b'",
    "there": "there is no existential quantifier: deny a 'for all' instead",
    "always": "write the formula alone: 'for all x in focus(c):' says that it is always true there",
    "never": "write 'not'",
    "no": "write 'not'",
}
# The same between two formulas.
BETWEEN: dict[str, str] = {
    "if": "write 'b implies a' for 'a if b'",
    "when": "write 'b implies a' for 'a when b'",
    "whenever": "write 'b implies a' for 'a whenever b'",
    "unless": "write 'a or b' for 'a unless b'",
    "then": EVERYDAY["then"],
    "else": "write '(a implies b) and (not a implies c)' for 'if a then b else c'",
    "otherwise": "write 'a or b'",
    "xor": "write 'not (a iff b)'",
    "nor": "write 'not a and not b'",
    "but": "write 'and'",
    "also": "write 'and'",
    "only": "write 'a implies b' for 'a only if b'",
    "is": "strengths are compared with '>' only",
    "equals": "write 'iff' between formulas; strengths are compared with '>' only",
}

# Signs of other languages that people write by habit: each with what to write instead.
MISTAKEN: dict[str, str] = {
    "&&": "write 'and', '&' or '^'",
    "||": "write 'or', '|' or 'v'",
    "==": "write 'iff' or '<=>' between formulas; strengths are compared with '>' only",
    "!=": "write 'not (... iff ...)'; strengths are compared with '>' only",
    "===": "write 'iff' or '<=>' between formulas",
    ">=": "write '>': strength predicates are strict, a tie satisfies neither direction",
    "≥": "write '>': strength predicates are strict, a tie satisfies neither direction",
    "<=": "write 'b > a' for 'a <= b' where a tie may fail, or 'not a > b'; 'implies' is written '=>'",
    "≤": "write 'b > a' for 'a <= b' where a tie may fail, or 'not a > b'",
    "<": "write 'b > a' instead of 'a < b'",
    ">>": "write '=>' or 'implies' in a file ('>>' belongs to the Python builder)",
    "⊃": "write '=>' or 'implies'",
    "∃": "there is no existential quantifier: deny a 'for all' instead",
}
