"""A position in the token lists, with the few moves a recursive-descent parser makes."""

from __future__ import annotations

from fractions import Fraction

from conspect.language.syntax.grammar import COMPARISON_LIMIT, CONNECTIVE_WORDS, ITEM_WORDS, NAME_LIMIT
from conspect.language.syntax.lexer import tokenize
from conspect.language.syntax.source import Problems, SourceText
from conspect.language.syntax.suggestions import Suggester
from conspect.language.syntax.tree import Span


class Abandon(Exception):
    """Unwinds to the nearest recovery point after a reported mistake; never leaves the parser."""


class Cursor:
    """Reads tokens one by one and reports mistakes at them."""

    def __init__(self, source: SourceText, problems: Problems) -> None:
        self.source = source
        self.problems = problems
        self.suggester = Suggester()
        self.tokens = tokenize(source, problems)
        self.kinds = self.tokens.kinds
        self.texts = self.tokens.texts
        self.starts = self.tokens.starts
        self.index = 0
        self.comparisons = 0

    @property
    def kind(self) -> str:
        """Kind of the current token."""
        return self.kinds[self.index]

    @property
    def text(self) -> str:
        """Text of the current token; of a string, its content."""
        return self.texts[self.index]

    def kind_after(self, count: int = 1) -> str:
        """Kind of the token `count` places ahead; 'end' beyond the last."""
        return self.kinds[min(self.index + count, len(self.kinds) - 1)]

    def text_after(self, count: int = 1) -> str:
        """Text of the token `count` places ahead; empty beyond the last."""
        return self.texts[min(self.index + count, len(self.texts) - 1)]

    def advance(self) -> None:
        """Moves on; the closing token of kind 'end' is never passed."""
        if self.index < len(self.kinds) - 1:
            self.index += 1

    def accept(self, kind: str) -> bool:
        """Moves past a token of this kind, if it is there."""
        if self.kinds[self.index] == kind:
            self.advance()
            return True
        return False

    def at_word(self, *words: str) -> bool:
        """True at one of these bare words."""
        return self.kinds[self.index] == "name" and self.texts[self.index] in words

    def accept_word(self, *words: str) -> bool:
        """Moves past one of these bare words, if it is there."""
        if self.at_word(*words):
            self.advance()
            return True
        return False

    def span(self, first: int) -> Span:
        """From the token `first` to the last one read; the length counts characters and may cross lines."""
        start = self.starts[first]
        line, column = self.source.line_and_column(start)
        return Span(line, column, max(1, self.tokens.ends[max(first, self.index - 1)] - start))

    def starts_line(self, index: int | None = None) -> bool:
        """True for the first token of a line."""
        here = self.index if index is None else index
        line, _ = self.source.line_and_column(self.starts[here])
        return here == 0 or self.starts[here - 1] < self.source.line_starts[line - 1]

    def at_item(self) -> bool:
        """True at a word that begins a declaration, a property or a module, first on its line."""
        if self.kinds[self.index] != "name" or self.texts[self.index] not in ITEM_WORDS:
            return False
        follower = self.kind_after()
        if self.texts[self.index] == "imageCon":
            return follower == "(" and self.starts_line()
        return follower in ("name", "string") and self.starts_line()

    def at_capitalised(self, *words: str) -> bool:
        """True at one of these words written with other capitals."""
        if self.kinds[self.index] != "name" or self.texts[self.index] in words:
            return False
        return self.texts[self.index].lower() in {word.lower() for word in words}

    def miswritten(self, word: str) -> None:
        """Reports the current word, which means another one, and goes on as if that stood there."""
        self.mistake("SPEC127", f"'{self.text[:40]}' is written '{word}'", f"write {word}")
        self.texts[self.index] = word

    def at_specification(self) -> bool:
        """True at `E name ::>` or `E name :`, which begins a property of a module."""
        return self.at_word("E") and self.kind_after() in ("name", "string") and self.kind_after(2) in ("::>", ":")

    def shown(self) -> str:
        """The current token as a message names it."""
        if self.kind == "end":
            return "the end of the file"
        start, end = self.starts[self.index], self.tokens.ends[self.index]
        text = self.source.text[start : min(end, start + 40)]
        return f"'{text}'"

    def mistake(self, code: str, problem: str, fix: str, index: int | None = None) -> None:
        """Reports a mistake at a token (the current one by default) and goes on."""
        self.problems.error(code, problem, fix, self.starts[self.index if index is None else index])

    def fail(self, code: str, problem: str, fix: str, index: int | None = None) -> Abandon:
        """Reports a mistake and gives what to raise."""
        self.mistake(code, problem, fix, index)
        return Abandon()

    def expect(self, kind: str, fix: str) -> None:
        """Moves past a token of this kind or abandons with SPEC111."""
        if not self.accept(kind):
            raise self.fail("SPEC111", f"'{kind}' is expected, not {self.shown()}", fix)

    def name(self, what: str, fix: str) -> str:
        """Reads a name, bare or in double quotes."""
        if self.kind not in ("name", "string"):
            raise self.fail("SPEC111", f"{what} is expected, not {self.shown()}", fix)
        text = self.text
        if self.kind == "name" and text.lower() in CONNECTIVE_WORDS:
            fix = f"write connectives between predicates, as in 'not hasCon(x, a)' or 'a > b {text.lower()} b > c'"
            if text.lower() == "not":
                fix = "write 'not' before the predicate, as in 'not hasCon(x, a)'"
            self.mistake("SPEC126", f"'{text}' is a connective, and {what} is due here", fix)
        if not text.strip() or len(text) > NAME_LIMIT:
            fix = f"a name has between 1 and {NAME_LIMIT} characters"
            self.mistake("SPEC105", f"the name has {len(text)} characters", fix)
        self.advance()
        return text

    def number(self) -> Fraction:
        """Reads `0.4`, `2/5` or `40%`, exactly."""
        if self.kind != "number":
            fix = "write a number such as 0.4 or 95%"
            raise self.fail("SPEC111", f"a number is expected, not {self.shown()}", fix)
        value = Fraction(self.text)
        self.advance()
        if self.kind == "/" and self.kind_after() == "number":
            self.advance()
            below = Fraction(self.text)
            if below == 0:
                self.mistake("SPEC124", "division by zero", "write a number such as 0.4 or 2/5")
                below = Fraction(1)
            value /= below
            self.advance()
        return value / 100 if self.accept("%") else value

    def compare(self, count: int, first: int) -> None:
        """Counts the comparisons that a set stands for. Raises Abandon beyond what a file may hold."""
        self.comparisons += count
        if self.comparisons > COMPARISON_LIMIT:
            problem = f"the sets up to here stand for more than {COMPARISON_LIMIT:,} comparisons"
            raise self.fail("SPEC102", problem, "name fewer concepts, or split the file", first)
