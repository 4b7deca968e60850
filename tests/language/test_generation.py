import importlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conspect.adapters.ontologies import rdf
from conspect.analysis.mining import MinedPredicate, mine
from conspect.core.diagnostics import OutsideError, UserError
from conspect.language import (
    check,
    from_attribute_table,
    from_carried,
    from_pairs,
    parse,
    read_attribute_table,
    write,
)
from conspect.language.syntax.tree import Focus, ForAll, Implies, Predict, Property, Stronger

TABLE = "# shares\nclass,metallic,ears,wheels\ntruck,0.98,0,0.5\ncat,0,0.9,0.1\n"


@pytest.mark.parametrize(
    "content",
    [
        TABLE.replace(",", ";").replace(".", ","),
        TABLE.replace(",", "\t"),
        "\ufeff" + TABLE,
        TABLE.encode("utf-16"),
        TABLE.replace(",", ", "),
    ],
)
def test_tables_of_other_programs_are_read(content: str | bytes) -> None:
    table = read_attribute_table(content)
    assert (table.class_names, table.concept_names) == (("truck", "cat"), ("metallic", "ears", "wheels"))
    assert table.shares.tolist() == [[0.98, 0, 0.5], [0, 0.9, 0.1]]


def test_every_relevant_concept_is_put_over_every_irrelevant_one() -> None:
    table = read_attribute_table(TABLE)
    assert (table.class_names, table.concept_names) == (("truck", "cat"), ("metallic", "ears", "wheels"))
    assert table.shares.tolist() == [[0.98, 0, 0.5], [0, 0.9, 0.1]]
    properties = [item for item in from_attribute_table(table).items if isinstance(item, Property)]
    assert [(item.name, item.quantifier, item.formula) for item in properties] == [
        (f"{c}_{a}_over_{b}", ForAll(Focus(c)), Implies(Predict(c), Stronger(a, b)))
        for c, a, b in [("truck", "metallic", "ears"), ("truck", "wheels", "ears"), ("cat", "ears", "metallic")]
    ]


def test_the_shipped_table_generates_a_file_that_checks_without_a_word() -> None:
    text = files("conspect.assets").joinpath("class_attributes.csv").read_text(encoding="utf-8")
    table = read_attribute_table(text)
    tree = from_attribute_table(table)
    checked = check(parse(write(tree)))
    assert (checked.tree, checked.errors, checked.warnings) == (tree, (), ())
    expected = sum(a >= 0.5 for row in table.shares for a in row for b in row if b < 0.1)
    assert sum(isinstance(item, Property) for item in tree.items) == expected > 300


@pytest.mark.parametrize(
    "text", ["", "class\n", "class,a\n", "class,a\nx,2\n", "class,a\nx,1,1\n", "class,a,a\nx,1,1\n", 'class,a\n"x,1\n']
)
def test_tables_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="SPEC411"):
        read_attribute_table(text)


def test_pairs_are_written_once_and_none_at_all_is_an_error() -> None:
    tree = from_pairs([("truck", "a", "b"), ("truck", "a", "b")], phrases={"a": ("an a",)})
    assert write(tree, "paper").splitlines()[-1] == (
        "property truck_a_over_b: for all x in focus(truck): predict(x, truck) => >(x, a, b)"
    )
    with pytest.raises(UserError, match="SPEC412"):
        from_pairs([])


TURTLE = """@prefix : <http://example.org/v#> . @prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
:hasPart a owl:ObjectProperty . :lacks a owl:ObjectProperty .
:Vehicle a owl:Class ; rdfs:subClassOf [ a owl:Restriction ; owl:onProperty :hasPart ; owl:someValuesFrom :Wheels ] .
:Truck a owl:Class ; rdfs:subClassOf :Vehicle , [ owl:intersectionOf (
    [ owl:onProperty :hasPart ; owl:hasValue :metal ] [ owl:onProperty :lacks ; owl:someValuesFrom :Fur ] ) ] .
:Cat a owl:Class ; rdfs:label "house cat"@en , "Katze"@de ; :hasPart :Ears ;
    rdfs:subClassOf [ owl:onProperty :hasPart ; owl:allValuesFrom :Wings ] ,
        [ owl:onProperty :hasPart ; owl:onClass :Tail ; owl:minQualifiedCardinality "1"^^xsd:nonNegativeInteger ] ,
        [ owl:onProperty :hasPart ; owl:onClass :Horns ; owl:maxQualifiedCardinality "0"^^xsd:nonNegativeInteger ] .
:Wheels a owl:Class . :Ears a owl:Class ; rdfs:subClassOf :Ears .
"""


