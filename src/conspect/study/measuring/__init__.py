"""Embeddings, alignment and counts of a study: what every analysis takes."""
