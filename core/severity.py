"""How bad it is: four words, ordered."""

import enum


class Severity(enum.IntEnum):
    """Severities of levels and alerts, mildest first (提示, 一般, 较重, 严重)."""

    INFO = 1
    MINOR = 2
    MAJOR = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The word used on every wire: `info`, `minor`, `major`, `critical`."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Severity":
        """The severity that `word` names.

        Raises:
            KeyError: If no severity is called so.
        """
        return cls[word.upper()]
