"""What the grammar cannot see: unknown names, classes in a concept's place, doubles, missing data, trivial claims."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

from conspect.core.diagnostics import Diagnostic, SourceLocation, UserError
from conspect.language.meaning.expansion import nodes, require_depth
from conspect.language.meaning.look_alikes import odd_names, read_as_formula, turned_comments
from conspect.language.meaning.triviality import Budget, triviality
from conspect.language.meaning.vocabulary import Vocabulary
from conspect.language.syntax.parser import ParseResult, parse_with_diagnostics
from conspect.language.syntax.source import ERROR_LIMIT, SourceText, TooManyProblems
from conspect.language.syntax.suggestions import Suggester
from conspect.language.syntax.tree import (
    ORDINARY,
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
    ImageConcepts,
    Images,
    Implies,
    Item,
    Module,
    NameDeclaration,
    Near,
    Predict,
    Property,
    Span,
    Specification,
    Stronger,
)


@dataclass(frozen=True, slots=True)
class CheckedSpecification:
    """A specification with everything that is wrong or odd about it. Fit for use when `errors` is empty."""

    tree: Specification
    errors: tuple[Diagnostic, ...]
    warnings: tuple[Diagnostic, ...]

    def require(self) -> Specification:
        """The tree. Raises UserError with every error."""
        if self.errors:
            raise UserError(*self.errors)
        return self.tree


def check_text(
    content: str | bytes, vocabulary: Vocabulary | None = None, file: str = "<specification>"
) -> CheckedSpecification:
    """Parses and checks; never raises. Grammar mistakes and name mistakes are reported together."""
    parsed = parse_with_diagnostics(content, file)
    checked = check(parsed.tree, vocabulary, source=parsed.source)
    warnings = (*turned_comments(parsed.comments, parsed.source)[:ERROR_LIMIT], *checked.warnings)
    if parsed.errors:  # broken items are missing from the tree: what is left may look undeclared or unused
        errors = (*parsed.errors, *_unless_lost(checked.errors, parsed))
        return CheckedSpecification(parsed.tree, errors, warnings)
    return CheckedSpecification(parsed.tree, checked.errors, warnings)


def _unless_lost(errors: tuple[Diagnostic, ...], parsed: ParseResult) -> list[Diagnostic]:
    """Name errors, unless the name's declaration may be in a part that did not parse."""
    broken = {error.place.line for error in parsed.errors if error.place}
    declarations = re.compile(r"\s*(class|concept|con|network|rep)\b")
    lines = parsed.source.text.split("\n")
    lost = any(line and line <= len(lines) and declarations.match(lines[line - 1]) for line in broken)
    return [error for error in errors if not (lost and error.code in ("SPEC201", "SPEC202", "SPEC203", "SPEC204"))]


def check(
    specification: Specification,
    vocabulary: Vocabulary | None = None,
    *,
    source: SourceText | None = None,
    file: str = "<specification>",
) -> CheckedSpecification:
    """Checks names, types, doubles and trivial claims; never raises.

    With a vocabulary every name must be known to it or declared with phrases. Without one, a name that looks like a
    declared one misspelt is an error; any other undeclared name is a warning in a module, which should declare what it
    uses, and passes elsewhere: a study may know it.
    """
    work = _Check(vocabulary, source, source.file if source else file)
    with suppress(TooManyProblems):
        work.specification(specification)
    return CheckedSpecification(specification, tuple(work.errors), tuple(work.warnings))


