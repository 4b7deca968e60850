"""The monitor of a study: its splits and defects, fitting, evaluation, and what a served monitor needs."""
