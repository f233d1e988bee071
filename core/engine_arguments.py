"""The arguments that say who computes the units of a run, and the settings that give their defaults."""

from __future__ import annotations

import argparse
import os
from typing import get_args

from core.audit.engines import MAX_THREADS, MOST_WORKERS, Engine, EngineName
from core.errors import InputError, missing

WORKERS, ENGINE, ADDRESS = "LOUPE_WORKERS", "LOUPE_ENGINE", "LOUPE_RAY_ADDRESS"
NAMES: tuple[EngineName, ...] = get_args(EngineName)
MOST_THREADS = 64


def engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Who computes the units of a run; no results depend on it, apart from the number of threads."""
    parser.add_argument(
        "--engine",
        choices=NAMES,
        help=f"who computes units: processes of this machine, or a Ray cluster (default: {ENGINE}, or local)",
    )
    address = f"a Ray cluster that is running (default: {ADDRESS}, or one of this machine's own)"
    parser.add_argument("--ray-address", metavar="HOST:PORT", help=address)
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
    copy_argument(parser)


def copy_argument(parser: argparse.ArgumentParser) -> None:
    """Where a copy of the run is kept while it grows."""
    parser.add_argument(
        "--copy-to",
        metavar="URL",
        help="keep a copy of the run behind a URL, such as s3://bucket/run; `copy URL RUN` fetches it",
    )


def worker_arguments(parser: argparse.ArgumentParser) -> None:
    """What `worker` takes; `--joins` is for the further processes, which share the units of the one that it names."""
    parser.add_argument("run_directory", help="run directory or id")
    parser.add_argument("--launched", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--joins", default="", help=argparse.SUPPRESS)
    engine_arguments(parser)


def chosen_engine(chosen: argparse.Namespace) -> Engine:
    """The engine that the arguments ask for, otherwise the one of the environment. Raises `InputError` in one line."""
    name = _name(chosen.engine)
    address = os.environ.get(ADDRESS, "").strip() if chosen.ray_address is None else chosen.ray_address
    workers = _number("--workers", chosen.workers, WORKERS, MOST_WORKERS)
    threads = _number("--threads", chosen.threads, "", MOST_THREADS)
    if name == "ray":
        if lacks := missing("ray", "ray"):
            raise InputError(f"--engine ray {lacks}")
        workers = workers or min(os.cpu_count() or 1, MAX_THREADS)
    elif chosen.ray_address is not None:
        raise InputError("--ray-address is the address of a cluster for --engine ray; add that")
    # A number of workers that is given, be it 1, settles the threads, so that any other gives the same bytes.
    return Engine(name, workers or 1, threads or (1 if workers else 0), address if name == "ray" else "")


def _name(given: EngineName | None) -> EngineName:
    told = os.environ.get(ENGINE, "").strip() if given is None else given
    found = next((name for name in NAMES if name == (told or "local")), None)
    if found is None:
        raise InputError(f"{ENGINE} must be one of {', '.join(NAMES)}, not {told[:40]!r}")
    return found


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
