"""Servers that keep the figures and files of many runs."""
