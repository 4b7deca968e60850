"""From a specification to jobs: every property with its formula, region and names resolved, before any work starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import assert_never

import numpy as np

from conspect.core.claim_names import is_reserved
from conspect.core.diagnostics import SourceLocation, UserError, user_error
from conspect.core.spaces import AffineMap, Head
from conspect.core.verdicts import PropertyKind
from conspect.language import expand
from conspect.language.syntax.tree import (
    Focus,
    ForAll,
    ForImage,
    ForImageNear,
    Formula,
    ForShare,
    ForShareNear,
    Implies,
    Module,
    Predict,
    Property,
    Quantifier,
    Specification,
)
from conspect.language.writing.printer import write_formula, write_quantifier
from conspect.verification.queries.formula_table import FormulaTable, Names, concepts_asked, tabulate
from conspect.verification.queries.model import (
    COVERAGE,
    DEFAULT_GAMMA,
    READOUT_SHAPES,
    VerificationModel,
    VerifyOptions,
)


@contextmanager
def about(name: str, place: SourceLocation | None) -> Iterator[None]:
    """What goes wrong inside is told of the property, with its file and line."""
    try:
        yield
    except UserError as error:
        problems = (
            entry if entry.place else replace(entry, problem=f"property {name!r}: {entry.problem}", place=place)
            for entry in error.diagnostics
        )
        raise UserError(*problems) from None


UNIT = 1e-5  # how far the length of a direction may be from 1


@dataclass(frozen=True, slots=True)
class Obligation:
    """One property, ready to be decided. `class_name`: of its region or images; None when it has no class."""

    name: str
    formula: Formula
    table: FormulaTable
    quantifier: Quantifier
    class_name: str | None
    statement: str
    line: int | None
    file: str
    variable: str = "x"

    @property
    def kind(self) -> PropertyKind:
        """What the property is about."""
        match self.quantifier:
            case ForAll():
                return "region"
            case ForShare():
                return "share"
            case ForImage():
                return "image"
            case ForShareNear() | ForImageNear():
                return "near"
            case _:
                assert_never(self.quantifier)

    @property
    def place(self) -> SourceLocation:
        """Where the property stands."""
        return SourceLocation(self.file, self.line)


def plan(specification: Specification, subject: VerificationModel, file: str = "") -> list[Obligation]:
    """The jobs of a file, in source order. VERIFY errors for a head or a property that cannot be decided at all, or
    whose name (VERIFY016) would be that of a claim about another.
    """
    require_known_head(subject.head)
    require_usable_numbers(subject)
    names = names_of(subject)
    quantified: list[tuple[str, Property, Quantifier, str | None]] = []
    for item in specification.items:
        if isinstance(item, Property):
            quantifier = item.quantifier or _closing(item, file)
            quantified.append((item.name, item, quantifier, None))
        elif isinstance(item, Module):
            for inner in item.properties:
                closed = inner.quantifier or ForAll(Focus(item.class_name))
                quantified.append((f"{item.name}.{inner.name}", inner, closed, item.class_name))
    total = Counter(name for name, *_ in quantified)
    used: Counter[str] = Counter()
    taken: set[str] = set()
    jobs = []
    for name, item, quantifier, module_class in quantified:
        used[name] += 1
        unique = f"{name}#{used[name]}" if total[name] > 1 else name
        if unique in taken or is_reserved(unique):
            raise _reserved(unique, item, file)
        taken.add(unique)
        with about(unique, _place(item, file)):
            table = tabulate(item.formula, names)
            class_name = _class_of(quantifier, names)
        _require_thresholds(table, subject, item, file)
        jobs.append(
            Obligation(
                unique,
                item.formula,
                table,
                quantifier,
                class_name,
                write_formula(item.formula, "house", item.variable, module_class=module_class),
                item.span.line if item.span else None,
                file,
                item.variable,
            )
        )
    return jobs


def asked_for(job: Obligation, options: VerifyOptions) -> str:
    """For which inputs the property is claimed, as the language writes it, with what the options filled in."""
    quantifier = job.quantifier
    if isinstance(quantifier, ForAll):
        focus = quantifier.region
        shape = focus.shape or (
            None if options.shape == "segment" else options.shape
        )  # which has no word in the language
        gamma, coverage = focus.gamma, focus.coverage
        if gamma is None and coverage is None:
            gamma = options.gamma if options.coverage is None else None
            if gamma is None:
                coverage = options.coverage or (COVERAGE if shape in READOUT_SHAPES else None)
                gamma = DEFAULT_GAMMA if coverage is None else None
        quantifier = ForAll(replace(focus, shape=shape, gamma=_short(gamma), coverage=_short(coverage)))
    return write_quantifier(quantifier, job.variable).removesuffix(":")


def _short(value: Fraction | None) -> Fraction | None:
    """A float of Python's has fifty digits as a fraction; the language writes forty."""
    return None if value is None else value.limit_denominator(10**9)


