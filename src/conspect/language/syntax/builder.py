"""Specifications built in Python without strings of the language: terms, `>`, `&`, `|`, `~`, `>>`.

    truck, = classes("truck")
    metallic, ears = concepts("metallic ears")
    claim("trucks_are_metallic", for_all(focus(truck, gamma="0.4")), predict(truck) >> (metallic > ears))

`>` binds more loosely than `&`, `|` and `>>` in Python: put every comparison in brackets. `==` compares, and returns a bool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn, TypeAlias

from conspect.core.diagnostics import UserError, user_error
from conspect.language.syntax.tree import (
    ORDINARY,
    Chain,
    ClassDeclaration,
    Combinable,
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
    Images,
    Item,
    Near,
    Predict,
    Property,
    Quantifier,
    RegionShape,
    Specification,
    Stronger,
)

Number: TypeAlias = int | float | str | Fraction


class _NoFormula:
    """Refuses the operators of formulas, which a missing pair of brackets applies to a bare name."""

    __slots__ = ()

    def _refuse(self, other: object = None) -> NoReturn:
        fix = "put brackets around each comparison, as in (a > b) & (c > d), and write has(a) for the presence of a concept"
        raise user_error("SPEC302", f"{self!r} alone is not a formula", fix)

    __and__ = __rand__ = __or__ = __ror__ = __rshift__ = __rrshift__ = _refuse

    def __invert__(self) -> NoReturn:
        self._refuse()


@dataclass(frozen=True, slots=True)
class ClassTerm(_NoFormula):
    """A class, for `predict` and regions."""

    name: str

    def __gt__(self, other: object) -> NoReturn:
        raise user_error("SPEC203", f"'{self.name}' is a class, and a concept is due here", "compare concepts")


@dataclass(frozen=True, slots=True)
class Term(_NoFormula):
    """A concept. `a > b` builds a strength predicate; `==` compares names and returns a bool."""

    name: str

    def __gt__(self, other: object) -> Formula:
        if isinstance(other, Term):
            return Stronger(self.name, other.name)
        if isinstance(other, Set):
            return Each((self.name,), other.names)
        raise _no_concept(other)

    def __lt__(self, other: object) -> Formula:
        if isinstance(other, Term):
            return Stronger(other.name, self.name)
        raise _no_concept(other)


@dataclass(frozen=True, slots=True)
class Set(_NoFormula):
    """`each of {a, b}`, for one side of a comparison."""

    names: tuple[str, ...]

    def __gt__(self, other: object) -> Formula:
        if isinstance(other, Set):
            return Each(self.names, other.names)
        if isinstance(other, Term):
            return Each(self.names, (other.name,))
        raise _no_concept(other)


def _no_concept(value: object) -> UserError:
    if isinstance(value, ClassTerm):
        return user_error("SPEC203", f"'{value.name}' is a class, and a concept is due here", "compare concepts")
    fix = "put brackets around each comparison, as in (a > b) & (c > d); a chain is written chain(a, b, c)"
    return user_error("SPEC302", f"{type(value).__name__} {value!r} is not a concept", fix)


def _names(names: tuple[str, ...]) -> list[str]:
    return names[0].split() if len(names) == 1 else list(names)


def concepts(*names: str) -> tuple[Term, ...]:
    """Terms for concepts: one string of words, or one string for each name (which may then hold spaces)."""
    return tuple([Term(name) for name in _names(names)])


def classes(*names: str) -> tuple[ClassTerm, ...]:
    """Terms for classes: one string of words, or one string for each name (which may then hold spaces)."""
    return tuple([ClassTerm(name) for name in _names(names)])


def _concept(value: object) -> str:
    if isinstance(value, Term):
        return value.name
    if isinstance(value, str):
        return value
    raise _no_concept(value)


def _class(value: object) -> str:
    if isinstance(value, ClassTerm):
        return value.name
    if isinstance(value, str):
        return value
    what = f"'{value.name}' is a concept" if isinstance(value, Term) else f"{value!r} is no class"
    raise user_error("SPEC204", f"{what}, and a class is due here", "give a term made by classes(...), or its name")


def predict(class_name: ClassTerm | str, lead: Number | None = None) -> Predict:
    """The model assigns the class; with a lead, its logit is at least that much above every other."""
    value = _number(lead, "lead") or Fraction(0)
    if value < 0:
        raise user_error("SPEC124", f"lead {lead!r} is negative", "write a difference of logits above 0, such as 4")
    return Predict(_class(class_name), value)


def has(*names: Term | str) -> HasConcept | HasAll:
    """The concept is present; of several, all are."""
    concepts = tuple([_concept(name) for name in names])
    if not concepts:
        raise user_error("SPEC302", "has() is given no concept", "write has(a) or has(a, b)")
    return HasConcept(concepts[0]) if len(concepts) == 1 else HasAll(concepts)


def chain(*names: Term | str) -> Formula:
    """`a > b > c`: each concept is stronger than the next."""
    concepts = tuple([_concept(name) for name in names])
    if len(concepts) < 2:
        raise user_error("SPEC302", "a chain needs two concepts or more", "write chain(a, b, c)")
    return Stronger(*concepts) if len(concepts) == 2 else Chain(concepts)


def each(*names: Term | str) -> Set:
    """`each of {a, b}`: compare it with `>`."""
    if not names:
        raise user_error("SPEC302", "each() is given no concept", "write each(a, b) > each(c, d)")
    return Set(tuple([_concept(name) for name in names]))


def iff(left: Formula, right: Formula) -> Iff:
    """Both formulas are true, or both are false."""
    for side in (left, right):
        if not isinstance(side, Combinable):
            raise user_error("SPEC302", f"{side!r} is not a formula", "write iff(predict(c), a > b)")
    return Iff(left, right)


def _number(value: Number | None, what: str) -> Fraction | None:
    """The exact number; a float counts as the decimal that Python prints for it."""
    if value is None:
        return None
    try:
        return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, ZeroDivisionError, TypeError, OverflowError) as error:
        raise user_error("SPEC124", f"{what} {value!r} is not a number", 'write 0.4, "2/5" or a Fraction') from error


def focus(
    class_name: ClassTerm | str,
    *,
    gamma: Number | None = None,
    coverage: Number | None = None,
    shape: RegionShape | None = None,
    cut: bool = False,
) -> Focus:
    """The focus region of a class; `cut` keeps the embeddings that the head assigns to the class."""
    size, share = _number(gamma, "gamma"), _number(coverage, "coverage")
    if size is not None and share is not None:
        fix = "give the region's size by gamma or by coverage, not by both"
        raise user_error("SPEC123", "gamma and coverage contradict each other", fix)
    if size is not None and size < 0:
        raise user_error(
            "SPEC124", f"gamma {gamma!r} is negative", "write a number of standard deviations, such as 0.4"
        )
    return Focus(_class(class_name), size, None if share is None else _share(share, "coverage"), shape, cut)


def _share(value: Fraction, what: str) -> Fraction:
    if not 0 < value <= 1:
        raise user_error("SPEC124", f"a {what} of {value} is out of range", "write a share above 0 and up to 1")
    return value


def images(class_name: ClassTerm | str | None = None, *, split: str | None = None) -> Images:
    """The images of a class, or of all classes."""
    return Images(None if class_name is None else _class(class_name), split)


def for_all(region: Focus) -> ForAll:
    """At every embedding of the region."""
    return ForAll(region)


def for_share(share: Number, over: Images) -> ForShare:
    """For at least this share (0..1] of the population that the images stand for."""
    number = _number(share, "share")
    return ForShare(_share(number if number is not None else Fraction(0), "share"), over)


def for_image(image_id: str) -> ForImage:
    """For one image."""
    return ForImage(image_id)


def near(changes: str = ORDINARY, *, share: Number = "0.9") -> Near:
    """The neighbourhood that holds a share (0..1) of the pictures that changes make of an image."""
    number = _number(share, "share")
    if number is None or not 0 < number < 1:
        raise user_error("SPEC124", f"a share of {share!r} is out of range", "write a share above 0 and below 1")
    return Near(changes, number)


def for_share_near(share: Number, over: Images, neighbourhood: Near) -> ForShareNear:
    """For at least this share of images, everywhere in the neighbourhood of each."""
    number = _number(share, "share")
    return ForShareNear(_share(number if number is not None else Fraction(0), "share"), over, neighbourhood)


def for_image_near(image_id: str, neighbourhood: Near) -> ForImageNear:
    """Everywhere in the neighbourhood of one image."""
    return ForImageNear(image_id, neighbourhood)


def claim(name: str, quantifier: Quantifier | None, formula: Formula) -> Property:
    """A property with its name."""
    if not isinstance(formula, Combinable):
        raise user_error("SPEC302", f"{formula!r} is not a formula", "write claim(name, for_all(region), formula)")
    return Property(name, quantifier, formula, "y" if isinstance(quantifier, ForShareNear | ForImageNear) else "x")


def declare(term: Term | ClassTerm, *phrases: str) -> ConceptDeclaration | ClassDeclaration:
    """The declaration of a concept (with its phrases) or of a class."""
    return ClassDeclaration(term.name) if isinstance(term, ClassTerm) else ConceptDeclaration(term.name, phrases)


def specification(items: Sequence[Item]) -> Specification:
    """A whole file."""
    return Specification(tuple(items))
