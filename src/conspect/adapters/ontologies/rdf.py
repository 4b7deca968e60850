"""Which concepts an OWL or RDF ontology ascribes to which classes, read with rdflib.

A class carries a concept when an axiom says so: `rdfs:subClassOf` or `owl:equivalentClass` to a restriction
(`owl:someValuesFrom`, `owl:hasValue`, `owl:onClass`, alone or inside `owl:intersectionOf`), or a plain triple with an
object property. Superclasses pass their concepts on. Restrictions that deny or merely limit (`owl:complementOf`,
`owl:allValuesFrom`, `owl:unionOf`, a maximum of 0) ascribe nothing.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from conspect.core.diagnostics import OutsideError, SourceLocation, outside_error, user_error

_FORMATS = {
    ".rdf": "xml",
    ".owl": "xml",
    ".xml": "xml",
    ".ttl": "turtle",
    ".n3": "n3",
    ".nt": "nt",
    ".jsonld": "json-ld",
}


Carried: TypeAlias = dict[str, tuple[str, ...]]  # class -> concepts


def read_ontology(path: Path, *, classes: Sequence[str] = (), properties: Sequence[str] = ()) -> Carried:
    """Concepts that an ontology file ascribes to each class, by their labels or local names.

    `classes`: these alone; otherwise every class that carries a concept, has no subclass and is no concept itself.
    `properties`: follow these object properties alone (local names), such as hasPart.
    """
    graph, vocabulary = _load(path)
    reader = _Reader(graph, vocabulary, frozenset(properties))
    carried = reader.chosen(frozenset(classes))
    missing = sorted(set(classes) - set(carried))
    if missing:
        known = ", ".join(sorted(reader.named().values())[:20])
        raise user_error(
            "SPEC414", f"the ontology has no class '{missing[0]}'", f"it has: {known}", SourceLocation(str(path))
        )
    if not any(carried.values()):
        fix = "write: :Truck rdfs:subClassOf [ owl:onProperty :hasPart ; owl:someValuesFrom :Wheels ]"
        raise user_error("SPEC412", "the ontology ascribes no concept to any class", fix, SourceLocation(str(path)))
    return carried


def _load(path: Path) -> tuple[Any, Any]:
    """The graph and rdflib itself. The file alone is read: nothing that it imports is fetched."""
    try:
        rdflib = importlib.import_module("rdflib")
    except ImportError as error:
        raise missing_package() from error
    if not path.is_file():
        raise user_error(
            "SPEC414", "there is no such file", "give the path of an OWL or RDF file", SourceLocation(str(path))
        )
    graph = rdflib.Graph()
    try:
        graph.parse(str(path), format=_FORMATS.get(path.suffix.lower(), "xml"))
    except Exception as error:  # rdflib's parsers raise whatever their XML, Turtle or JSON reader does
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        fix = f"give RDF in one of: {', '.join(_FORMATS)} (the ending tells the format)"
        raise user_error(
            "SPEC414", f"the ontology cannot be read: {first[:200]}", fix, SourceLocation(str(path))
        ) from error
    return graph, rdflib


def missing_package() -> OutsideError:
    """What is raised when rdflib is not installed."""
    return outside_error("SPEC413", "reading an ontology needs rdflib", 'run: pip install "conspect[ontology]"')


class _Reader:
    def __init__(self, graph: Any, rdflib: Any, properties: frozenset[str]) -> None:
        self.graph = graph
        self.owl = rdflib.OWL
        self.rdfs = rdflib.RDFS
        self.rdf = rdflib.RDF
        self.uri = rdflib.URIRef
        self.properties = properties
        self._known: dict[Any, tuple[set[Any], set[Any]]] = {}

    def named(self) -> dict[Any, str]:
        """Every named class with what it is called."""
        kinds = (self.owl.Class, self.rdfs.Class)
        subjects = {node for kind in kinds for node in self.graph.subjects(self.rdf.type, kind)}
        nodes = {node for node in subjects if isinstance(node, self.uri)}
        return {node: self.name(node) for node in sorted(nodes)}

    def name(self, node: Any) -> str:
        """The English or unmarked label, else the end of the IRI."""
        labels = [label for label in self.graph.objects(node, self.rdfs.label) if label.language in (None, "en")]
        return str(min(labels)).strip() if labels else re.split(r"[#/:]", str(node).rstrip("#/"))[-1]

    def chosen(self, wanted: frozenset[str]) -> dict[str, tuple[str, ...]]:
        """Concept names for each class wanted, or for each leaf class that carries some."""
        named = self.named()
        carried = {node: self.carried(node) for node in named}
        concepts = {concept for carriers in carried.values() for concept in carriers}
        parents = {parent for node in named for parent in self.graph.objects(node, self.rdfs.subClassOf)}
        result: dict[str, tuple[str, ...]] = {}
        for node, name in named.items():
            leaf = bool(carried[node]) and node not in concepts and node not in parents
            if name in wanted or (not wanted and leaf):
                result[name] = tuple(dict.fromkeys(self.name(concept) for concept in carried[node]))
        return result

    def carried(self, node: Any) -> tuple[Any, ...]:
        """Concepts of a class: its own and those of all its superclasses."""
        concepts: set[Any] = set()
        seen, stack = {node}, [node]
        while stack:
            own, above = self._own(stack.pop())
            concepts |= own
            stack += above - seen
            seen |= above
        return tuple(sorted(concepts))

    def _own(self, node: Any) -> tuple[set[Any], set[Any]]:
        """Concepts ascribed to a class itself, and the named classes directly above it."""
        if node not in self._known:
            concepts, above = set(self._plain(node)), set()
            for relation in (self.rdfs.subClassOf, self.owl.equivalentClass):
                for target in self.graph.objects(node, relation):
                    for part in self._parts(target):
                        if isinstance(part, self.uri):
                            above.add(part)
                        else:
                            concepts |= set(self._restricted(part))
            self._known[node] = concepts, above
        return self._known[node]

    def _parts(self, node: Any) -> list[Any]:
        """The node itself, or the members of the intersections it is made of."""
        parts, seen, stack = [], {node}, [node]
        while stack:
            part = stack.pop()
            members = None if isinstance(part, self.uri) else self.graph.value(part, self.owl.intersectionOf)
            if members is None:
                parts.append(part)
                continue
            inside = [member for member in self.graph.items(members) if member not in seen]
            seen.update(inside)
            stack += inside
        return parts

    def _plain(self, node: Any) -> Iterator[Any]:
        """Objects of `node P object` where P is an object property."""
        for relation, target in self.graph.predicate_objects(node):
            if (relation, self.rdf.type, self.owl.ObjectProperty) in self.graph and self._follows(relation):
                yield target

    def _restricted(self, node: Any) -> Iterator[Any]:
        """What a restriction says must be there."""
        relation = self.graph.value(node, self.owl.onProperty)
        if relation is None or not self._follows(relation):
            return
        keys = [self.owl.someValuesFrom, self.owl.hasValue]
        keys += [self.owl.onClass] if self._at_least_one(node) else []
        for target in (target for key in keys for target in self.graph.objects(node, key)):
            yield from (part for part in self._parts(target) if isinstance(part, self.uri))

    def _at_least_one(self, node: Any) -> bool:
        keys = (self.owl.minQualifiedCardinality, self.owl.qualifiedCardinality)
        return any(int(count) > 0 for key in keys for count in self.graph.objects(node, key))

    def _follows(self, relation: Any) -> bool:
        return not self.properties or self.name(relation) in self.properties or str(relation) in self.properties
