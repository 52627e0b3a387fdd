"""Frames to readings."""