def names_of(subject: VerificationModel) -> Names:
    """Indices of the model's class and concept names."""
    return Names(
        {name: index for index, name in enumerate(subject.class_names)},
        {name: index for index, name in enumerate(subject.concept_names)},
    )


def require_known_head(head: object) -> None:
    """VERIFY003 unless the head is affine layers with ReLU between them: nothing else is approximated silently."""
    fits = isinstance(head, Head) and all(isinstance(layer, AffineMap) for layer in head.layers)
    if not fits:
        raise user_error(
            "VERIFY003",
            f"a head of type {type(head).__name__} cannot be verified",
            "verify a model whose head is linear, or linear layers with ReLU between them",
        )


def require_usable_numbers(subject: VerificationModel) -> None:
    """VERIFY011 to VERIFY013: models about which no exact statement can be made."""
    if subject.head.classes < 2:
        raise user_error(
            "VERIFY011", "a model of one class has nothing to predict", "verify a model with two or more classes"
        )
    alignment, directions = subject.lens.alignment, np.asarray(subject.lens.directions, dtype=np.float64)
    parts = {
        "head": [values for layer in subject.head.layers for values in (layer.weight, layer.offset)],
        "lens": [alignment.weight, alignment.offset, directions],
    }
    for part, arrays in parts.items():
        if not all(np.isfinite(values).all() for values in arrays):
            raise user_error(
                "VERIFY012",
                f"the {part} holds a number that is not finite",
                "look for an overflow in training, or leave out the class that is never to be predicted",
            )
    for name, length in zip(subject.concept_names, np.linalg.norm(directions, axis=1).tolist(), strict=True):
        if abs(length - 1.0) > UNIT:
            raise user_error(
                "VERIFY013",
                f"the direction of concept {name!r} has length {length:.6g}, so its strengths would not be cosines",
                "divide each direction by its length",
            )


def _closing(item: Property, file: str) -> ForAll:
    formula = expand(item.formula)
    if isinstance(formula, Implies) and isinstance(formula.left, Predict):
        return ForAll(Focus(formula.left.class_name))
    raise user_error(
        "VERIFY004",
        f"property {item.name!r} does not say for which inputs it is claimed",
        "begin it with: for all x in focus(CLASS):",
        _place(item, file),
    )


def _class_of(quantifier: Quantifier, names: Names) -> str | None:
    if isinstance(quantifier, ForAll):
        names.class_index(quantifier.region.class_name)
        return quantifier.region.class_name
    if not isinstance(quantifier, ForShare | ForShareNear) or quantifier.images.class_name is None:
        return None
    names.class_index(quantifier.images.class_name)
    return quantifier.images.class_name


def _require_thresholds(table: FormulaTable, subject: VerificationModel, item: Property, file: str) -> None:
    for concept in concepts_asked(table):
        name = subject.concept_names[concept]
        if name not in subject.thresholds:
            raise user_error(
                "VERIFY005",
                f"hasCon asks for {name!r}, which has no threshold in this study",
                "calibrate thresholds in the study, or compare strengths instead",
                _place(item, file),
            )


def _reserved(name: str, item: Property, file: str) -> UserError:
    shown = f"{name:.80}"
    return user_error(
        "VERIFY016",
        f"{shown!r} cannot be the name of a property: certificates call a claim about another property so",
        "give the property another name",
        _place(item, file),
    )


def _place(item: Property, file: str) -> SourceLocation | None:
    return SourceLocation(file, item.span.line, item.span.column) if item.span else None
