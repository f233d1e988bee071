"""`python -m core`: everything the app can do, headless.

Exit codes: 0 everything that was planned is done; 1 the audit failed its thresholds (`--fail-on`), some of its planned
work failed, or nothing worked; 2 the input was wrong, told in one line on stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core import commands, explaining, listings, run_commands
from core.arguments import SETTLED
from core.characters import brief, legible, legible_values
from core.errors import LoupeError, Refused
from core.methods.presets import DEFAULT_EFFORT, EFFORTS
from core.runs import AGAIN
from core.settings import VERSION
from core.storage import storage_error

DONE, FAILED, WRONG_INPUT = 0, 1, 2
MESSAGE = 1_000
OPTION = "NAME.OPTION=VALUE"
OPTION_HELP = "an option of a method or application; VALUE is JSON or plain text (repeatable)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    try:
        answer, code = chosen.run(chosen)
    except LoupeError as error:
        print(f"loupe: {brief(str(error), MESSAGE)}", file=sys.stderr)
        return WRONG_INPUT
    except Refused as refused:
        # Whoever reads a file names it; this is for a reader that forgot to.
        print(f"loupe: a file {brief(str(refused), MESSAGE)}", file=sys.stderr)
        return WRONG_INPUT
    except OSError as error:
        # In one place for every command: a full disk, a missing right, a path too long.
        fault = storage_error(error)
        if fault is None:
            raise
        print(f"loupe: {fault}", file=sys.stderr)
        return WRONG_INPUT
    except KeyboardInterrupt:
        print("loupe: stopped; `python -m core resume` goes on from here", file=sys.stderr)
        return 130
    told = legible(answer["text"])
    if getattr(chosen, "json", False):
        told = json.dumps(legible_values(answer["data"]), indent=1, ensure_ascii=False)
    try:
        print(told, flush=True)
    except BrokenPipeError:
        # Whoever reads has had enough (`| head`). What is left must not be flushed again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m core",
        description="Audit CLIP-style vision-language models without ground-truth labels.",
        epilog="exit codes: 0 everything that was planned is done; 1 a finding is as severe as --fail-on says, some "
        "planned work failed, or nothing worked; 2 the input was wrong, told in one line",
    )
    parser.add_argument("--version", action="version", version=f"Loupe {VERSION}")
    commands_parser = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, about: str, run: Any) -> argparse.ArgumentParser:
        made = commands_parser.add_parser(name, help=about, description=about)
        made.set_defaults(run=run)
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        return made

    demo = command("demo", "audit the bundled sample with the embedded model", commands.demo)
    demo.add_argument("--out", type=Path, default=Path("out/demo"), help="run directory (default: out/demo)")
    demo.add_argument(
        "--effort", choices=sorted(EFFORTS), default="quick", help="how much sampling methods and curves do"
    )

    audit = command("audit", "audit pictures and render the report", commands.audit)
    audit.add_argument("--images", type=Path, nargs="+", required=True, help="folders, ZIP files or pictures")
    audit.add_argument("--table", type=Path, help="CSV or Parquet: image path, optional caption, metadata")
    audit.add_argument("--annotations", type=Path, help="COCO JSON of drawn objects, kept with the pictures")
    audit.add_argument("--texts", type=Path, help="prompts for every picture, one a line")
    audit.add_argument("--classes", type=Path, help="class names, one a line; the best of each picture are explained")
    audit.add_argument("--template", action="append", help="prompt template for class names, with {} (repeatable)")
    audit.add_argument("--top-classes", type=int, default=1, help="how many best classes are explained (default: 1)")
    audit.add_argument("--no-captions", action="store_true", help="leave the pictures' own captions out")
    _model_arguments(audit)
    audit.add_argument("--methods", help="comma-separated names, or none (default: all; see `methods`)")
    audit.add_argument("--option", action="append", default=[], metavar=OPTION, help=OPTION_HELP)
    audit.add_argument(
        "--effort", choices=sorted(EFFORTS), default=DEFAULT_EFFORT, help="how much sampling methods and curves do"
    )
    audit.add_argument(
        "--again", nargs="*", choices=tuple(AGAIN), help="test maps once more with places hidden so (or not at all)"
    )
    audit.add_argument("--no-curves", action="store_true", help="leave out deletion and insertion")
    audit.add_argument("--limit", type=int, help="audit only the first N pictures by name")
    audit.add_argument("--seed", type=int, default=0)
    audit.add_argument("--title", default="Audit of a vision-language model")
    audit.add_argument("--purpose", default="", help="what the model is used for, as declared")
    audit.add_argument("--preparer", default="", help="who prepares the report")
    audit.add_argument(
        "--applications", help="comma-separated names, or none (default: every application; see `applications`)"
    )
    audit.add_argument(
        "--compare-with", nargs="+", default=[], metavar="RUN", help="runs of other models on the same pictures"
    )
    audit.add_argument("--thresholds", type=Path, help="TOML file that the findings are judged by")
    audit.add_argument(
        "--fail-on", choices=["low", "medium", "high"], help="exit 1 at a finding of this severity or above"
    )
    audit.add_argument("--plan", type=Path, help="plan.json of a run: the same audit again, of the pictures given")
    audit.add_argument("--out", type=Path, required=True, help="run directory; an unfinished one is resumed")
    audit.set_defaults(defaults={name: audit.get_default(name) for name in SETTLED})

    explain = command("explain", "explain single pictures, without an audit", explaining.explain)
    explain.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="pictures, folders or ZIP files")
    explain.add_argument("--text", action="append", default=[], help="a text to explain (repeatable)")
    explain.add_argument("--texts", type=Path, help="texts, one a line")
    explain.add_argument("--template", action="append", help="template that every text goes through, with {}")
    explain.add_argument("--method", required=True, help="comma-separated names (see `methods`)")
    explain.add_argument("--option", action="append", default=[], metavar=OPTION, help=OPTION_HELP)
    explain.add_argument("--seed", type=int, default=0)
    _model_arguments(explain)
    explain.add_argument("--out", type=Path, required=True, help="folder to write, new or empty")

    resume = command("resume", "finish a run that was stopped", commands.resume)
    resume.add_argument("run_directory", help="run directory or id")
    resume.add_argument(
        "--recompute", action="store_true", help="compute again what another version, weights or plan made"
    )

    cancel = command("cancel", "stop a run after the work in hand; `resume` goes on with it", run_commands.cancel)
    cancel.add_argument("run_directory", help="run directory or id")

    status = command("status", "say where a run stands", run_commands.status)
    status.add_argument("run_directory", nargs="?", help="run directory or id (default: every run of the workspace)")

    report = command("report", "judge a run anew and render its report", commands.report)
    report.add_argument("run_directory", help="run directory or id")

    compare = command("compare", "set a run beside others on the same pictures, in its report", commands.compare)
    compare.add_argument("run_directory", help="run directory or id")
    compare.add_argument("others", nargs="+", help="run directories or ids")

    verify = command("verify", "check that a run or an evidence bundle is unchanged", listings.verify)
    verify.add_argument("path", type=Path, help="run directory or evidence.zip")
    verify.add_argument("--sha256", metavar="HEX", help="the SHA-256 that was noted down, of the seal or the bundle")
    verify.add_argument("--pdf", type=Path, metavar="REPORT", help="a report.pdf that must be of this run or bundle")

    methods = command("methods", "list the methods, what they need and cost", listings.methods)
    methods.add_argument("--model", help="say which of them this embedded model can serve")

    applications = command("applications", "list the applications and their options", listings.applications)
    applications.add_argument("--model", help="say which of them this embedded model can serve")

    command("capabilities", "say which method runs on which kind of model, and why not", listings.capabilities)
    command("models", "list the models that can be named", listings.models)

    worker = command("worker", "do the work of a run (started by the app)", commands.worker)
    worker.add_argument("run_directory", help="run directory or id")
    worker.add_argument("--launched", action="store_true", help=argparse.SUPPRESS)
    return parser


def _model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="demo", help="embedded name, open_clip name, folder or config file")
    parser.add_argument("--pretrained", help="open_clip tag")
    parser.add_argument("--weights", type=Path, help="local weights (.safetensors, or .pt state dict)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
