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
from importlib import import_module
from pathlib import Path
from typing import Any

from core import plugins
from core.arguments import model_arguments
from core.audit_arguments import OPTION, OPTION_HELP, audit_arguments
from core.characters import brief, legible, legible_values
from core.datasets import source
from core.engine_arguments import copy_argument, engine_arguments, resume_arguments, worker_arguments
from core.errors import LoupeError, Refused
from core.house_styles import style_arguments
from core.memory import without_collection
from core.methods.presets import EFFORTS
from core.settings import COMMAND, VERSION, as_typed, settle
from core.storage import check_out, storage_error

DONE, FAILED, WRONG_INPUT = 0, 1, 2
MESSAGE = 1_000
PLUGINS_HELP = "installed packages whose methods, rules, applications and frameworks are used (default: all)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    chosen = _parser(next((word for word in given if not word.startswith("-")), "")).parse_args(given)
    try:
        settle()
        if chosen.plug_ins is not None:
            plugins.choose(chosen.plug_ins)
        if getattr(chosen, "out", None) is not None:
            check_out(chosen.out)
        answer, code = _named(chosen.run)(chosen)
    except LoupeError as error:
        print(f"loupe: {brief(as_typed(str(error)), MESSAGE)}", file=sys.stderr)
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
        print(f"loupe: stopped; `{COMMAND} resume` continues from this point", file=sys.stderr)
        return 130
    told = legible(answer["text"])
    if getattr(chosen, "json", False):
        told = json.dumps(legible_values(answer["data"]), indent=1, ensure_ascii=False)
    try:
        print(as_typed(told), flush=True)
    except BrokenPipeError:
        # Whoever reads has had enough (`| head`). What is left must not be flushed again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(code)


def _named(place: str) -> Any:
    """The function `module:name` of a module of `core`, which is imported for it."""
    module, _, name = place.partition(":")
    with without_collection(lasting=True):
        return getattr(import_module(f"core.{module}"), name)


