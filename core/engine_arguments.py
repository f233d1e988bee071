"""The arguments that say who computes the units of a run, and the settings that give their defaults."""

from __future__ import annotations

import argparse
import os

from core.audit.engines import Engine
from core.errors import InputError

WORKERS = "LOUPE_WORKERS"
MOST_WORKERS, MOST_THREADS = 256, 64


def engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Who computes the units of a run; no results depend on it, apart from the number of threads."""
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help=f"processes that compute units at the same time, each with its own model (default: {WORKERS}, or 1)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads of each of them (default: 1 with --workers, otherwise all cores)",
    )


def resume_arguments(parser: argparse.ArgumentParser) -> None:
    """What `resume` takes."""
    parser.add_argument("run_directory", help="run directory or id")
    parser.add_argument("--recompute", action="store_true", help="recompute what another version, weights or plan made")
    engine_arguments(parser)


def worker_arguments(parser: argparse.ArgumentParser) -> None:
    """What `worker` takes; `--joins` is for the further processes, which share the units of the one that it names."""
    parser.add_argument("run_directory", help="run directory or id")
    parser.add_argument("--launched", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--joins", default="", help=argparse.SUPPRESS)
    engine_arguments(parser)


def chosen_engine(chosen: argparse.Namespace) -> Engine:
    """The engine that the arguments ask for, otherwise the one of the environment. Raises `InputError` in one line."""
    workers = _number("--workers", chosen.workers, WORKERS, MOST_WORKERS)
    threads = _number("--threads", chosen.threads, "", MOST_THREADS)
    # A number of workers that is given, be it 1, settles the threads, so that any other gives the same bytes.
    return Engine(workers=workers or 1, threads=threads or (1 if workers else 0))


def _number(option: str, given: int | None, variable: str, most: int) -> int:
    """What is given, or what the variable says; 0 for neither."""
    if given is not None:
        return _within(option, given, most)
    told = os.environ.get(variable, "").strip() if variable else ""
    if not told:
        return 0
    if not told.isdecimal() or len(told) > 6:
        raise InputError(f"{variable} must be a number from 1 to {most}, not {told[:40]!r}")
    return _within(variable, int(told), most)


def _within(name: str, value: int, most: int) -> int:
    if not 1 <= value <= most:
        raise InputError(f"{name} must be from 1 to {most}, not {value}")
    return value
