"""Certificates and printed results that are altered, as a forger would or as a misprint does."""
