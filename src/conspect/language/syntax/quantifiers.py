"""The quantifier part of the parser: for all in a focus region, for a share of images, for one image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeAlias, cast

from conspect.language.syntax.cursor import Cursor
from conspect.language.syntax.grammar import CONNECTIVE_WORDS, EVERYDAY, SHAPES
from conspect.language.syntax.tree import (
    ORDINARY,
    Focus,
    ForAll,
    ForImage,
    ForImageNear,
    ForShare,
    ForShareNear,
    Images,
    Near,
    Quantifier,
    RegionShape,
)

# The value of an option of a quantifier: a number, or a name.
OptionValue: TypeAlias = Fraction | str
_EXAMPLES = (
    "for all x in focus(truck, gamma = 0.4):",
    'for 95% of x in images(truck, split = "test"):',
    'for x = image("test/00017"):',
)
FOR_ALL = ("all", "every", "each", "any")
# What people write after "for" by habit, and what to write instead.
NO_QUANTIFIER = {
    "some": EVERYDAY["exists"],
    "one": EVERYDAY["exists"],
    "no": "write 'for all x in ...: not (...)'",
    "most": f"say how many: {_EXAMPLES[1]}",
    "many": f"say how many: {_EXAMPLES[1]}",
    "almost": f"say how many: {_EXAMPLES[1]}",
    "nearly": f"say how many: {_EXAMPLES[1]}",
    "half": f"say how many: {_EXAMPLES[1]}",
}
_NEAR = "for 90% of x in images(truck): for all y near x (changes = ordinary, share = 90%):"
_NEAR_IMAGE = 'for all y near image("test/00017"):'


class QuantifierParser:
    """Parses `for ... :`."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor

    def at_quantifier(self) -> bool:
        """True at `for`, `forall` or its sign, unless `for` is a concept in a comparison."""
        if self.cursor.at_capitalised("for", "forall") and self.cursor.kind_after() in ("name", "number"):
            self.cursor.miswritten(self.cursor.text.lower())
        word = self.cursor.text.lower() if self.cursor.kind == "name" else ""
        if word == "exists" and self.cursor.kind_after() == "name":
            raise self.cursor.fail("SPEC127", "'exists' is not a quantifier of this language", EVERYDAY["exists"])
        return self.cursor.kind == "∀" or (self.cursor.at_word("for", "forall") and self.cursor.kind_after() != ">")

    def quantifier(self) -> tuple[Quantifier, str]:
        """The quantifier up to its colon, and its variable."""
        cursor, first = self.cursor, self.cursor.index
        short = cursor.kind == "∀" or cursor.at_word("forall")
        cursor.advance()
        if cursor.at_capitalised(*FOR_ALL) and cursor.kind_after() == "name":
            cursor.miswritten(cursor.text.lower())
        word = cursor.text.lower() if cursor.kind == "name" else ""
        if word in NO_QUANTIFIER and cursor.kind_after() == "name":
            raise cursor.fail(
                "SPEC127", f"'for {cursor.text}' is not a quantifier of this language", NO_QUANTIFIER[word]
            )
        if short or cursor.accept_word(*FOR_ALL):
            return self._for_all(first)
        if cursor.kind == "number" or cursor.at_word("at"):
            return self._for_share(first)
        variable = cursor.name("'all', a share such as 95%, or a variable", f"write {_EXAMPLES[0]}")
        if cursor.accept("="):
            return self._for_image(first, variable)
        raise cursor.fail(
            "SPEC121", f"this quantifier does not say how many: {cursor.shown()}", f"write {_EXAMPLES[0]}", first
        )

    def _for_all(self, first: int) -> tuple[Quantifier, str]:
        cursor = self.cursor
        variable = cursor.name("a variable", f"write {_EXAMPLES[0]}")
        if cursor.at_word("near"):
            return self._near_image(first, variable)
        self._in(first, _EXAMPLES[0])
        if cursor.at_word("images"):
            fix = "write 'for 100% of x in images(...)' for the images, or 'for all x in focus(...)' for a region"
            raise cursor.fail("SPEC122", "'for all' speaks of a focus region, not of images", fix)
        region = self._focus()
        if cursor.accept_word("where"):
            region = self._cut(region, variable)
        self._colon(_EXAMPLES[0])
        return ForAll(region, cursor.span(first)), variable

    def _for_share(self, first: int) -> tuple[Quantifier, str]:
        cursor = self.cursor
        if cursor.accept_word("at") and not cursor.accept_word("least"):
            raise cursor.fail("SPEC111", f"'least' is expected, not {cursor.shown()}", "write 'for at least 95% of x'")
        index = cursor.index
        share = self.cursor.number()
        if cursor.at_word("percent", "per") or cursor.at_capitalised("percent"):
            raise cursor.fail("SPEC127", f"{cursor.shown()} is written '%'", f"write {_EXAMPLES[1]}")
        if not 0 < share <= 1:
            fix = "write a share above 0% and up to 100%, such as 95% or 0.95"
            cursor.mistake("SPEC124", f"a share of {_shown(share)} is out of range", fix, index)
        if not cursor.accept_word("of"):
            raise cursor.fail("SPEC111", f"'of' is expected, not {cursor.shown()}", f"write {_EXAMPLES[1]}")
        variable = cursor.name("a variable", f"write {_EXAMPLES[1]}")
        self._in(first, _EXAMPLES[1])
        if cursor.at_word("focus"):
            fix = "write 'for all x in focus(...)', or 'for 95% of x in images(...)'"
            raise cursor.fail("SPEC122", "a share can be claimed of images, not of a focus region", fix)
        images = self._images()
        self._colon(_EXAMPLES[1])
        if self.at_quantifier():
            near, inner = self._near(variable)
            return ForShareNear(share, images, near, variable, cursor.span(first)), inner
        return ForShare(share, images, cursor.span(first)), variable

    def _for_image(self, first: int, variable: str) -> tuple[Quantifier, str]:
        cursor = self.cursor
        name = self._image(_EXAMPLES[2])
        self._colon(_EXAMPLES[2])
        if self.at_quantifier():
            near, inner = self._near(variable)
            return ForImageNear(name, near, cursor.span(first)), inner
        return ForImage(name, cursor.span(first)), variable

    def _image(self, example: str) -> str:
        cursor = self.cursor
        if not cursor.accept_word("image"):
            raise cursor.fail("SPEC111", f"'image' is expected, not {cursor.shown()}", f"write {example}")
        cursor.expect("(", f"write {example}")
        name = cursor.name("an image id", f"write {example}")
        cursor.expect(")", f"write {example}")
        return name

    def _near_image(self, first: int, variable: str) -> tuple[Quantifier, str]:
        """`near image("test/00017") (...)`, from `near` on."""
        cursor, index = self.cursor, self.cursor.index
        cursor.advance()
        if not cursor.at_word("image"):
            problem = f"this neighbourhood does not say around which image it lies: {cursor.shown()}"
            raise cursor.fail("SPEC128", problem, f"write {_NEAR}, or {_NEAR_IMAGE}", index)
        name = self._image(_NEAR_IMAGE)
        near = self._near_options(index)
        self._colon(_NEAR_IMAGE)
        return ForImageNear(name, near, cursor.span(first)), variable

    def _near(self, around: str) -> tuple[Near, str]:
        """`for all y near x (...):` behind the quantifier that says which images x stands for, and its variable."""
        cursor = self.cursor
        short = cursor.kind == "∀" or cursor.at_word("forall")
        cursor.advance()
        if not short and not cursor.accept_word(*FOR_ALL):
            raise cursor.fail("SPEC111", f"'all' is expected, not {cursor.shown()}", f"write {_NEAR}")
        index = cursor.index
        variable = cursor.name("a variable", f"write {_NEAR}")
        if variable == around:
            problem = f"'{variable[:40]}' stands for the image already"
            cursor.mistake("SPEC128", problem, f"give the points near it a name of their own: {_NEAR}", index)
        index = cursor.index
        if not cursor.accept_word("near"):
            fix = f"behind a quantifier over images comes the formula, or the neighbourhood of each: {_NEAR}"
            raise cursor.fail("SPEC122", "a second quantifier can speak of a neighbourhood alone", fix)
        place = cursor.index
        name = cursor.name("the variable of the images", f"write {_NEAR}")
        if name != around:
            problem = f"'{name[:40]}' is not an image that this property speaks of"
            cursor.mistake("SPEC128", problem, f"write near {around}, the image of the first quantifier", place)
        near = self._near_options(index)
        self._colon(_NEAR)
        return near, variable

    def _near_options(self, first: int) -> Near:
        options: dict[str, OptionValue] = {}
        if self.cursor.accept("("):
            self._options(options, {"changes": self._changes, "share": self._near_share}, after_first=False)
        default = Near()
        return Near(
            cast("str", options.get("changes", ORDINARY)),
            cast("Fraction", options.get("share", default.share)),
            self.cursor.span(first),
        )

    def _changes(self) -> str:
        return self.cursor.name("a name of changes", f"write changes = {ORDINARY}, or a change that study.toml names")

    def _near_share(self) -> Fraction:
        index = self.cursor.index
        value = self.cursor.number()
        if not 0 < value < 1:
            fix = "write a share above 0% and below 100%, such as 90%: no finite neighbourhood is sure to hold all pictures"
            self.cursor.mistake("SPEC124", f"a share of {_shown(value)} is out of range", fix, index)
        return value

    def _in(self, first: int, example: str) -> None:
        cursor = self.cursor
        if cursor.accept("∈") or cursor.accept_word("in"):
            return
        raise cursor.fail("SPEC121", "the quantifier has no region", f"say where it holds: {example}", first)

    def _colon(self, example: str) -> None:
        self.cursor.expect(":", f"a quantifier ends with a colon: {example}")

    def _focus(self) -> Focus:
        cursor, first = self.cursor, self.cursor.index
        if not cursor.accept_word("focus"):
            hint = cursor.suggester.hint(cursor.text, ("focus",))
            fix = f"write {_EXAMPLES[0]}"
            raise cursor.fail("SPEC111", f"a region is expected, not {cursor.shown()}{hint}", fix)
        cursor.expect("(", f"write {_EXAMPLES[0]}")
        class_name = cursor.name("a class", f"write {_EXAMPLES[0]}")
        if cursor.kind == "name" and cursor.text in CONNECTIVE_WORDS:
            fix = "write a property for each class"
            raise cursor.fail("SPEC126", f"'{cursor.text}' is a connective, and a region is that of one class", fix)
        options: dict[str, OptionValue] = {}
        self._options(
            options, {"gamma": self._gamma, "coverage": self._coverage, "shape": self._shape}, after_first=True
        )
        return Focus(
            class_name,
            cast("Fraction | None", options.get("gamma")),
            cast("Fraction | None", options.get("coverage")),
            cast("RegionShape | None", options.get("shape")),
            span=cursor.span(first),
        )

    def _images(self) -> Images:
        cursor, first = self.cursor, self.cursor.index
        if not cursor.accept_word("images"):
            raise cursor.fail("SPEC111", f"'images' is expected, not {cursor.shown()}", f"write {_EXAMPLES[1]}")
        cursor.expect("(", f"write {_EXAMPLES[1]}")
        class_name = None
        if cursor.kind in ("name", "string") and cursor.kind_after() != "=":
            class_name = cursor.name("a class", f"write {_EXAMPLES[1]}")
        options: dict[str, OptionValue] = {}
        self._options(options, {"split": self._split}, after_first=class_name is not None)
        return Images(class_name, cast("str | None", options.get("split")), cursor.span(first))

    def _options(
        self, options: dict[str, OptionValue], readers: Mapping[str, Callable[[], OptionValue]], *, after_first: bool
    ) -> None:
        """`, key = value` until the closing bracket."""
        cursor = self.cursor
        known = ", ".join(readers)
        if not after_first and cursor.accept(")"):
            return
        while not after_first or cursor.accept(","):
            after_first = True
            index = cursor.index
            if cursor.kind == "number":
                raise cursor.fail("SPEC106", "a number is written with a point", "write 0.4, not 0,4")
            key = cursor.name("an option", f"the options are: {known}")
            reader = readers.get(key)
            if reader is None:
                hint = cursor.suggester.hint(key, readers)
                raise cursor.fail("SPEC123", f"unknown option '{key[:40]}'{hint}", f"the options are: {known}", index)
            if key in options:
                cursor.mistake("SPEC123", f"'{key}' is given twice", "keep one of the two", index)
            if {key, *options} >= {"gamma", "coverage"}:
                fix = "give the region's size by gamma or by coverage, not by both"
                cursor.mistake("SPEC123", "gamma and coverage contradict each other", fix, index)
            cursor.expect("=", f"write {key} = ...")
            options[key] = reader()
        cursor.expect(")", f"close the bracket; options are written as in focus(truck, gamma = 0.4): {known}")

    def _cut(self, region: Focus, variable: str) -> Focus:
        cursor = self.cursor
        example = f"where predict({variable}, {region.class_name})"
        first = cursor.index
        if not cursor.accept_word("predict"):
            raise cursor.fail("SPEC111", f"'predict' is expected, not {cursor.shown()}", f"write {example}")
        cursor.expect("(", f"write {example}")
        index = cursor.index
        name = cursor.name("a class", f"write {example}")
        if cursor.accept(","):
            if name != variable:
                fix = f"write '{variable}', the variable of this property"
                cursor.mistake("SPEC205", f"unknown variable '{name[:40]}'", fix, index)
            index = cursor.index
            name = cursor.name("a class", f"write {example}")
        cursor.expect(")", f"write {example}")
        if name != region.class_name:
            problem = f"the region of '{region.class_name[:40]}' cannot be cut with '{name[:40]}'"
            cursor.mistake("SPEC125", problem, f"write {example}, or put the condition into the formula", index)
        span = region.span
        return Focus(
            region.class_name, region.gamma, region.coverage, region.shape, True, span if span else cursor.span(first)
        )

    def _gamma(self) -> Fraction:
        return self.cursor.number()  # no sign in the grammar: never negative

    def _coverage(self) -> Fraction:
        index = self.cursor.index
        value = self.cursor.number()
        if not 0 < value <= 1:
            fix = "write a share above 0% and up to 100%, such as 90% or 0.9"
            self.cursor.mistake("SPEC124", f"a coverage of {_shown(value)} is out of range", fix, index)
        return value

    def _shape(self) -> RegionShape:
        cursor, index = self.cursor, self.cursor.index
        shape = cursor.name("a shape", f"the shapes are: {', '.join(SHAPES)}")
        if shape not in SHAPES:
            hint = cursor.suggester.hint(shape, SHAPES)
            fix = f"the shapes are: {', '.join(SHAPES)}"
            cursor.mistake("SPEC123", f"unknown shape '{shape[:40]}'{hint}", fix, index)
            return "box"
        return cast("RegionShape", shape)

    def _split(self) -> str:
        return self.cursor.name("a split", 'write split = "test"')


def _shown(share: Fraction) -> str:
    return f"{float(share * 100):g}%"
