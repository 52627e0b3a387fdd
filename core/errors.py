"""Errors that a person reads.

    ScenewatchError            carries one plain line: what is wrong, where, and the cure
    |-- ConfigError            configuration or a file given by a person is wrong (exit status 2)
    |-- UnavailableError       an outside part (broker, port, database) cannot be had now
    `-- DataLossError          something durable cannot be read: stop, do not go on as if nothing was
Bad readings are never errors: they are `Rejected` values, counted by reason.
"""


class ScenewatchError(Exception):
    """Something that a person has to know, in one plain line."""


class ConfigError(ScenewatchError):
    """A configuration, argument or file is wrong; the message names the place and the cure."""


class UnavailableError(ScenewatchError):
    """An outside part cannot be reached or started; the message names it and the cure."""


class DataLossError(ScenewatchError):
    """Durable data cannot be read; going on would hide the loss."""
