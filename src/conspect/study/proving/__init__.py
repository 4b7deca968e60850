"""A study's properties: what verification takes from it, and the verdicts that are kept."""
