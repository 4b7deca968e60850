"""Meaning."""
