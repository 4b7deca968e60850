"""From the syntax tree to text. Whatever is written parses back to the same tree: `parse(write(t)) == t`.

Three spellings mix in one file, so each of them can carry every tree; what a spelling cannot say by its own means
alone is the concern of `conspect.language.writing.respelling`.
"""

from __future__ import annotations

import re
from fractions import Fraction

from conspect.core.diagnostics import UserError, user_error
from conspect.language.meaning.expansion import nodes, require_depth
from conspect.language.syntax.grammar import (
    BINDING,
    CONNECTIVE_WORDS,
    NAME_LIMIT,
    NUMBER_LIMIT,
    PHRASE_LIMIT,
    QUANTIFIER_WORDS,
    RESERVED,
    WRITTEN,
    Connective,
    Spelling,
)
from conspect.language.syntax.parser import BARE_NAME
from conspect.language.syntax.tree import (
    And,
    Chain,
    ClassDeclaration,
    ConceptDeclaration,
    Each,
    Focus,
    ForAll,
    ForImage,
    ForImageNear,
    Formula,
    ForShare,
    ForShareNear,
    HasAll,
    HasConcept,
    Iff,
    ImageConcepts,
    Images,
    Implies,
    Item,
    Module,
    NameDeclaration,
    Near,
    Not,
    Or,
    Predict,
    Property,
    Quantifier,
    Specification,
    Stronger,
)

_NAME = re.compile(r"[^\W\d]\w*(?:-\w+)*")
_ATOMIC = 9


def write(specification: Specification, spelling: Spelling | None = None) -> str:
    """The text of a specification, in one spelling or (None) each item in the one made for it. UserError: SPEC402."""
    bare = BareNames()
    texts = [write_item(item, bare, spelling) for item in specification.items]
    lines: list[str] = []
    for index, (item, text) in enumerate(zip(specification.items, texts, strict=True)):
        if index and ("\n" in text or type(item) is not type(specification.items[index - 1])):
            lines.append("")
        lines.append(text)
    return "\n".join(lines) + "\n" if lines else ""


class BareNames:
    """Counts the bare formulas written so far: the next one can go without a name if it bears the counted one."""

    def __init__(self) -> None:
        self.written = 0

    def fits(self, item: Property) -> bool:
        """True when the property can be written without its name; counts it."""
        if item.name != f"{BARE_NAME}{self.written + 1}":
            return False
        self.written += 1
        return True


def write_item(item: Item, bare: BareNames, spelling: Spelling | None = None) -> str:
    """One declaration, property or module; may have several lines."""
    match item:
        case ClassDeclaration(name):
            return f"class {write_name(name)}"
        case ConceptDeclaration(name, phrases, word):
            if spelling is not None or word is None:  # each style has its word; phrases come with the house style's
                word = "concept" if phrases or spelling == "house" else "con"
            listed = ", ".join(quote(phrase, PHRASE_LIMIT) for phrase in phrases)
            return f"{word} {write_name(name)}{f' = {listed}' if phrases else ''}"
        case NameDeclaration(kind, name):
            return f"{kind} {write_name(name)}"
        case ImageConcepts(image, concepts):
            return f"imageCon({write_name(image)}) = {_braces(concepts)}"
        case Property():
            return _property(item, bare, spelling)
        case Module():
            body = [f"    {write_specification(part, item, spelling)}" for part in item.properties]
            return "\n".join([write_header(item), *body, "}"])


def write_header(module: Module) -> str:
    """`Module m (network, class, rep) {`."""
    names = ", ".join(write_name(name) for name in (module.network, module.class_name, module.rep))
    return f"Module {write_name(module.name)} ({names}) {{"


def write_specification(item: Property, module: Module, spelling: Spelling | None = None) -> str:
    """`E e1 ::> formula`."""
    if item.quantifier is not None or item.variable != "x":
        raise _cannot(f"property '{item.name}' of a module with a quantifier or variable of its own")
    formula = write_formula(item.formula, spelling or "module", "x", module_class=module.class_name)
    return f"E {write_name(item.name)} ::> {formula}"


