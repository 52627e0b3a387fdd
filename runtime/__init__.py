"""The only room that knows everybody: configuration, wiring, supervisor, command line."""
