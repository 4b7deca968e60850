"""Planted faults of known origin: does localization blame the part that was broken? See docs/faults.md."""
