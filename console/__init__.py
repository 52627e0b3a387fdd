"""The HTTP face: API, stream, metrics."""