@pytest.fixture
def ontology(tmp_path: Path) -> Path:
    pytest.importorskip("rdflib")
    path = tmp_path / "vehicles.ttl"
    path.write_text(TURTLE, encoding="utf-8")
    return path


def test_an_ontology_ascribes_what_its_axioms_demand_and_passes_it_on(ontology: Path) -> None:
    parts_of = rdf.read_ontology(ontology, properties=["hasPart"])
    assert parts_of == {"house cat": ("Ears", "Tail"), "Truck": ("Wheels", "metal")}
    assert rdf.read_ontology(ontology)["Truck"] == ("Fur", "Wheels", "metal")
    assert rdf.read_ontology(ontology, classes=["Vehicle"]) == {"Vehicle": ("Wheels",)}
    names = [item.name for item in from_attribute_table(from_carried(parts_of)).items]  # type: ignore[union-attr]
    assert "Truck_metal_over_Tail" in names


def test_ontologies_that_cannot_be_used_are_refused(ontology: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no class 'Bus'"):
        rdf.read_ontology(ontology, classes=["Bus"])
    broken = tmp_path / "broken.owl"
    broken.write_text("<rdf:RDF", encoding="utf-8")
    with pytest.raises(UserError, match="SPEC414"):
        rdf.read_ontology(broken)
    with pytest.raises(UserError, match="SPEC412"):
        rdf.read_ontology(ontology, properties=["hasColour"])


def test_without_rdflib_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(OutsideError, match=r"pip install \"conspect\[ontology\]\""):
        rdf.read_ontology(tmp_path / "any.ttl")


def test_mining_finds_the_predicates_that_hold_often_enough() -> None:
    # Class 0: a > b always, b > c on 95 of 100 images; class 1: nothing is ordered; class 2 has no images.
    strengths = np.tile([0.3, 0.2, 0.1], (200, 1))
    strengths[:5, 1] = 0.0
    strengths[100:] = 0.5
    labels = np.repeat([0, 1], 100)
    names: dict[str, Any] = {"class_names": ("truck", "car", "ship"), "concept_names": ("a", "b", "c")}
    by_rate = mine(strengths, labels, share=0.95, criterion="rate", **names)
    assert [(m.class_name, m.left, m.right, m.holds, m.images) for m in by_rate] == [
        ("truck", "a", "b", 100, 100),
        ("truck", "a", "c", 100, 100),
        ("truck", "b", "c", 95, 100),
    ]
    # One-sided bound for 100 of 100 at 0.05 / (6 pairs x 3 classes): the root of p**100 = 0.05 / 18.
    assert by_rate[0].lower == pytest.approx((0.05 / 18) ** (1 / 100))
    by_bound = mine(strengths, labels, share=0.9, **names)
    assert [(m.left, m.right) for m in by_bound] == [("a", "b"), ("a", "c")]
    assert by_bound[0] == MinedPredicate("truck", "a", "b", 100, 100, by_rate[0].lower)
    assert by_bound[0].rate == 1


def test_mining_refuses_arrays_that_do_not_fit() -> None:
    with pytest.raises(UserError, match="SPEC303"):
        mine(np.zeros((3, 2)), np.zeros(2, int), class_names=("c",), concept_names=("a", "b"))
    with pytest.raises(UserError, match="SPEC124"):
        mine(np.zeros((2, 2)), np.zeros(2, int), class_names=("c",), concept_names=("a", "b"), share=0)
