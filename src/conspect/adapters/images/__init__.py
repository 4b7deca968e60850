"""Pixels on their way in: decoding, preprocessing, and images that are always the same."""
