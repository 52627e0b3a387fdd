"""Gateways and cameras that do not exist, with encoders of their own."""
