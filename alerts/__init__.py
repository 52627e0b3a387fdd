"""Alerts: life cycle, folding, ids, outbox; sinks deliver them."""
