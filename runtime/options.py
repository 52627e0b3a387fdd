"""Options that several commands of the command line have, said once."""

from pathlib import Path
from typing import Annotated

import typer

JsonOut = Annotated[bool, typer.Option("--json", help="For programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No tables, no progress.")]
Tz = Annotated[str, typer.Option(help="Zone of times without an offset.")]
By = Annotated[str, typer.Option("--by", help="Who does it.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept.")]
SceneFiles = Annotated[Path | None, typer.Option(help="Scene file or folder.")]
PasswordFile = Annotated[Path | None, typer.Option(help="File with its password (or SCENEWATCH_PASSWORD).")]
