"""The errors a person can act on: one clear line that says what is wrong and what to do."""

from __future__ import annotations

from importlib.util import find_spec


class LoupeError(Exception):
    """A problem with what was asked for, told in one line.

    The command line prints it on stderr and exits with 2; the pages show it in place. Anything that is not a
    `LoupeError` is a defect of Loupe and keeps its traceback.
    """


class InputError(LoupeError):
    """What a person brought (images, a table, texts, options) cannot be used."""


class ScopeError(InputError):
    """An application has nothing to work on: the audit lacks the texts, labels or images that it needs.

    That is no failure of the audit; the application is listed as not run, with this reason.
    """


class ModelError(LoupeError):
    """A model cannot be loaded: unknown name, missing or wrong weights, no network."""


class CapabilityError(LoupeError):
    """A method asks for something that this model does not have."""


class RunError(LoupeError):
    """A run directory is missing, damaged or in the wrong state for what was asked."""


class Refused(Exception):
    """One file of many cannot be used. The text continues its name: it says why and what to do.

    It becomes a `Refusal` in the dataset, and everything else goes on. `seconds` of processor time and `memory` in
    bytes are what it took to find out, where another process did.
    """

    seconds: float = 0.0
    memory: int = 0


class DamagedError(RunError):
    """A run's `run.sqlite` is missing or damaged; `resume` rebuilds it from the other files of the run."""


class StorageError(LoupeError):
    """A disk, a folder or a limit of this machine stands in the way: full, read-only, forbidden, out of reach."""


def missing(module: str, extra: str) -> str:
    """What goes on after a subject if a module of an extra of the wheel is not installed; empty if it is."""
    if find_spec(module) is not None:
        return ""
    return f"needs packages that are not installed; `pip install 'loupe-audit[{extra}]'` installs them"


def first_line(error: BaseException) -> str:
    """What an error says in one line; its type if it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
