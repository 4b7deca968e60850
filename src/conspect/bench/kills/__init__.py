"""Kills at random moments: what is left is whole, and the same call continues."""

from conspect.bench.kills.killing import rows

__all__ = ["rows"]
