"""Ontologies: the door to rdflib, imported only when an ontology is read."""
