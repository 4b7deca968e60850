"""Intervals, tests and small models that know no product words."""
