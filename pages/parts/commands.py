"""Commands of the command line as a page gives them to copy: complete, with the run that the page shows."""

from __future__ import annotations

import re
import shlex

from core.runs import Run
from core.runs.shelf import shelf_id
from core.settings import as_typed, roles_file

_NAMELESS = re.compile(r"\bRUN\b")


def run_name(run: Run) -> str:
    """What the command line finds a run by, quoted for a shell: its folder, in whichever workspace a command looks.

    On a server that several people use, its name in the list of runs: they need not know the folders of the machine.
    """
    return shlex.quote(shelf_id(run) if roles_file() is not None else str(run.folder.resolve()))


def with_run(command: str, run: Run) -> str:
    """A command in which RUN stands for the run, as it is typed for this one on this installation."""
    name = run_name(run)
    return as_typed(_NAMELESS.sub(lambda _: name, command))
