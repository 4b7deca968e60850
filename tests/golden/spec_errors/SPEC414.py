from pathlib import Path

from conspect.adapters.ontologies.rdf import read_ontology

read_ontology(Path("nowhere.ttl"))
