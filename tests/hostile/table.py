"""`python -m tests.hostile.table [--all] [--alone] [PART ...]`: what becomes of every item, one line of JSON each."""

from __future__ import annotations

import argparse
import json
import sys

from tests.hostile import corpus
from tests.hostile.harness import Harness


def main() -> int:
    """Print the result of every item whose name holds one of the given parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=[""])
    parser.add_argument("--all", action="store_true", help="with the heavy ones")
    parser.add_argument("--alone", action="store_true", help="a process each: memory and time exact, children included")
    parser.add_argument("--wall", type=float, default=150.0, help="seconds by the clock that one item may take")
    parser.add_argument("--list", action="store_true", help="only what is expected of each")
    chosen = parser.parse_args()
    harness = Harness(chosen.wall)
    wrong = 0
    try:
        for name, item in corpus.items().items():
            if not any(part in name for part in chosen.parts) or (item.heavy and not (chosen.all or chosen.list)):
                continue
            if chosen.list:
                print(json.dumps({"name": name, "door": item.door, "expect": sorted(item.expect), "heavy": item.heavy}))
                continue
            result = harness.alone(item) if chosen.alone else harness.run(item)
            wrong += bool(result.problems)
            print(json.dumps(vars(result), ensure_ascii=False), flush=True)
    finally:
        harness.close()
    print(f"{wrong} wrong", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