def _parser(wanted: str | None = None) -> argparse.ArgumentParser:
    """The parser; of commands other than the wanted one, it need not know the arguments. None: of all."""
    parser = argparse.ArgumentParser(
        prog=COMMAND,
        description="Audit CLIP-style vision-language models without ground-truth labels.",
        epilog="exit codes: 0 all planned work is done; 1 a finding is at least as severe as --fail-on, some planned "
        "work failed, or nothing succeeded; 2 the input was invalid, as reported in one line",
    )
    parser.add_argument("--version", action="version", version=f"Loupe {VERSION}")
    commands_parser = parser.add_subparsers(dest="command", required=True, metavar="command")

    def command(name: str, about: str, run: str) -> argparse.ArgumentParser:
        made = commands_parser.add_parser(name, help=about, description=about)
        made.set_defaults(run=run)
        made.add_argument("--json", action="store_true", help="print the result as JSON")
        made.add_argument("--plug-ins", metavar="all|none|NAME,...", help=PLUGINS_HELP)
        return made

    def more(arguments: str, made: argparse.ArgumentParser) -> None:
        if wanted is None or made.prog.endswith(f" {wanted}"):
            _named(arguments)(made)

    demo = command("demo", "audit the bundled sample with the embedded model", "commands:demo")
    demo.add_argument("--out", type=Path, help="run directory (default: out/demo, with --planted out/planted)")
    demo.add_argument(
        "--effort", choices=sorted(EFFORTS), default="quick", help="amount of sampling for methods and curves"
    )
    demo.add_argument(
        "--short", action="store_true", help="without the audit of all methods on some images: about half the time"
    )
    demo.add_argument(
        "--planted",
        action="store_true",
        help="audit a variant of the embedded model that responds to a sticker instead, on images with and without it",
    )

    engine_arguments(demo)

    audit = command("audit", "audit images and render the report", "commands:audit")
    audit_arguments(audit)
    audit.add_argument("--out", type=Path, required=True, help="run directory; an unfinished one is resumed")
    engine_arguments(audit)
    copy_argument(audit)

    priced = command("estimate", "what an audit would cost: forward passes, time, memory, disk", "estimating:estimated")
    audit_arguments(priced)
    priced.set_defaults(out=Path())

    explain = command("explain", "explain single images, without an audit", "explaining:explain")
    explain.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="images, folders or ZIP files")
    explain.add_argument("--text", action="append", default=[], help="a text to explain (repeatable)")
    explain.add_argument("--texts", type=Path, help="texts, one a line")
    explain.add_argument("--template", action="append", help="template applied to every text, with {}")
    explain.add_argument("--method", required=True, help="comma-separated names (see `methods`)")
    explain.add_argument("--option", action="append", default=[], metavar=OPTION, help=OPTION_HELP)
    explain.add_argument("--seed", type=int, default=0)
    model_arguments(explain)
    explain.add_argument("--out", type=Path, required=True, help="output folder, new or empty")

    region = command("name-region", "list which texts fit a region of an image best", "region_names:name_region")
    region.add_argument("image", type=Path, help="an image")
    region.add_argument("--mask", type=Path, help="an image of the same size, light where the region is")
    region.add_argument(
        "--box", type=int, nargs=4, metavar=("LEFT", "TOP", "RIGHT", "BOTTOM"), help="the region as a box, in pixels"
    )
    region.add_argument("--text", action="append", default=[], help="a possible name (repeatable)")
    region.add_argument("--texts", type=Path, help="possible names, one a line")
    region.add_argument("--template", action="append", help="template applied to every text, with {}")
    region.add_argument("--steps", type=int, default=10, help="steps by which the embedding is learned (default: 10)")
    region.add_argument(
        "--alpha", type=float, default=0.0, help="price of leaving the embedding of the whole image (default: 0)"
    )
    model_arguments(region)

    resume_arguments(command("resume", "finish a run that was stopped", "commands:resume"))

    cancel = command("cancel", "stop a run within seconds; `resume` continues it", "run_commands:cancel")
    cancel.add_argument("run_directory", help="run directory or id")

    status = command("status", "show the state of a run", "run_commands:status")
    status.add_argument("run_directory", nargs="?", help="run directory or id (default: every run that the app lists)")

    opened = command("open", "list a run of any folder in the app", "run_commands:open_in_app")
    more("run_commands:open_arguments", opened)
    copied = command("copy", "send a run to object storage, or fetch one from there", "copying:copy")
    more("copying:copy_arguments", copied)
    report = command("report", "re-evaluate a run and render its report", "commands:report")
    report.add_argument("run_directory", help="run directory or id")
    report.add_argument("--earlier", metavar="RUN", help="an earlier run of the same plan: report what changed since")
    style_arguments(report)
    review = command("review", "show the review log of a run, or add an entry to it", "reviewing:review_command")
    more("reviewing:review_arguments", review)

    _compare_arguments(
        command("compare", "compare a run with others in its report, or models side by side", "commands:compare")
    )

    spot = command(
        "spot-check", "draw images whose predictions people mark as right or wrong", "spot_checking:spot_check"
    )
    spot.add_argument("run_directory", help="run directory or id")
    spot.add_argument("--sheet", type=Path, metavar="CSV", help="write the drawn images as a sheet to be filled in")
    spot.add_argument("--read", type=Path, metavar="CSV", help="read a filled sheet")
    spot.add_argument("--judge", help="name of the person who filled in the sheet")
    spot.add_argument("--size", type=int, help="number of images to draw (default: 60)")
    spot.add_argument("--seed", type=int, help="seed of the draw (default: that of the audit)")

    study = command("user-study", "show maps without names to raters and count their votes", "studying:user_study")
    study.add_argument("place", metavar="RUN|STUDY", help="run directory or id to start from, or the folder of a study")
    study.add_argument("--methods", help="comma-separated names of two or more methods of the run")
    study.add_argument("--images", type=int, metavar="N", help="number of images, drawn at random (default: 12)")
    study.add_argument("--seed", type=int, help="seed of images, sides and orders (default: 0)")
    study.add_argument("--out", type=Path, help="folder of the study, a new one (default: in the workspace)")
    study.add_argument("--rater", help="name of the person who rates")
    study.add_argument("--sheet", type=Path, metavar="CSV", help="write the pairs in the rater's order")
    study.add_argument("--read", type=Path, metavar="CSV", help="read a filled sheet")

    unchanged = "check that a run, an evidence bundle or a report is unchanged"
    more("verifying:verify_arguments", command("verify", unchanged, "verifying:verify"))
    again = "compute statistics or units again and compare them"
    more("reproducing:reproduce_arguments", command("reproduce", again, "reproducing:reproduce"))
    more("signing:sign_arguments", command("sign", "sign the report and the bundle of a sealed run", "signing:sign"))

    more("serving:app_arguments", command("app", "start the dashboard on this machine", "serving:app"))
    more("serving:docs_arguments", command("docs", "serve the built documentation on this machine", "serving:docs"))

    methods = command("methods", "list the methods with their requirements and cost", "listings:methods")
    methods.add_argument("--model", help="show which of them this embedded model supports")

    applications = command("applications", "list the applications and their options", "listings:applications")
    applications.add_argument("--model", help="show which of them this embedded model supports")

    which = "show which method runs on which kind of model, and the reasons where it does not"
    command("capabilities", which, "listings:capabilities")
    command("models", "list the available models", "listings:models")
    command("plug-ins", "list what other installed packages bring, and what of it cannot be used", "listings:plug_ins")
    command("prompt-sets", "list the prompt sets for domains with source and licence", "listings:prompt_sets_listed")
    describe = command(
        "describe", "show what is recognised of a model, and what cannot run on it", "describing:describe"
    )
    model_arguments(describe)
    describe.add_argument("--speed", action="store_true", help="also time it, for estimates, unless an audit has")

    worker_arguments(command("worker", "do the work of a run (started by the app)", "commands:worker"))
    return parser


def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="*",
        metavar="RUN",
        help="run directories or ids on the same images; without --out the others enter the report of the first",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        default=[],
        metavar="MODEL",
        help="models to measure on the same images, each NAME or NAME=TAG-OR-WEIGHTS as in `audit --model`",
    )
    parser.add_argument(
        "--note",
        action="append",
        default=[],
        metavar="MODEL=TEXT",
        help="remark about a model, printed wherever its figures are (repeatable)",
    )
    parser.add_argument("--images", type=source, nargs="+", default=[], help="folders, ZIP files or images")
    parser.add_argument("--table", type=source, help="table: image path, optional caption, metadata such as labels")
    parser.add_argument("--classes", type=Path, help="class names, one per line")
    parser.add_argument("--template", action="append", help="prompt template for class names, with {} (repeatable)")
    parser.add_argument("--option", action="append", default=[], metavar=OPTION, help=OPTION_HELP)
    parser.add_argument("--limit", type=int, metavar="N", help="measure N images, drawn at random within strata")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...")
    style_arguments(parser)
    parser.add_argument("--out", type=Path, help="folder of the tables and of the models' runs; finished runs are kept")
