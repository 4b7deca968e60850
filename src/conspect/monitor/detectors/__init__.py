"""Scores of how suspect an output is: the detectors of the literature, those of the papers, and formulas."""
