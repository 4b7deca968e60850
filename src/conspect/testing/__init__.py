"""Specifications as tests: a pytest plugin for which a `.cspec` file is a test module and each property a test."""
