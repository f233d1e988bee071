"""`python -m tests.hostile.fuzz [TARGET ...] [--runs N] [--seed S]`: coverage-guided fuzzing of the readers.

A fixed number of executions a target, from seeds that are made anew, so that the same command does the same work.
Prints executions, coverage and findings of each; what finds a fault is kept in `--found` and printed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

from core.settings import ROOT

SECONDS, MEMORY = 25, 2500  # of one execution, and megabytes
_LONGEST = 20_000


def main() -> int:
    """Fuzz each target in a process of its own; 1 if anything was found, or if the branches taken were not seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="default: all")
    parser.add_argument("--runs", type=int, help="executions (default: what CI does)")
    parser.add_argument("--times", type=int, default=1, help="so many times what CI does")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--found", type=Path, default=ROOT / "out" / "fuzz")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        # Before anything imports the readers: modules are instrumented when they are imported.
        _inside(chosen.targets[0], chosen.runs, chosen.seed, chosen.found)
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not available for this Python or platform; coverage-guided fuzzing is left out")
        return 0
    from tests.hostile.targets import TARGETS

    found = 0
    for name in chosen.targets or TARGETS:
        runs = chosen.times * TARGETS[name].runs if chosen.runs is None else chosen.runs
        ask = [sys.executable, "-m", "tests.hostile.fuzz", name, "--inside", f"--runs={runs}", f"--seed={chosen.seed}"]
        done = subprocess.run([*ask, f"--found={chosen.found}"], cwd=ROOT, capture_output=True, text=True)
        told = done.stderr + done.stdout
        executions = re.search(r"stat::number_of_executed_units: (\d+)", told)
        coverage = re.findall(r"cov: (\d+)", told)
        count, seen = int(executions[1]) if executions else 0, int(coverage[-1]) if coverage else 0
        print(f"{name}: {count:,} executions, {seen} branches, {int(done.returncode != 0)} findings", flush=True)
        if done.returncode:
            print(told[-6000:])
        elif not seen:
            print(f"{name}: no branch was seen, so that nothing guided the changes; the reader is not instrumented")
        found += done.returncode != 0 or not seen
    return int(found > 0)


def _inside(name: str, runs: int, seed: int, found: Path) -> None:
    import atheris

    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=["core", "tomllib", "zipfile", "csv", "json.decoder", "json.scanner"]):
        from tests.hostile.targets import TARGETS

        target = TARGETS[name]
        seeds = target.seeds()
        # What a reader imports when it is called is followed as well.
        for data in seeds:
            target.run(data)
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        for number, data in enumerate(seeds):
            (Path(corpus) / str(number)).write_bytes(data)
        options = [
            f"-runs={runs}", f"-seed={seed}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY}", f"-max_len={_LONGEST}",
            f"-artifact_prefix={found}/{name}-", "-print_final_stats=1", corpus,
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], *options], target.run)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
