"""From text to the syntax tree: declarations, properties and modules, in three spellings that mix freely."""

from __future__ import annotations

from dataclasses import dataclass

from conspect.core.diagnostics import Diagnostic, UserError
from conspect.language.syntax.cursor import Abandon, Cursor
from conspect.language.syntax.formulas import FormulaParser, Surroundings
from conspect.language.syntax.grammar import BETWEEN, CONNECTIVE_WORDS, ITEM_WORDS, PHRASE_LIMIT
from conspect.language.syntax.quantifiers import QuantifierParser
from conspect.language.syntax.source import Problems, SourceText, TooManyProblems, read_source
from conspect.language.syntax.tree import (
    ClassDeclaration,
    ConceptDeclaration,
    ForAll,
    ForShare,
    ForShareNear,
    ImageConcepts,
    Item,
    Module,
    NameDeclaration,
    Property,
    Quantifier,
    Specification,
)

BARE_NAME = "formula_"  # a bare formula of paper style is called formula_1, formula_2, ... by its order in the file


@dataclass(frozen=True, slots=True)
class ParseResult:
    """What parsing found. With errors, `tree` holds only the items that were understood: not fit for proofs."""

    tree: Specification
    errors: tuple[Diagnostic, ...]
    source: SourceText
    comments: tuple[tuple[int, str], ...]


def parse(content: str | bytes, file: str = "<specification>") -> Specification:
    """The syntax tree of a specification in any mix of spellings. Raises UserError with every mistake found."""
    parsed = parse_with_diagnostics(content, file)
    if parsed.errors:
        raise UserError(*parsed.errors)
    return parsed.tree


def parse_with_diagnostics(content: str | bytes, file: str = "<specification>") -> ParseResult:
    """Tree, mistakes, text and comments; never raises, whatever the content."""
    source, errors = read_source(content, file)
    problems = Problems(source)
    items: list[Item] = []
    comments: list[tuple[int, str]] = []
    try:
        cursor = Cursor(source, problems)
        comments = cursor.tokens.comments
        SpecificationParser(cursor, items).items_to_end()
    except TooManyProblems:
        pass
    problems.errors.sort(key=_position)
    return ParseResult(Specification(tuple(items)), (*errors, *problems.errors), source, tuple(comments))


def _position(problem: Diagnostic) -> tuple[bool, int, int]:
    place = problem.place
    return problem.code == "SPEC119", (place.line if place else 0) or 0, (place.column if place else 0) or 0


def _surroundings(quantifier: Quantifier, variable: str) -> Surroundings:
    match quantifier:
        case ForAll(region):
            return Surroundings(variable, region.class_name)
        case ForShare(_, images) | ForShareNear(_, images):
            return Surroundings(variable, images.class_name)
        case _:
            return Surroundings(variable)


