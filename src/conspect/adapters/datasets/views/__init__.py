"""Data sets made of other data sets: parts, chains, other looks at the same images."""
