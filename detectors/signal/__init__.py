"""Adaptive baselines over series."""
