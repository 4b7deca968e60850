"""The names of the benchmarks: what `conspect bench` takes, and which of them a run of all includes."""

from __future__ import annotations

BENCHES = (
    "align",
    "embed",
    "heatmap",
    "kills",
    "monitor",
    "neighbourhoods",
    "parser",
    "scale",
    "serve",
    "soundness",
    "verify",
)
# Not among those that run together: they take a study, or long.
EXPLORE, EXPLORE_SCALE, FAULTS, FORGERIES, INPUTS = "explore", "explore-scale", "faults", "forgeries", "inputs"
LABELS, LOST, MUTANTS, PRESENCE, WORDS = "labels", "lost", "mutants", "presence", "words"
OF_STUDIES = (EXPLORE, FAULTS, FORGERIES, INPUTS, LABELS, MUTANTS, PRESENCE, WORDS)