def _property(item: Property, bare: BareNames, spelling: Spelling | None) -> str:
    unnamed = bare.fits(item)
    chosen: Spelling = spelling or ("paper" if unnamed and item.quantifier is None else "house")
    quantifier = "" if item.quantifier is None else write_quantifier(item.quantifier, item.variable)
    formula = _property_formula(item, chosen)
    name = "" if unnamed else f"property {write_name(item.name)}:"
    if chosen != "house" or (unnamed and not quantifier):
        return " ".join(part for part in (name, quantifier, formula) if part)
    if unnamed:
        return f"{quantifier}\n    {formula}"
    if not quantifier:
        return f"{name}\n    {formula}"
    return f"{name}\n    {quantifier}\n        {formula}"


def _property_formula(item: Property, spelling: Spelling) -> str:
    """The formula, with its variable shown somewhere if nothing else tells it."""
    if item.quantifier is None and item.variable != "x":
        parts = nodes(item.formula)
        if not any(isinstance(node, (Predict, HasConcept, HasAll)) for node in parts):
            if not any(isinstance(node, Stronger) for node in parts):
                raise _cannot(f"variable '{item.variable}' of '{item.name}', which neither quantifier nor atom names")
            return write_formula(item.formula, spelling, item.variable, prefix=True)
    return write_formula(item.formula, spelling, item.variable)


def write_quantifier(quantifier: Quantifier, variable: str) -> str:
    """`for all x in focus(...):` and its like, with the colon."""
    name = _variable(variable)
    match quantifier:
        case ForAll(region):
            cut = f" where predict({name}, {write_name(region.class_name)})" if region.cut else ""
            return f"for all {name} in {_focus(region)}{cut}:"
        case ForShare(share, images):
            return f"for {_percent(share)} of {name} in {_images(images)}:"
        case ForImage(image_id):
            return f"for {name} = image({quote(image_id, NAME_LIMIT)}):"
        case ForShareNear(share, images, near, around):
            if around == variable:
                raise _cannot(f"a neighbourhood whose points are called '{variable}' like its image")
            image = _variable(around)
            return f"for {_percent(share)} of {image} in {_images(images)}: for all {name} near {image} {_near(near)}:"
        case ForImageNear(image_id, near):
            return f"for all {name} near image({quote(image_id, NAME_LIMIT)}) {_near(near)}:"


def _variable(name: str) -> str:
    return f'"{name}"' if name in QUANTIFIER_WORDS else write_name(name)


def _near(near: Near) -> str:
    if not 0 < near.share < 1:
        raise _cannot(f"a neighbourhood with a share of {near.share}")
    return f"(changes = {write_name(near.changes)}, share = {_percent(near.share)})"


def _focus(region: Focus) -> str:
    options = [write_name(region.class_name)]
    if region.gamma is not None and region.coverage is not None:
        raise _cannot("a region with both gamma and coverage")
    if region.gamma is not None:
        options.append(f"gamma = {_number(region.gamma)}")
    if region.coverage is not None:
        options.append(f"coverage = {_percent(region.coverage)}")
    if region.shape is not None:
        options.append(f"shape = {region.shape}")
    return f"focus({', '.join(options)})"


def _images(images: Images) -> str:
    options = [] if images.class_name is None else [write_name(images.class_name)]
    if images.split is not None:
        options.append(f"split = {quote(images.split, NAME_LIMIT)}")
    return f"images({', '.join(options)})"


def write_formula(
    formula: Formula,
    spelling: Spelling = "house",
    variable: str = "x",
    *,
    module_class: str | None = None,
    prefix: bool = False,
) -> str:
    """A formula on one line. `module_class`: of the module it stands in; `prefix`: always `>(x, a, b)`."""
    require_depth(formula)
    subject = None if module_class is not None else variable
    prefix = prefix or spelling != "house"
    return _FormulaWriter(spelling, subject, module_class or variable, prefix).write(formula, 0)


