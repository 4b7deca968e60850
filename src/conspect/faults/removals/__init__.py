"""Removals of one concept from an encoder, on which the naming of lost concepts is fitted and judged."""
