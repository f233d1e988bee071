"""Print which share of the lines the unit tests ran, by room, and the files with the most lines left out.

python tests/check_coverage.py out/coverage.json

Lines of this process and of its forks alone: what runs in another interpreter (the sandbox, the command line) counts as
not run. The scripts in `pages/` are left out, because every test and every browser compiles them again. Exit
code 1 if the share of all lines is below the floor.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

FLOOR = 0.90
LISTED = 10


def main(file: Path) -> int:
    """0 if the share of lines that were run is at least the floor."""
    files = json.loads(file.read_text(encoding="utf-8"))["files"]
    rooms: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, lines in files.items():
        parts = Path(name).parts
        room = rooms["/".join(parts[:2]) if len(parts) > 2 else parts[0]]
        room[0] += len(lines["executed_lines"])
        room[1] += len(lines["executed_lines"]) + len(lines["missing_lines"])
    for name, (run, lines) in sorted(rooms.items()):
        print(f"{name:<24} {lines:>7,} lines {_percent(run, lines)}")
    run, lines = (sum(values) for values in zip(*rooms.values(), strict=True))
    print(f"{'all':<24} {lines:>7,} lines {_percent(run, lines)}")
    worst = sorted(files, key=lambda name: (-len(files[name]["missing_lines"]), name))[:LISTED]
    print("most lines not run:", ", ".join(f"{name} ({len(files[name]['missing_lines'])})" for name in worst))
    if run < FLOOR * lines:
        print(f"fewer than {FLOOR:.0%} of the lines were run")
        return 1
    return 0


def _percent(run: int, lines: int) -> str:
    return f"{run / lines:>6.1%} run" if lines else ""


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