class SpecificationParser:
    """Parses a file item by item; after a mistake it goes on with the next item."""

    def __init__(self, cursor: Cursor, items: list[Item]) -> None:
        self.cursor = cursor
        self.items = items
        self.formulas = FormulaParser(cursor)
        self.quantifiers = QuantifierParser(cursor)
        self._bare = 0
        self._column = 1 << 30

    def items_to_end(self) -> None:
        """Reads until the end of the file."""
        cursor = self.cursor
        while cursor.kind != "end":
            if cursor.accept(";"):
                continue
            before, errors = cursor.index, len(cursor.problems.errors)
            try:
                item = self._item()
                if len(cursor.problems.errors) == errors:
                    self.items.append(item)
            except Abandon:
                self._skip_to_item(before)
            if cursor.index == before:  # a token that begins nothing and was reported
                cursor.advance()

    def _item(self) -> Item:
        cursor, first = self.cursor, self.cursor.index
        if cursor.at_capitalised(*ITEM_WORDS) and cursor.kind_after() in ("name", "string"):
            cursor.miswritten(next(word for word in ITEM_WORDS if word.lower() == cursor.text.lower()))
        word = cursor.text if cursor.kind == "name" and cursor.text in ITEM_WORDS else ""
        follower = cursor.kind_after()
        if word == "imageCon" and follower == "(":
            item: Item = self._image_concepts(first)
        elif word and follower in ("name", "string"):
            item = self._worded(word, first)
        elif word and follower not in (">", "("):
            example = {"Module": "Module m (network, class, rep) { ... }", "property": "property p: ..."}
            fix = f"write {example.get(word, word + ' NAME')}"
            cursor.advance()
            raise cursor.fail("SPEC111", f"a name is expected after '{word}', not {cursor.shown()}", fix)
        else:
            item = self._bare_formula(first)
        self._column = cursor.source.line_and_column(cursor.starts[first])[1]
        return item

    def _worded(self, word: str, first: int) -> Item:
        cursor = self.cursor
        cursor.advance()
        name = cursor.name("a name", f"write {word} NAME")
        if word in ("concept", "con"):
            phrases = self._phrases() if cursor.accept("=") else ()
            return ConceptDeclaration(name, phrases, "concept" if word == "concept" else "con", cursor.span(first))
        if word == "class":
            return ClassDeclaration(name, cursor.span(first))
        if word in ("network", "rep", "img"):
            return NameDeclaration(word, name, cursor.span(first))  # type: ignore[arg-type]
        return self._module(name, first) if word == "Module" else self._property(name, first)

    def _phrases(self) -> tuple[str, ...]:
        cursor = self.cursor
        phrases = []
        while True:
            if cursor.kind != "string":
                fix = 'write the phrases in double quotes: concept metallic = "made of metal", "shiny metal surface"'
                raise cursor.fail("SPEC111", f"a phrase in double quotes is expected, not {cursor.shown()}", fix)
            if not cursor.text.strip() or len(cursor.text) > PHRASE_LIMIT:
                problem = f"the phrase has {len(cursor.text.strip())} characters"
                cursor.mistake("SPEC105", problem, f"write what a caption would say, in 1 to {PHRASE_LIMIT} characters")
            phrases.append(cursor.text)
            cursor.advance()
            if cursor.kind == "string":
                cursor.mistake("SPEC111", "',' is expected between two phrases", "write a comma between phrases")
                continue
            if not cursor.accept(","):
                return tuple(phrases)

    def _property(self, name: str, first: int) -> Property:
        cursor = self.cursor
        cursor.expect(":", f"write property {name[:40]}: for all x in focus(c): ...")
        quantifier: Quantifier | None = None
        around = Surroundings(variable=None)
        if self.quantifiers.at_quantifier():
            try:
                quantifier, variable = self.quantifiers.quantifier()
                around = _surroundings(quantifier, variable)
            except Abandon:  # the header is lost; the formula may hold mistakes of its own worth telling
                if not self._skip_to_colon():
                    raise
        formula = self.formulas.formula(around)
        self._end_of_formula(first)
        return Property(name, quantifier, formula, around.variable or "x", cursor.span(first))

    def _bare_formula(self, first: int) -> Property:
        cursor = self.cursor
        column = cursor.source.line_and_column(cursor.starts[first])[1]
        if self.items and not self._separated(first, column):
            fix = "join them with 'and', or begin the second on a line of its own, no deeper than the item above"
            cursor.mistake("SPEC114", "two formulas stand side by side without an operator", fix)
        around = Surroundings(variable=None)
        quantifier: Quantifier | None = None
        if self.quantifiers.at_quantifier():
            quantifier, variable = self.quantifiers.quantifier()
            around = _surroundings(quantifier, variable)
        formula = self.formulas.formula(around)
        self._end_of_formula(first)
        self._bare += 1
        return Property(f"{BARE_NAME}{self._bare}", quantifier, formula, around.variable or "x", cursor.span(first))

    def _separated(self, first: int, column: int) -> bool:
        cursor = self.cursor
        return cursor.kinds[first - 1] == ";" or (cursor.starts_line(first) and column <= self._column)

    def _end_of_formula(self, first: int) -> None:
        """Reports what cannot follow a formula at the top level."""
        cursor = self.cursor
        if cursor.kind in ("end", ";") or cursor.at_item():
            return
        if cursor.kind in (")", "}"):
            raise cursor.fail("SPEC118", f"{cursor.shown()} closes nothing", "remove it, or open it before")
        column = cursor.source.line_and_column(cursor.starts[first])[1]
        here = cursor.source.line_and_column(cursor.starts[cursor.index])[1]
        if cursor.starts_line() and here <= column:
            return
        if cursor.kind == "name" and cursor.text in ITEM_WORDS and cursor.kind_after() in ("name", "string"):
            return
        self._side_by_side()

    def _side_by_side(self) -> None:
        cursor = self.cursor
        if cursor.at_capitalised(*CONNECTIVE_WORDS):
            word = cursor.text.lower()
            raise cursor.fail("SPEC127", f"'{cursor.text}' is written '{word}'", f"write {word}")
        if cursor.kind == "name" and cursor.text.lower() in BETWEEN:
            raise cursor.fail("SPEC127", f"'{cursor.text}' is not a word of formulas", BETWEEN[cursor.text.lower()])
        if cursor.kind in (">", "not", "(", "name", "string", "∀"):
            fix = f"write an operator before {cursor.shown()}: and, or, implies, iff"
            raise cursor.fail("SPEC114", "two formulas stand side by side without an operator", fix)
        fix = "after a formula comes an operator (and, or, implies, iff) or a new property"
        raise cursor.fail("SPEC111", f"{cursor.shown()} cannot stand here", fix)

    def _module(self, name: str, first: int) -> Module:
        cursor = self.cursor
        example = f"Module {name[:40]} (network, class, rep) {{ E e1 ::> predict(class) }}"
        cursor.expect("(", f"write {example}")
        header = []
        for position in range(3):
            if position:
                cursor.expect(",", f"write {example}")
            header.append(cursor.name(("a network", "a class", "a representation")[position], f"write {example}"))
        cursor.expect(")", f"write {example}")
        opened = cursor.index
        cursor.expect("{", f"write {example}")
        properties: list[Property] = []
        while cursor.kind not in ("end", "}") and not (cursor.at_item() and not cursor.at_specification()):
            if cursor.accept(";"):
                continue
            before, errors = cursor.index, len(cursor.problems.errors)
            try:
                property_ = self._specification(header[1])
                if len(cursor.problems.errors) == errors:
                    properties.append(property_)
            except Abandon:
                self._skip_to_specification(before)
            if cursor.index == before:
                cursor.advance()
        if not cursor.accept("}"):
            raise cursor.fail("SPEC118", f"the brace of module '{name[:40]}' is not closed", "write '}'", opened)
        return Module(name, header[0], header[1], header[2], tuple(properties), cursor.span(first))

    def _specification(self, class_name: str) -> Property:
        cursor, first = self.cursor, self.cursor.index
        example = f"E e1 ::> predict({class_name[:40]})"
        if not cursor.accept_word("E"):
            raise cursor.fail("SPEC111", f"'E' is expected, not {cursor.shown()}", f"write {example}")
        name = cursor.name("a name", f"write {example}")
        cursor.expect("::>", f"write {example}")
        formula = self.formulas.formula(Surroundings("x", class_name, in_module=True))
        if cursor.kind not in ("}", "end", ";") and not cursor.at_word("E") and not cursor.at_item():
            if cursor.kind == ")":
                raise cursor.fail("SPEC118", "')' closes nothing", "remove it, or open it before")
            self._side_by_side()
        return Property(name, None, formula, "x", cursor.span(first))

    def _image_concepts(self, first: int) -> ImageConcepts:
        cursor = self.cursor
        example = "imageCon(photo1) = {metallic, wheels}"
        cursor.advance()
        cursor.expect("(", f"write {example}")
        image = cursor.name("an image", f"write {example}")
        cursor.expect(")", f"write {example}")
        cursor.expect("=", f"write {example}")
        return ImageConcepts(image, self.formulas.braced_names(example), cursor.span(first))

    def _skip_to_item(self, before: int) -> None:
        cursor = self.cursor
        if cursor.index == before:
            cursor.advance()
        while cursor.kind not in ("end", ";") and not cursor.at_item():
            cursor.advance()
        self._column = 1 << 30

    def _skip_to_specification(self, before: int) -> None:
        cursor = self.cursor
        if cursor.index == before:
            cursor.advance()
        while not (cursor.kind in ("end", ";", "}") or cursor.at_specification() or cursor.at_item()):
            cursor.advance()

    def _skip_to_colon(self) -> bool:
        cursor = self.cursor
        while not (cursor.kind in ("end", ";", "}", ":") or cursor.at_item() or cursor.at_specification()):
            cursor.advance()
        return cursor.accept(":")
