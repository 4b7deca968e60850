from conspect.adapters.ontologies.rdf import missing_package

raise missing_package()  # what read_ontology raises without rdflib
