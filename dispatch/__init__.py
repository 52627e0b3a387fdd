"""The dispatch core: events in, cases that are seen through."""
