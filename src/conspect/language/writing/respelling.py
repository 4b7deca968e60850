"""From one spelling to another: the tree rewritten with the means of the target, and a note where it has none.

No notes: the tree is the one that came in. Every note is a `Diagnostic` of code SPEC401: what was done instead.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from conspect.core.diagnostics import Diagnostic, SourceLocation
from conspect.language.meaning.expansion import expand, nodes
from conspect.language.syntax.grammar import Spelling
from conspect.language.syntax.tree import (
    Chain,
    ConceptDeclaration,
    Each,
    Focus,
    ForAll,
    Formula,
    Item,
    Module,
    NameDeclaration,
    Property,
    Span,
    Specification,
)


@dataclass(frozen=True, slots=True)
class RespellResult:
    """A tree that needs the means of one spelling alone, and what could not be kept."""

    tree: Specification
    notes: tuple[Diagnostic, ...]


def respell(
    specification: Specification,
    spelling: Spelling,
    *,
    network: str | None = None,
    rep: str | None = None,
    file: str = "<specification>",
) -> RespellResult:
    """The same claims with the means of one spelling.

    `network` and `rep` name what a new module header needs; None: the first declared, else 'model' and 'vlm'.
    """
    declared: dict[str, str] = {"network": "model", "rep": "vlm"}
    for item in reversed(specification.items):
        if isinstance(item, NameDeclaration):
            declared[item.kind] = item.name
    work = _Respelling(file, network or declared["network"], rep or declared["rep"])
    items = work.to_modules(specification) if spelling == "module" else work.to_properties(specification, spelling)
    return RespellResult(Specification(tuple(items), specification.span), tuple(work.notes))


class _Respelling:
    def __init__(self, file: str, network: str, rep: str) -> None:
        self.file = file
        self.network = network
        self.rep = rep
        self.notes: list[Diagnostic] = []

    def note(self, problem: str, done: str, span: Span | None) -> None:
        place = SourceLocation(self.file) if span is None else SourceLocation(self.file, span.line, span.column)
        self.notes.append(Diagnostic("SPEC401", problem, done, place))

    def to_properties(self, specification: Specification, spelling: Spelling) -> list[Item]:
        """Modules become properties over the focus region of their class; names stay unique."""
        taken = {item.name for item in specification.items if isinstance(item, Property)}
        items: list[Item] = []
        for item in specification.items:
            if isinstance(item, Module):
                problem = f"the {spelling} style has no module header"
                what = f"network '{item.network}' and representation '{item.rep}' of module '{item.name}' are left out"
                self.note(problem, what, item.span)
                items += [self._closed(part, item, taken) for part in item.properties]
            else:
                items.append(item)
        if spelling == "paper":
            return [replace(i, formula=self._plain(i, spelling)) if isinstance(i, Property) else i for i in items]
        return items

    def _closed(self, item: Property, module: Module, taken: set[str]) -> Property:
        name = base = f"{module.name}_{item.name}"
        count = 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        return Property(name, ForAll(Focus(module.class_name)), item.formula, "x", item.span)

    def _plain(self, item: Property, spelling: Spelling) -> Formula:
        """The formula without chains and sets, which only the house style has."""
        kinds = {type(node) for node in nodes(item.formula)} & {Chain, Each}
        if not kinds:
            return item.formula
        what = " and ".join(sorted({Chain: "chains", Each: "sets"}[kind] for kind in kinds))
        self.note(f"the {spelling} style has no {what}", f"'{item.name}' is written as comparisons", item.span)
        return expand(item.formula, (Chain, Each))

    def to_modules(self, specification: Specification) -> list[Item]:
        """Properties over a plain focus region become modules, neighbours of one class together."""
        items: list[Item] = []
        open_class: str | None = None
        names = Counter(item.name for item in specification.items if isinstance(item, Module))
        declared = {item for item in specification.items if isinstance(item, NameDeclaration)}
        for item in specification.items:
            if isinstance(item, Property):
                part = self._module_part(item)
                if part is None:
                    continue
                region, formula = part
                inner = Property(item.name, None, formula, "x", item.span)
                if open_class == region.class_name and isinstance(items[-1], Module):
                    items[-1] = replace(items[-1], properties=(*items[-1].properties, inner))
                    continue
                for needed in (NameDeclaration("network", self.network), NameDeclaration("rep", self.rep)):
                    if needed not in declared:
                        declared.add(needed)
                        items.append(needed)
                name = f"module_{region.class_name}"
                names[name] += 1
                name = name if names[name] == 1 else f"{name}_{names[name]}"
                problem = f"the module style needs a network and a representation for '{item.name}'"
                self.note(problem, f"module '{name}' is written with '{self.network}' and '{self.rep}'", item.span)
                items.append(Module(name, self.network, region.class_name, self.rep, (inner,), item.span))
                open_class = region.class_name
                continue
            open_class = None
            if isinstance(item, ConceptDeclaration) and item.phrases:
                self.note("the module style has no phrases", f"those of '{item.name}' are left out", item.span)
                items.append(replace(item, phrases=()))
            elif isinstance(item, Module):
                parts = tuple(replace(part, formula=self._plain(part, "module")) for part in item.properties)
                items.append(replace(item, properties=parts))
            else:
                items.append(item)
        return items

    def _module_part(self, item: Property) -> tuple[Focus, Formula] | None:
        """Region and formula for a module, or None (with a note) for what a module cannot claim."""
        if not isinstance(item.quantifier, ForAll):
            kind = "a formula without a region" if item.quantifier is None else "a claim about images"
            self.note(f"the module style has no means for {kind}", f"'{item.name}' is left out", item.span)
            return None
        region = item.quantifier.region
        if region != Focus(region.class_name):
            problem = "the module style cannot say how large, of which shape or how cut its region is"
            self.note(problem, f"'{item.name}' is written for the plain focus region of its class", item.span)
        return region, self._plain(item, "module")
