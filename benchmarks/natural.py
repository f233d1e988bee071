"""Does a whole audit of captioned photographs find flaws that were planted in them, and nothing of the kind without?

    PYTHONPATH=. python benchmarks/natural.py --images FOLDER --xrays FOLDER --out FOLDER [--seed 0] [--only flawed]
        [--arguments --effort quick] [--markdown FILE]

`--images` holds `annotations.json` (COCO: images, captions, annotations, categories) and `images/`; `--xrays` holds
`images/`. Both sets are written by a seed, audited by the command line at its default settings with `demo-vit`, and
compared rule by rule. A set that has been audited is not audited again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.photographs.flaws import FLAWS, flawed
from benchmarks.photographs.sets import Captioned, captioned, write_set
from benchmarks.photographs.verdicts import concepts, passes, verdicts
from core import cli
from core.findings import load_findings
from core.runs import Run, open_run

SETS = ("clean", "flawed")
MODEL = "demo-vit"


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the sets, audit them and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with annotations.json and images/")
    parser.add_argument("--xrays", type=Path, required=True, help="folder with images/ of another kind")
    parser.add_argument("--out", type=Path, required=True, help="where sets and runs are written")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=75, help="captioned images, drawn at random")
    parser.add_argument("--classes", type=int, default=20, help="class names")
    parser.add_argument("--only", choices=SETS, help="write and audit this set only")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--arguments", nargs=argparse.REMAINDER, default=[], help="further arguments of `audit`")
    chosen = parser.parse_args(arguments)
    clean = captioned(chosen.images, chosen.count, chosen.classes, chosen.seed)
    runs = {}
    for name in SETS:
        if chosen.only in (None, name):
            made = clean if name == "clean" else flawed(clean, chosen.xrays, chosen.seed)
            runs[name] = audited(made, chosen.out / name, chosen.arguments)
    text = tables(runs)
    print(text)
    if chosen.markdown:
        chosen.markdown.write_text(text + "\n", encoding="utf-8")


def audited(made: Captioned, folder: Path, more: Sequence[str]) -> Run:
    """The finished audit of a set, by the command line. Raises `SystemExit` if it does not succeed."""
    run = folder / "run"
    if not (run / "findings.json").exists():
        images = write_set(made, folder / "images")
        table, classes = folder / "captions.csv", folder / "classes.txt"
        typed = ["audit", "--images", str(images), "--table", str(table), "--classes", str(classes)]
        if code := cli.main([*typed, "--model", MODEL, "--out", str(run), *more]):
            raise SystemExit(f"{folder.name}: the audit ended with code {code}")
    return open_run(run)


def tables(runs: dict[str, Run]) -> str:
    """The verdicts of all rules beside each other, the planted flaws, the passes and the concepts."""
    findings = {name: load_findings(run) for name, run in runs.items()}
    parts = [verdicts(findings)]
    if set(runs) == set(SETS):
        lines = ["| flaw | reported by | on the clean twin |", "|---|---|---|"]
        for flaw in FLAWS:
            clean, found = (
                sorted({one.rule for one in findings[name] if one.status == "finding" and one.rule in flaw.rules})
                for name in SETS
            )
            lines.append(f"| {flaw.name} | {', '.join(found) or 'nothing'} | {', '.join(clean) or 'nothing'} |")
        parts.append("\n".join(lines))
    parts.append(passes(runs))
    parts += [f"{name}: {concepts(run)}" for name, run in runs.items()]
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
