"""The syntax tree of Con_spec: frozen, compared by content, spans never part of equality.

A formula speaks of one input. Its core nodes are the three atoms and five connectives below; `Chain` and `Each` are
notation, which `conspect.language.expand` rewrites into core nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Span:
    """Where a node stands in its source: line and column of its first character, both from 1, and length."""

    line: int
    column: int
    length: int = 1


def _span() -> Span | None:
    return field(default=None, compare=False, repr=False)  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Predict:
    """`predict(x, c)`: the logit of class c is strictly larger than every other logit."""

    class_name: str
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Stronger:
    """`>(x, a, b)`: strength of a exceeds strength of b, strictly."""

    left: str
    right: str
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class HasConcept:
    """`hasCon(x, a)`: strength of a exceeds its threshold, strictly."""

    concept: str
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Not:
    """Negation."""

    operand: Formula
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class And:
    """Conjunction of two or more formulas."""

    operands: tuple[Formula, ...]
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Or:
    """Disjunction of two or more formulas."""

    operands: tuple[Formula, ...]
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Implies:
    """Implication; right-associative in the source."""

    left: Formula
    right: Formula
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Iff:
    """Equivalence."""

    left: Formula
    right: Formula
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Chain:
    """`a > b > c`: notation for the conjunction of the neighbours' strength predicates. Three or more names."""

    concepts: tuple[str, ...]
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Each:
    """`each of {a, b} > each of {c, d}`: notation for the conjunction over all pairs, left over right."""

    left: tuple[str, ...]
    right: tuple[str, ...]
    span: Span | None = _span()


Formula: TypeAlias = Predict | Stronger | HasConcept | Not | And | Or | Implies | Iff | Chain | Each
RegionShape: TypeAlias = Literal["box", "ellipsoid", "pca-box"]


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
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Images:
    """`images(c, split = "test")`: images of a data set, of one class or (class_name None) of all."""

    class_name: str | None = None
    split: str | None = None
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class ForAll:
    """`for all x in focus(...)`: holds at every embedding of the region."""

    region: Focus
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class ForShare:
    """`for 95% of x in images(...)`: holds for at least that share (0..1] of the population the images stand for."""

    share: Fraction
    images: Images
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class ForImage:
    """`for x = image("test/00017")`: holds for one image."""

    image_id: str
    span: Span | None = _span()


Quantifier: TypeAlias = ForAll | ForShare | ForImage


@dataclass(frozen=True, slots=True)
class ConceptDeclaration:
    """`concept metallic = "made of metal"` or `con metallic`."""

    name: str
    phrases: tuple[str, ...] = ()
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class ClassDeclaration:
    """`class truck`."""

    name: str
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class NameDeclaration:
    """`network resnet18` or `rep clip` (module style)."""

    kind: Literal["network", "rep"]
    name: str
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Property:
    """A closed formula with its name. `quantifier` None: the bare formula of paper style, for a caller to close."""

    name: str
    quantifier: Quantifier | None
    formula: Formula
    variable: str = "x"
    span: Span | None = _span()


@dataclass(frozen=True, slots=True)
class Module:
    """`Module m (network, class, rep) { E e1 ::> ... }`: its class is the focus region of every property in it."""

    name: str
    network: str
    class_name: str
    rep: str
    properties: tuple[Property, ...]
    span: Span | None = _span()


Item: TypeAlias = ConceptDeclaration | ClassDeclaration | NameDeclaration | Property | Module


@dataclass(frozen=True, slots=True)
class Specification:
    """A whole file, in source order."""

    items: tuple[Item, ...]
    span: Span | None = _span()
