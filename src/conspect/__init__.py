"""Conspect: understand, prove, debug and watch vision models, in words."""

__version__ = "0.1.0"
