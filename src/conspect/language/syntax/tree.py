"""The syntax tree of Con_spec: frozen, compared by content, spans never part of equality.

A formula speaks of one input. Its core nodes are the three atoms and five connectives below; `Chain`, `Each` and
`HasAll` are notation, which `conspect.language.expand` rewrites into core nodes. Formulas combine in Python with
`&`, `|`, `~` and `>>`; `==` compares trees and returns a bool.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, NamedTuple, NoReturn, TypeAlias, cast

from conspect.core.diagnostics import user_error


class Span(NamedTuple):
    """Where a node stands in its source: line and column of its first character, both from 1, and length.

    A named tuple because large files have hundreds of thousands of them.
    """

    line: int
    column: int
    length: int = 1


class Combinable:
    """The Python operators of formulas: `&` and, `|` or, `~` not, `>>` implies."""

    __slots__ = ()

    def __and__(self, other: object) -> And:
        return And((*_operands(self, And), *_operands(other, And)))

    def __or__(self, other: object) -> Or:
        return Or((*_operands(self, Or), *_operands(other, Or)))

    def __invert__(self) -> Not:
        return Not(_formula(self))

    def __rshift__(self, other: object) -> Implies:
        return Implies(_formula(self), _formula(other))

    def __gt__(self, other: object) -> NoReturn:
        _formula(other)
        fix = "put brackets around each comparison: (a > b) & (b > c); a chain is written chain(a, b, c)"
        raise user_error("SPEC302", "'>' compares two concepts, not two formulas", fix)

    def __bool__(self) -> NoReturn:
        fix = "write chain(a, b, c) for a > b > c, and & | ~ for 'and', 'or', 'not'"
        raise user_error("SPEC301", "a formula has no truth value in Python: it is true or false of an input", fix)


@dataclass(frozen=True, slots=True)
class Predict(Combinable):
    """`predict(x, c)`: the logit of class c is strictly larger than every other logit.

    `predict(x, c, lead = 4)`: it is larger by at least that much. A lead is positive; 0 stands for none.
    """

    class_name: str
    lead: Fraction = Fraction(0)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Stronger(Combinable):
    """`>(x, a, b)`: strength of a exceeds strength of b, strictly."""

    left: str
    right: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class HasConcept(Combinable):
    """`hasCon(x, a)`: strength of a exceeds its threshold, strictly."""

    concept: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not(Combinable):
    """Negation."""

    operand: Formula
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And(Combinable):
    """Conjunction of two or more formulas."""

    operands: tuple[Formula, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or(Combinable):
    """Disjunction of two or more formulas."""

    operands: tuple[Formula, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Implies(Combinable):
    """Implication; right-associative in the source."""

    left: Formula
    right: Formula
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Iff(Combinable):
    """Equivalence."""

    left: Formula
    right: Formula
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Chain(Combinable):
    """`a > b > c`: notation for the conjunction of the neighbours' strength predicates. Three or more names."""

    concepts: tuple[str, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Each(Combinable):
    """`each of {a, b} > each of {c, d}`: notation for the conjunction over all pairs, left over right."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class HasAll(Combinable):
    """`hasCon(x, a, b)`: notation for the conjunction of `hasCon(x, a)` and `hasCon(x, b)`. Two or more names."""

    concepts: tuple[str, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


Formula: TypeAlias = Predict | Stronger | HasConcept | Not | And | Or | Implies | Iff | Chain | Each | HasAll


def _formula(value: object) -> Formula:
    if isinstance(value, Combinable):
        return cast("Formula", value)
    fix = "put brackets around comparisons, as in (a > b) & (c > d), and write has(a) for the presence of a concept"
    raise user_error("SPEC302", f"{type(value).__name__} {value!r} is not a formula", fix)


def _operands(value: object, kind: type[And] | type[Or]) -> tuple[Formula, ...]:
    """The operands of a bare conjunction or disjunction of the same kind, so that a & b & c is one node."""
    return value.operands if isinstance(value, kind) else (_formula(value),)


RegionShape: TypeAlias = Literal["box", "ellipsoid", "pca-box", "span", "band"]


@dataclass(frozen=True, slots=True)
class Focus:
    """`focus(c, gamma = 0.4)`: the region of embeddings around class c that a property is claimed for.

    At most one of `gamma` (half-width in standard deviations) and `coverage` (wanted share of held-out images, 0..1) is
    given; with neither, and with `shape` None, the caller of the verifier decides. `cut` restricts the region to the
    embeddings that the head assigns to c.
    """

    class_name: str
    gamma: Fraction | None = None
    coverage: Fraction | None = None
    shape: RegionShape | None = None
    cut: bool = False
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Images:
    """`images(c, split = "test")`: images of a data set, of one class or (class_name None) of all."""

    class_name: str | None = None
    split: str | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ForAll:
    """`for all x in focus(...)`: holds at every embedding of the region."""

    region: Focus
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ForShare:
    """`for 95% of x in images(...)`: holds for at least that share (0..1] of the population the images stand for."""

    share: Fraction
    images: Images
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ForImage:
    """`for x = image("test/00017")`: holds for one image."""

    image_id: str
    span: Span | None = field(default=None, compare=False, repr=False)


ORDINARY = "ordinary"  # all changes that the study names


@dataclass(frozen=True, slots=True)
class Near:
    """`near x (changes = ordinary, share = 90%)`: embeddings within an ellipsoid around that of an image.

    It is as large as holds `share` (0..1) of the pictures that the `changes` make of images: those of that kind among the
    study's, or all (`ordinary`).
    """

    changes: str = ORDINARY
    share: Fraction = Fraction(9, 10)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ForShareNear:
    """`for 90% of x in images(...): for all y near x (...)`: so many images have a neighbourhood without exception.

    The formula speaks of y, the property's variable; `around` is the name of x.
    """

    share: Fraction
    images: Images
    near: Near
    around: str = "x"
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ForImageNear:
    """`for all y near image("test/00017") (...)`: holds in the whole neighbourhood of one image."""

    image_id: str
    near: Near
    span: Span | None = field(default=None, compare=False, repr=False)


Quantifier: TypeAlias = ForAll | ForShare | ForImage | ForShareNear | ForImageNear


@dataclass(frozen=True, slots=True)
class ConceptDeclaration:
    """`concept metallic = "made of metal"` or `con metallic`. `word`: the one of the two that was written."""

    name: str
    phrases: tuple[str, ...] = ()
    word: Literal["concept", "con"] | None = field(default=None, compare=False, repr=False)
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ClassDeclaration:
    """`class truck`."""

    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class NameDeclaration:
    """`network resnet18`, `rep clip` or `img photo1` (module style)."""

    kind: Literal["network", "rep", "img"]
    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ImageConcepts:
    """`imageCon(photo1) = {metallic, wheels}` (module style): what a person sees in an image. Claims nothing."""

    image: str
    concepts: tuple[str, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Property:
    """A closed formula with its name. `quantifier` None: the bare formula of paper style, for a caller to close."""

    name: str
    quantifier: Quantifier | None
    formula: Formula
    variable: str = "x"
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Module:
    """`Module m (network, class, rep) { E e1 ::> ... }`: its class is the focus region of every property in it."""

    name: str
    network: str
    class_name: str
    rep: str
    properties: tuple[Property, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


Item: TypeAlias = ConceptDeclaration | ClassDeclaration | NameDeclaration | ImageConcepts | Property | Module


@dataclass(frozen=True, slots=True)
class Specification:
    """A whole file, in source order."""

    items: tuple[Item, ...]
    span: Span | None = field(default=None, compare=False, repr=False)
