"""The formula part of the parser: operators by binding strength, atoms, and recovery inside an atom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from conspect.language.syntax.cursor import Abandon, Cursor
from conspect.language.syntax.grammar import (
    BINDING,
    CONNECTIVE_WORDS,
    DEPTH_LIMIT,
    EVERYDAY,
    MISTAKEN,
    PREDICATES,
    WORDS,
    Connective,
)
from conspect.language.syntax.tree import (
    And,
    Chain,
    Each,
    Formula,
    HasAll,
    HasConcept,
    Iff,
    Implies,
    Not,
    Or,
    Predict,
    Stronger,
)

_BROKEN = Predict("?")  # stands where a mistake was reported; a tree that holds it is never handed out
_PLAIN = ["name", ">", "name"]


def _are_connectives(*words: str) -> bool:
    """Whether any is a connective, in whatever capitals."""
    return any(word.lower() in CONNECTIVE_WORDS for word in words)


@dataclass(slots=True)
class Surroundings:
    """What the atoms of one property may refer to. `variable` None: the first atom that names one decides."""

    variable: str | None = "x"
    class_name: str | None = None
    in_module: bool = False


class FormulaParser:
    """Parses one formula. Calls itself once for each bracket and each tighter operator, and counts both."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.around = Surroundings()
        self._calls = 0
        self._brackets = 0

    def formula(self, around: Surroundings) -> Formula:
        """The formula at the cursor; may hold stand-ins when mistakes were reported. Raises Abandon to give up."""
        self.around = around
        self._calls = self._brackets = 0
        return self._expression(0)[0]

    def _expression(self, minimum: int) -> tuple[Formula, int]:
        """A formula whose operators bind at least as tightly as `minimum`, and its height."""
        cursor, first = self.cursor, self.cursor.index
        self._calls += 1
        if self._calls > 2 * DEPTH_LIMIT:
            raise self._too_deep()
        negations = []
        while cursor.kind == "not" or (cursor.kind == "name" and cursor.text == "not"):
            negations.append(cursor.index)
            cursor.advance()
        left, height = self._bracket() if cursor.kind == "(" else self._atom()
        for index in reversed(negations):
            left, height = Not(left, cursor.span(index)), self._checked(height + 1)
        while (connective := self._operator()) is not None and BINDING[connective] >= minimum:
            operands, heights = [left], [height]
            while self._operator() == connective:
                cursor.advance()
                operand, operand_height = self._expression(BINDING[connective] + 1)
                operands.append(operand)
                heights.append(operand_height)
            left, height = self._join(connective, operands, heights, first)
        self._calls -= 1
        return left, height

    def _join(
        self, connective: Connective, operands: list[Formula], heights: list[int], first: int
    ) -> tuple[Formula, int]:
        span = self.cursor.span(first)
        if connective == "and":
            return And(tuple(operands), span), self._checked(max(heights) + 1)
        if connective == "or":
            return Or(tuple(operands), span), self._checked(max(heights) + 1)
        kind = Implies if connective == "implies" else Iff
        right, height = operands.pop(), heights.pop()
        while operands:
            right = kind(operands.pop(), right, span)
            height = self._checked(max(heights.pop(), height) + 1)
        return right, height

    def _bracket(self) -> tuple[Formula, int]:
        cursor, opened = self.cursor, self.cursor.index
        self._brackets += 1
        if self._brackets > DEPTH_LIMIT:
            raise self._too_deep()
        cursor.advance()
        inside = self._expression(0)
        if not cursor.accept(")"):
            fix = f"write ')' before {cursor.shown()}"
            raise cursor.fail("SPEC118", "this bracket is not closed", fix, opened)
        self._brackets -= 1
        return inside

    def _checked(self, height: int) -> int:
        if height > DEPTH_LIMIT:
            raise self._too_deep()
        return height

    def _too_deep(self) -> Abandon:
        fix = "give parts of the formula properties of their own"
        return self.cursor.fail("SPEC112", f"the formula is nested deeper than {DEPTH_LIMIT}", fix)

    def _operator(self) -> Connective | None:
        kind = self.cursor.kind
        if kind in BINDING:
            return None if kind == "not" else kind
        if kind != "name" or self.cursor.text not in WORDS or self.cursor.text == "not":
            return None
        # A concept may be called v: `v > wings` compares it, `v >(x, a, b)` does not.
        compares = self.cursor.kind_after() == ">" and self.cursor.kind_after(2) != "("
        if compares and self.cursor.text not in CONNECTIVE_WORDS:
            return None
        return WORDS[self.cursor.text]

    def _atom(self) -> tuple[Formula, int]:
        cursor, first = self.cursor, self.cursor.index
        if cursor.at_item() or cursor.at_specification():
            fix = "finish the formula above before the next item"
            raise cursor.fail("SPEC111", f"a formula is expected, not {cursor.shown()}", fix)
        if cursor.at_capitalised("not") and cursor.kind_after() in ("name", "string", "("):
            raise cursor.fail("SPEC127", f"'{cursor.text}' is written 'not'", "write not")
        everyday = cursor.text.lower() if cursor.kind == "name" else ""
        if (
            everyday in EVERYDAY
            and cursor.kind_after() in ("name", "string", "{", "(")
            and not (cursor.text == "each" and cursor.text_after() == "of")
        ):
            # Not recovered from: the rest of such a sentence would only be misread.
            raise cursor.fail("SPEC127", f"'{cursor.text}' is not a word of formulas", EVERYDAY[everyday])
        try:
            if cursor.kind == ">":
                return self._stronger(first), 1
            if cursor.kind == "string" or (cursor.kind == "name" and not self._stray_operator()):
                return self._worded(first)
        except Abandon:
            self._skip_arguments(first)
            return _BROKEN, 1
        what = "a formula is expected"
        fix = "write predict(x, c), hasCon(x, a), a > b, or a formula in brackets"
        if cursor.kind in BINDING or cursor.kind == "name":
            fix = "an operator needs a formula on its left and on its right"
        cursor.mistake("SPEC111", f"{what}, not {cursor.shown()}", fix)
        if cursor.kind in ("number", ",", "=", "%", "/"):
            cursor.advance()
        return _BROKEN, 1

    def _stray_operator(self) -> bool:
        """True at an operator's word that is not the name of a concept in a comparison."""
        text = self.cursor.text
        return text in WORDS and (text in CONNECTIVE_WORDS or self.cursor.kind_after() != ">")

    def _worded(self, first: int) -> tuple[Formula, int]:
        cursor = self.cursor
        word, bare, follower = cursor.text, cursor.kind == "name", cursor.kind_after()
        if bare and word == "each" and cursor.text_after() == "of":
            return self._comparison(first)
        if bare and follower == "(":
            if word == "predict":
                return self._predict(first), 1
            if word == "hasCon":
                predicate = self._has(first)
                return predicate, 2 if isinstance(predicate, HasAll) else 1
            if word == "accepted":
                fix = "ask for a lead, which says what the model is sure of: predict(x, c, lead = 4) implies ..."
                problem = "what a monitor accepts is no formula: its score is not affine in logits and strengths"
                raise cursor.fail("SPEC116", problem, fix)
            hint = cursor.suggester.hint(word, PREDICATES)
            fix = "the predicates are predict(x, c), hasCon(x, a) and >(x, a, b)"
            raise cursor.fail("SPEC116", f"unknown predicate '{word[:40]}'{hint}", fix)
        if bare and word in ("for", "forall"):
            fix = "a property has one quantifier, before its formula: property p: for all x in focus(c): ..."
            raise cursor.fail("SPEC111", "a quantifier cannot stand inside a formula", fix)
        if follower == ">" or (follower == "name" and cursor.text_after() == "each"):
            return self._comparison(first)
        if follower == "=":
            cursor.mistake("SPEC113", "'=' is not an operator of formulas", MISTAKEN["=="], cursor.index + 1)
            cursor.kinds[cursor.index + 1] = ">"  # what such a comparison most likely meant
            return self._comparison(first)
        subject = "" if self.around.in_module else f"{self.around.variable or 'x'}, "
        fix = f"write hasCon({subject}{word[:40]}), or compare it with another concept: {word[:40]} > other"
        cursor.mistake("SPEC117", f"'{word[:40]}' alone is not a claim", fix)
        cursor.advance()
        return _BROKEN, 1

    def _comparison(self, first: int) -> tuple[Formula, int]:
        """`a > b`, `a > b > c`, or with `each of {...}` on a side."""
        cursor = self.cursor
        kinds, texts = cursor.kinds, cursor.texts
        plain = kinds[first : first + 3] == _PLAIN and kinds[first + 3] != ">"
        if plain and texts[first + 2] != "each" and not _are_connectives(texts[first], texts[first + 2]):
            cursor.index = first + 3  # the common case, short because large files are made of it
            return Stronger(texts[first], texts[first + 2], cursor.span(first)), 1
        sides = [self._side()]
        while cursor.kind == ">" and (cursor.kind_after() in ("name", "string")):
            cursor.advance()
            sides.append(self._side())
        fix = "write the concept that is weaker: metallic > ears"
        if len(sides) == 1:
            cursor.expect(">", fix)
            raise cursor.fail("SPEC111", f"a concept is expected after '>', not {cursor.shown()}", fix)
        span = cursor.span(first)
        if all(isinstance(side, str) for side in sides):
            names = [side for side in sides if isinstance(side, str)]
            return (Stronger(names[0], names[1], span), 1) if len(names) == 2 else (Chain(tuple(names), span), 2)
        if len(sides) > 2:
            fix = "write one comparison for each neighbour and join them with 'and'"
            raise cursor.fail("SPEC111", "a chain cannot hold 'each of'", fix, first)
        left, right = ((side,) if isinstance(side, str) else side for side in sides)
        cursor.compare(len(left) * len(right), first)
        return Each(left, right, span), 2

    def _side(self) -> str | tuple[str, ...]:
        cursor = self.cursor
        if not (cursor.at_word("each") and cursor.text_after() == "of"):
            return cursor.name("a concept", "write a concept's name: metallic > ears")
        cursor.advance()
        cursor.advance()
        return self.braced_names("each of {metallic, wheels}")

    def braced_names(self, example: str) -> tuple[str, ...]:
        """`{a, b}`: one or more names."""
        cursor, opened = self.cursor, self.cursor.index
        cursor.expect("{", f"write the concepts in braces: {example}")
        names = [cursor.name("a concept", f"write {example}")]
        while cursor.accept(","):
            names.append(cursor.name("a concept", f"write {example}"))
        if not cursor.accept("}"):
            raise cursor.fail("SPEC118", "this brace is not closed", f"write {example}", opened)
        return tuple(names)

    def _arguments(
        self,
        example: str,
        *,
        several: bool = False,
        spaced: bool = False,
        option: Callable[[], None] | None = None,
    ) -> list[tuple[str, int, bool]]:
        """Each argument with its token and whether a comma follows.

        `several`: it is a list of names. `spaced`: white space alone may part them, where no comma parts any.
        `option`: reads `lead = 4` behind the last comma, where the predicate has it.
        """
        cursor, opened = self.cursor, self.cursor.index
        cursor.expect("(", f"write {example}")
        arguments: list[tuple[str, int, bool]] = []
        while True:
            index = cursor.index
            if arguments and cursor.kind == "name" and _are_connectives(cursor.text) and not several:
                raise self._connective_among(example)
            if option is not None and cursor.at_word("lead") and cursor.kind_after() == "=":
                option()
                break
            name = cursor.name("a name", f"write {example}")
            comma = cursor.accept(",")
            arguments.append((name, index, comma))
            if several and cursor.at_word("v") and cursor.kind_after() in ("name", "string"):
                raise self._connective_among(example)
            if comma or (spaced and cursor.kind in ("name", "string") and not any(parted for *_, parted in arguments)):
                continue
            if several and cursor.kind in ("or", "and", "not"):
                fix = "write each predicate by itself, with the connective between them"
                raise cursor.fail(
                    "SPEC126", f"{cursor.shown()} is a connective and cannot stand in a list of names", fix
                )
            if cursor.kind == "name" and _are_connectives(cursor.text):
                continue
            if cursor.kind in ("name", "string"):
                if not _are_connectives(name):  # which is reported already
                    cursor.mistake("SPEC111", f"',' is expected before {cursor.shown()}", f"write {example}")
                continue
            break
        if not cursor.accept(")"):
            raise cursor.fail("SPEC118", "this bracket is not closed", f"write {example}", opened)
        return arguments

    def _connective_among(self, example: str) -> Abandon:
        """Reports a connective among the arguments of a predicate that takes one name; the rest would be misread."""
        word = self.cursor.text.lower()
        each = example.rpartition(", ")[0]
        fix = f"write {word} before the predicate, as in {word} {example}"
        if word != "not":
            fix = (
                f"write a predicate for each name, as in {each}, a) {word} {each}, b)"
                if each
                else f"{example} {word} ..."
            )
        return self.cursor.fail(
            "SPEC126", f"'{self.cursor.text}' is a connective and cannot stand in a list of names", fix
        )

    def _predict(self, first: int) -> Formula:
        self.cursor.advance()
        example = "predict(c)" if self.around.in_module else f"predict({self.around.variable or 'x'}, c)"
        lead: list[Fraction] = []
        arguments = self._arguments(example, option=lambda: lead.append(self._lead()))
        if not 1 <= len(arguments) <= 2:
            raise self._wrong_count("predict", len(arguments), example, first)
        # A module's class may stand in the place of the variable, as it does in `>`.
        if len(arguments) == 2 and (not self.around.in_module or arguments[0][0] != self.around.class_name):
            self._variable(arguments[0])
        return Predict(arguments[-1][0], lead[0] if lead else Fraction(0), self.cursor.span(first))

    def _lead(self) -> Fraction:
        """`lead = 4`, which ends the arguments of `predict`."""
        cursor = self.cursor
        cursor.advance()
        cursor.advance()
        index = cursor.index
        value = cursor.number()
        if value == 0:
            fix = "write a lead above 0, or leave it out: predict(x, c) asks for the highest logit alone"
            cursor.mistake("SPEC124", "a lead of 0 is out of range", fix, index)
        return value

    def _has(self, first: int) -> Formula:
        self.cursor.advance()
        example = "hasCon(a)" if self.around.in_module else f"hasCon({self.around.variable or 'x'}, a)"
        arguments = self._arguments(example, several=True, spaced=self.around.in_module or self.around.variable is None)
        head, _, comma = arguments[0]
        if comma and len(arguments) > 1 and self.around.variable in (head, None):
            self._variable(arguments.pop(0))
        names = tuple(name for name, _, _ in arguments)
        span = self.cursor.span(first)
        return HasConcept(names[0], span) if len(names) == 1 else HasAll(names, span)

    def _stronger(self, first: int) -> Formula:
        cursor = self.cursor
        cursor.advance()
        subject = self.around.class_name if self.around.in_module else self.around.variable
        example = f">({subject or 'x'}, a, b)"
        if cursor.kind != "(":
            fix = f"write {example}, or the concept that is stronger before the '>'"
            raise cursor.fail("SPEC111", f"'(' or a concept on the left of '>' is expected, not {cursor.shown()}", fix)
        arguments = self._arguments(example)
        if len(arguments) != 3:
            raise self._wrong_count(">", len(arguments), example, first)
        if arguments[0][0] != self.around.class_name:
            self._variable(arguments[0], repeats_class=self.around.in_module)
        return Stronger(arguments[1][0], arguments[2][0], cursor.span(first))

    def _variable(self, argument: tuple[str, int, bool], *, repeats_class: bool = False) -> None:
        """Reports a first argument that is not the variable."""
        name, index, _ = argument
        if self.around.variable is None:
            self.around.variable = name
        if name == self.around.variable:
            return
        if repeats_class:
            expected = self.around.class_name
            fix = f"write '{expected}', the class that the module is about"
            self.cursor.mistake("SPEC206", f"'{name[:40]}' is not the class of this module", fix, index)
            return
        fix = f"write '{self.around.variable}', the variable of this property"
        self.cursor.mistake("SPEC205", f"unknown variable '{name[:40]}'", fix, index)

    def _wrong_count(self, predicate: str, count: int, example: str, first: int) -> Abandon:
        problem = f"'{predicate}' is given {count} argument{'' if count == 1 else 's'}"
        return self.cursor.fail("SPEC115", problem, f"write {example}", first)

    def _skip_arguments(self, first: int) -> None:
        """Goes behind the bracket that closes the atom which began at `first`, or stops before the next item."""
        cursor = self.cursor
        cursor.index = max(first, cursor.index)
        depth = sum({"(": 1, ")": -1}.get(cursor.kinds[i], 0) for i in range(first, cursor.index))
        if depth <= 0:
            if cursor.index == first:
                cursor.advance()
            if not cursor.accept("("):
                return
            depth = 1
        while depth > 0 and not (cursor.kind in ("end", ";", "}") or cursor.at_item() or cursor.at_specification()):
            depth += {"(": 1, ")": -1}.get(cursor.kind, 0)
            cursor.advance()
