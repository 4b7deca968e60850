"""Measurements of this installation against its targets: one row per target."""