class _FormulaWriter:
    def __init__(self, spelling: Spelling, variable: str | None, subject: str, prefix: bool) -> None:
        self.words = WRITTEN[spelling]
        self.variable = "" if variable is None else f"{write_name(variable)}, "
        self.between = " " if variable is None else ", "  # modules list the concepts of hasCon without commas
        self.subject = write_name(subject)
        self.prefix = prefix

    def write(self, formula: Formula, minimum: int) -> str:
        """The formula, in brackets where it binds less tightly than `minimum`."""
        text, binding = self._parts(formula)
        return f"({text})" if binding < minimum else text

    def _parts(self, formula: Formula) -> tuple[str, int]:  # noqa: PLR0911 (one return for each kind of node)
        match formula:
            case Predict(class_name, lead):
                option = f", lead = {_number(lead)}" if lead else ""
                return f"predict({self.variable}{write_name(class_name)}{option})", _ATOMIC
            case Stronger(left, right):
                a, b = write_name(left), write_name(right)
                return (f">({self.subject}, {a}, {b})" if self.prefix else f"{a} > {b}"), _ATOMIC
            case HasConcept(concept):
                return f"hasCon({self.variable}{write_name(concept)})", _ATOMIC
            case HasAll(concepts):
                _require_several(concepts, "a list of concepts")
                return f"hasCon({self.variable}{self.between.join(map(write_name, concepts))})", _ATOMIC
            case Chain(concepts):
                if len(concepts) < 3:
                    raise _cannot("a chain of fewer than three concepts")
                return " > ".join(map(write_name, concepts)), _ATOMIC
            case Each(left_names, right_names):
                return f"each of {_braces(left_names)} > each of {_braces(right_names)}", _ATOMIC
            case Not(operand):
                return f"{self.words['not']}{self.write(operand, BINDING['not'])}", BINDING["not"]
            case And(operands):
                return self._join("and", operands)
            case Or(operands):
                return self._join("or", operands)
            case Implies(left_side, right_side):
                return self._two("implies", left_side, right_side)
            case Iff(left_side, right_side):
                return self._two("iff", left_side, right_side)

    def _join(self, connective: Connective, operands: tuple[Formula, ...]) -> tuple[str, int]:
        _require_several(operands, f"'{connective}'")
        binding = BINDING[connective]
        word = f" {self.words[connective]} "
        return word.join([self.write(part, binding + 1) for part in operands]), binding

    def _two(self, connective: Connective, left: Formula, right: Formula) -> tuple[str, int]:
        binding = BINDING[connective]
        a, b = self.write(left, binding + 1), self.write(right, binding)
        return f"{a} {self.words[connective]} {b}", binding


def write_name(name: str) -> str:
    """A name, in double quotes where it is not a plain word or is one of the language's own."""
    if (
        _NAME.fullmatch(name)
        and name not in RESERVED
        and name.lower() not in CONNECTIVE_WORDS
        and len(name) <= NAME_LIMIT
    ):
        return name
    return quote(name, NAME_LIMIT)


def quote(text: str, limit: int) -> str:
    """Text in double quotes with escapes."""
    if not text.strip() or len(text) > limit:
        raise _cannot(f"a name or phrase of {len(text.strip())} characters")
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    point = ord(character)
    if 0xD800 <= point <= 0xDFFF:
        raise _cannot(f"the lone surrogate U+{point:04X} in a name or phrase")
    return {"\n": "\\n", "\t": "\\t"}.get(character) or (f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}")


def _braces(names: tuple[str, ...]) -> str:
    if not names:
        raise _cannot("an empty set of concepts")
    return f"{{{', '.join(map(write_name, names))}}}"


def _percent(share: Fraction) -> str:
    hundredfold = _number(share * 100)
    if not 0 < share <= 1:
        raise _cannot(f"a share of {hundredfold}%")
    return _number(share) if "/" in hundredfold else f"{hundredfold}%"


def _number(value: Fraction) -> str:
    """A decimal where it is exact, else a quotient."""
    if value < 0:
        raise _cannot(f"the negative number {value}")
    rest, digits = value.denominator, 0
    while rest % 10 == 0 or rest % 5 == 0 or rest % 2 == 0:
        rest //= 10 if rest % 10 == 0 else 5 if rest % 5 == 0 else 2
        digits += 1
    scaled = value * 10**digits
    text = f"{value.numerator}/{value.denominator}"
    if rest == 1:
        whole, fraction = divmod(scaled.numerator, 10**digits)
        text = f"{whole}.{fraction:0{digits}d}" if digits else str(whole)
    if max(map(len, text.split("/"))) > NUMBER_LIMIT:
        raise _cannot(f"a number of more than {NUMBER_LIMIT} digits")
    return text


def _require_several(parts: tuple[object, ...], what: str) -> None:
    if len(parts) < 2:
        raise _cannot(f"{what} with fewer than two parts")


def _cannot(what: str) -> UserError:
    return user_error("SPEC402", f"the language has no way to write {what}", "change the tree before writing it")
