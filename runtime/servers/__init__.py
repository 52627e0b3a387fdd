"""Servers of one's own for tests and benchmarks: on loopback, data in a temporary folder, gone afterwards."""
