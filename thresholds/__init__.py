"""Scenes: their language, their compiler and the engine that decides."""
