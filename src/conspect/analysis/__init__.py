"""Alignment, strengths, heatmaps, fault localization, evidence: arrays in, records out."""
