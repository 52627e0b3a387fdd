"""Files that are there whole or not at all."""

from pathlib import Path


def write_whole(path: Path, content: bytes | str, *, private: bool = False) -> None:
    """Write a file beside its place, then put it there: whoever reads it meanwhile has the one before.

    A power cut may undo it.

    Args:
        path: The file; its folder is there.
        content: What it holds; text as UTF-8.
        private: Only its owner may read it.

    Raises:
        OSError: If it cannot be written; the file before it is still there.
    """
    partial = path.with_name(f"{path.name}.partial")
    if private:
        partial.touch(mode=0o600)
    partial.write_bytes(content.encode() if isinstance(content, str) else content)
    partial.replace(path)