class _Check:
    def __init__(self, vocabulary: Vocabulary | None, source: SourceText | None, file: str) -> None:
        self.vocabulary = vocabulary
        self.source = source
        self.file = file
        self.errors: list[Diagnostic] = []
        self.warnings: list[Diagnostic] = []
        self.suggester = Suggester()
        self.hints: dict[tuple[str, str], str] = {}
        self.budget = Budget()
        self.classes: dict[str, None] = dict.fromkeys(vocabulary.class_names if vocabulary else ())
        self.concepts: dict[str, None] = dict.fromkeys(vocabulary.concept_names if vocabulary else ())
        self.strict = vocabulary is not None
        self.names: dict[str, Span | None] = {}  # classes and concepts that the file speaks of, with the first place
        self.phrased: set[str] = set()
        self.known_names = vocabulary.names if vocabulary else ()

    def report(
        self, code: str, problem: str, fix: str, span: Span | None, *, name: str = "", warn: bool = False
    ) -> None:
        """Adds a problem at a span; `name`: point at this name inside it."""
        target = self.warnings if warn else self.errors
        if len(target) >= ERROR_LIMIT:
            if warn:
                return
            raise TooManyProblems
        target.append(Diagnostic(code, problem, fix, self._place(span, name)))

    def _place(self, span: Span | None, name: str) -> SourceLocation:
        if span is None:
            return SourceLocation(self.file)
        if self.source is None:
            return SourceLocation(self.file, span.line, span.column)
        offset = self.source.offset(span.line, span.column)
        if name:
            pattern = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
            occurrence = pattern.search(self.source.text, offset, min(len(self.source.text), offset + span.length))
            offset = occurrence.start() if occurrence else offset
        return self.source.place(offset)

    def specification(self, specification: Specification) -> None:
        self._declarations(specification)
        named: dict[str, Property] = {}
        modules: set[str] = set()
        declared = {item for item in specification.items if isinstance(item, NameDeclaration)}
        for item in specification.items:
            if isinstance(item, Property):
                if item.name in named:
                    first = named[item.name].span
                    where = f" (the first is in line {first.line})" if first else ""
                    problem = f"two properties are called '{item.name[:40]}'{where}"
                    self.report("SPEC207", problem, "give the second a name of its own", item.span, name=item.name)
                named.setdefault(item.name, item)
                self._property(item)
            elif isinstance(item, Module):
                self._module(item, modules, declared)
            elif isinstance(item, ImageConcepts):
                for name in item.concepts:
                    self._concept(name, item.span, strict=True)
        of_properties = {name: item.span for name, item in named.items()}
        for names, known, what in ((self.names, self.known_names, "names"), (of_properties, (), "properties")):
            for odd in odd_names(names, known, what):
                self.report(odd.code, odd.problem, odd.fix, names[odd.name], name=odd.name, warn=odd.warn)

    def _declarations(self, specification: Specification) -> None:
        seen: dict[tuple[str, str], ConceptDeclaration | ClassDeclaration | NameDeclaration] = {}
        for item in specification.items:
            if not isinstance(item, (ConceptDeclaration, ClassDeclaration, NameDeclaration)):
                continue
            kind = item.kind if isinstance(item, NameDeclaration) else type(item).__name__[:-11].lower()
            before = seen.setdefault((kind, item.name), item)
            if before is not item:
                self._declared_twice(kind, before, item)
            if isinstance(item, ClassDeclaration):
                self._declared_class(item)
            elif isinstance(item, ConceptDeclaration):
                self._declared_concept(item)

    def _declared_twice(self, kind: str, before: Item, item: Item) -> None:
        name = getattr(item, "name", "")
        differ = False
        if isinstance(item, ConceptDeclaration) and isinstance(before, ConceptDeclaration):
            differ = bool(item.phrases) and bool(before.phrases) and item.phrases != before.phrases
        if differ:
            problem = f"concept '{name[:40]}' is declared twice with different phrases"
            self.report("SPEC208", problem, "keep one declaration, with all phrases", item.span, name=name)
        else:
            problem = f"{kind} '{name[:40]}' is declared twice"
            self.report("SPEC505", problem, "remove one of the two", item.span, name=name, warn=True)

    def _declared_class(self, item: ClassDeclaration) -> None:
        if self.vocabulary and item.name not in self.vocabulary.class_names:
            hint = self.suggester.hint(item.name, self.vocabulary.class_names)
            fix = f"the classes are: {_listed(self.vocabulary.class_names)}"
            self.report("SPEC202", f"the study has no class '{item.name[:40]}'{hint}", fix, item.span, name=item.name)
        self.classes[item.name] = None
        self.names.setdefault(item.name, item.span)

    def _declared_concept(self, item: ConceptDeclaration) -> None:
        vocabulary = self.vocabulary
        if vocabulary and item.name not in vocabulary.concept_names and not (item.phrases and vocabulary.new_concepts):
            hint = self.suggester.hint(item.name, vocabulary.concept_names)
            fix = f"the concepts are: {_listed(vocabulary.concept_names)}"
            if vocabulary.new_concepts:
                fix = f'declare it with phrases: concept {item.name[:40]} = "a photo of ..."; {fix}'
            self.report("SPEC201", f"the study has no concept '{item.name[:40]}'{hint}", fix, item.span, name=item.name)
        self.concepts[item.name] = None
        if item.phrases:
            self.phrased.add(item.name)
        self._named_concept(item.name, item.span)

    def _named_concept(self, name: str, span: Span | None) -> None:
        """Notes a concept that the file speaks of; warns where its name reads as a formula."""
        if name in self.names:
            return
        self.names[name] = span
        if (odd := read_as_formula(name)) and name not in self.phrased and name not in self.known_names:
            self.report(odd.code, odd.problem, odd.fix, span, name=name, warn=odd.warn)

    def _module(self, module: Module, modules: set[str], declared: set[NameDeclaration]) -> None:
        if module.name in modules:
            problem = f"two modules are called '{module.name[:40]}'"
            self.report("SPEC507", problem, "give each a name of its own", module.span, name=module.name, warn=True)
        modules.add(module.name)
        self._class(module.class_name, module.span, strict=True)
        for needed in (NameDeclaration("network", module.network), NameDeclaration("rep", module.rep)):
            if needed not in declared:
                kind, name = needed.kind, needed.name
                problem = f"{kind} '{name[:40]}' is not declared"
                self.report("SPEC506", problem, f"add a line: {kind} {name[:40]}", module.span, name=name, warn=True)
        names: set[str] = set()
        for item in module.properties:
            if item.name in names:
                problem = f"'{item.name[:40]}' occurs twice in module '{module.name[:40]}'"
                fix = "give each its own name; reports tell them apart by their line"
                self.report("SPEC501", problem, fix, item.span, name=item.name, warn=True)
            names.add(item.name)
            self._formula(item, strict=True)

    def _property(self, item: Property) -> None:
        match item.quantifier:
            case ForAll(region):
                self._region(region)
                self._cut_fits(region, item)
            case ForShare(_, images):
                self._images(images)
            case ForImage(image_id, span):
                self._image(image_id, span)
            case ForShareNear(_, images, near):
                self._images(images)
                self._changes(near)
            case ForImageNear(image_id, near, span):
                self._image(image_id, span)
                self._changes(near)
        self._formula(item, strict=self.strict)

    def _cut_fits(self, region: Focus, item: Property) -> None:
        """Warns of a premise that contradicts the region's cut: such a property holds of nothing."""
        formula = item.formula
        if not (region.cut and isinstance(formula, Implies) and isinstance(formula.left, Predict)):
            return
        name = formula.left.class_name
        if name != region.class_name:
            problem = (
                f"the region holds what the model calls '{region.class_name[:40]}', the premise asks for '{name[:40]}'"
            )
            fix = "let both name one class: as it is, the premise never holds and nothing is claimed"
            self.report("SPEC508", problem, fix, formula.left.span, name=name, warn=True)

    def _region(self, region: Focus) -> None:
        if self._class(region.class_name, region.span, strict=self.strict):
            self._data(region.class_name, region.span)

    def _images(self, images: Images) -> None:
        if images.class_name and self._class(images.class_name, images.span, strict=self.strict):
            self._data(images.class_name, images.span)
        splits = self.vocabulary.splits if self.vocabulary else None
        if images.split and splits is not None and images.split not in splits:
            problem = f"the data set has no split '{images.split[:40]}'{self.suggester.hint(images.split, splits)}"
            self.report("SPEC210", problem, f"the splits are: {_listed(splits)}", images.span, name=images.split)

    def _image(self, image_id: str, span: Span | None) -> None:
        known = self.vocabulary.image_ids if self.vocabulary else None
        if known is not None and image_id not in known:
            hint = self.suggester.hint(image_id, known)
            problem = f"no image that properties can name is called '{image_id[:40]}'{hint}"
            fix = "write an image id as the study lists it; of a large split only images drawn from it can be named"
            self.report("SPEC210", problem, fix, span, name=image_id)

    def _changes(self, near: Near) -> None:
        known = self.vocabulary.changes if self.vocabulary else None
        if known is not None and near.changes not in (ORDINARY, *known):
            names = (ORDINARY, *known)
            hint = self.suggester.hint(near.changes, names)
            problem = f"the study has no changes '{near.changes[:40]}'{hint}"
            fix = f"study.toml names them in [neighbourhoods] changes: {_listed(names)}"
            self.report("SPEC212", problem, fix, near.span, name=near.changes)

    def _data(self, class_name: str, span: Span | None) -> None:
        known = self.vocabulary.classes_with_data if self.vocabulary else None
        if known is not None and class_name not in known:
            fix = f"classes with embeddings in this study: {_listed(sorted(known))}"
            problem = f"class '{class_name[:40]}' has no data to make a region of"
            self.report("SPEC209", problem, fix, span, name=class_name)

    def _formula(self, item: Property, *, strict: bool) -> None:
        try:
            require_depth(item.formula)
        except UserError as error:
            self.report(error.diagnostics[0].code, error.diagnostics[0].problem, error.diagnostics[0].fix, item.span)
            return
        errors = len(self.errors)
        for node in nodes(item.formula):
            self._node(node, strict=strict)
        if len(self.errors) > errors:
            return
        always = triviality(item.formula, self.budget)
        if always == "true":
            fix = "say something that some input could violate"
            self.report("SPEC502", f"'{item.name[:40]}' holds for every input", fix, item.span, warn=True)
        elif always == "false":
            fix = "look for a comparison that contradicts another, or a concept compared with itself"
            self.report("SPEC503", f"'{item.name[:40]}' holds for no input", fix, item.span, warn=True)

    def _node(self, node: Formula, *, strict: bool) -> None:
        match node:
            case Predict(class_name, _, span):
                self._class(class_name, span, strict=strict)
            case Stronger(left, right, span):
                self._concept(left, span, strict=strict)
                self._concept(right, span, strict=strict)
            case Chain(concepts, span):
                for name in dict.fromkeys(concepts):
                    self._concept(name, span, strict=strict)
            case Each(left_names, right_names, span):
                for name in dict.fromkeys((*left_names, *right_names)):
                    self._concept(name, span, strict=strict)
            case HasConcept(concept, span):
                self._present(concept, span, strict=strict)
            case HasAll(concepts, span):
                for name in dict.fromkeys(concepts):
                    self._present(name, span, strict=strict)

    def _present(self, name: str, span: Span | None, *, strict: bool) -> None:
        known = self.vocabulary.concepts_with_threshold if self.vocabulary else None
        if self._concept(name, span, strict=strict) and known is not None and name not in known:
            problem = f"concept '{name[:40]}' has no threshold, so its presence is undefined"
            self.report(
                "SPEC211", problem, "calibrate a threshold for it, or compare it with a concept", span, name=name
            )

    def _class(self, name: str, span: Span | None, *, strict: bool) -> bool:
        """Reports a name that is no class; True when it may be one."""
        self.names.setdefault(name, span)
        if name in self.classes:
            return True
        if name in self.concepts:
            problem = f"'{name[:40]}' is a concept, and a class is due here"
            self.report("SPEC204", problem, f"write a class: {_listed(self.classes)}", span, name=name)
            return False
        return self._unknown("class", "SPEC202", name, span, strict=strict)

    def _concept(self, name: str, span: Span | None, *, strict: bool) -> bool:
        """Reports a name that is no concept; True when it may be one."""
        self._named_concept(name, span)
        if name in self.concepts:
            return True
        if name in self.classes:
            problem = f"'{name[:40]}' is a class, and a concept is due here"
            self.report("SPEC203", problem, f"write a concept: {_listed(self.concepts)}", span, name=name)
            return False
        return self._unknown("concept", "SPEC201", name, span, strict=strict)

    def _unknown(self, what: str, code: str, name: str, span: Span | None, *, strict: bool) -> bool:
        known = self.classes if what == "class" else self.concepts
        if (what, name) not in self.hints:
            self.hints[what, name] = self.suggester.hint(name, known)
        hint = self.hints[what, name]
        if self.vocabulary is not None or hint:
            declare = "" if self.vocabulary else f"correct it, or declare it: {what} {name[:40]}; "
            self.report(
                code, f"unknown {what} '{name[:40]}'{hint}", f"{declare}known: {_listed(known)}", span, name=name
            )
            return False
        if strict:
            problem = f"{what} '{name[:40]}' is not declared in this file"
            self.report("SPEC504", problem, f"add a line: {what} {name[:40]}", span, name=name, warn=True)
        return True


def _listed(known: Iterable[str], limit: int = 12) -> str:
    names = list(known)
    if not names:
        return "none"
    return ", ".join(name[:40] for name in names[:limit]) + (
        f" and {len(names) - limit} more" if len(names) > limit else ""
    )
