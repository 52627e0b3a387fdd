"""Readings at rest: written from the journal, answered as columns, honest about its holes."""
