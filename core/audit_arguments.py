"""The arguments that say what an audit is: `audit` does it, and `estimate` says what it would cost."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.arguments import SETTLED, declared_arguments, model_arguments, signers_argument
from core.datasets import source
from core.house_styles import style_arguments
from core.methods.presets import DEFAULT_EFFORT, EFFORTS
from core.runs import AGAIN

OPTION = "NAME.OPTION=VALUE"
OPTION_HELP = "an option of a method or application; VALUE is JSON or plain text (repeatable)"


def audit_arguments(parser: argparse.ArgumentParser) -> None:
    """Images, texts, model, methods, applications and how they are judged, but not where the run lies."""
    parser.add_argument(
        "--images",
        type=source,
        nargs="+",
        required=True,
        help="folders, ZIP, tar or Parquet files, images; also by URL, such as s3://bucket/folder",
    )
    parser.add_argument(
        "--table", type=source, help="CSV, Excel, JSON or Parquet: image path, optional caption, metadata"
    )
    parser.add_argument(
        "--reference-images",
        type=source,
        nargs="+",
        default=[],
        help="images of the intended use; tests whether the audited images differ from them",
    )
    parser.add_argument(
        "--annotations",
        type=Path,
        help="COCO JSON of drawn objects, a table of phrases with boxes, or a folder of label maps (PNG)",
    )
    parser.add_argument("--texts", type=Path, help="prompts for every image, one per line")
    parser.add_argument(
        "--classes", type=Path, help="class names, one per line; the top-ranked classes of each image are explained"
    )
    parser.add_argument(
        "--concepts",
        type=Path,
        help="CSV (class, concept, expectation) or TOML: concepts that scores should or must not rest on",
    )
    parser.add_argument("--template", action="append", help="prompt template for class names, with {} (repeatable)")
    parser.add_argument(
        "--prompt-set",
        action="append",
        default=[],
        metavar="NAME",
        help="templates or prompts of a domain (repeatable; see `prompt-sets`)",
    )
    parser.add_argument(
        "--top-classes", type=int, default=1, help="number of top-ranked classes explained per image (default: 1)"
    )
    parser.add_argument("--no-captions", action="store_true", help="ignore the captions of the images")
    model_arguments(parser)
    signers_argument(parser)
    parser.add_argument(
        "--embeddings",
        type=Path,
        metavar="TABLE",
        help="CSV, Parquet or .npz of embeddings of the images and texts, instead of a model; no method is run",
    )
    parser.add_argument(
        "--scores", type=Path, metavar="TABLE", help="CSV, Parquet or .npz of image-text scores, instead of a model"
    )
    parser.add_argument("--methods", help="comma-separated names, or none (default: all; see `methods`)")
    parser.add_argument("--option", action="append", default=[], metavar=OPTION, help=OPTION_HELP)
    parser.add_argument(
        "--effort", choices=sorted(EFFORTS), default=DEFAULT_EFFORT, help="amount of sampling for methods and curves"
    )
    parser.add_argument(
        "--again",
        nargs="*",
        choices=tuple(AGAIN),
        help="evaluate maps a second time with cells hidden in this way (or not at all)",
    )
    parser.add_argument("--no-curves", action="store_true", help="omit deletion and insertion")
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="audit N images, drawn at random (see --seed) within strata of class and metadata",
    )
    parser.add_argument("--seed", type=int, default=0)
    declared_arguments(parser)
    parser.add_argument("--applications", help="comma-separated names, or none (default: all; see `applications`)")
    beside = "runs of other models on the same images, for comparison"
    parser.add_argument("--compare-with", nargs="+", default=[], metavar="RUN", help=beside)
    style_arguments(parser)
    parser.add_argument("--thresholds", type=Path, help="TOML file with the thresholds by which findings are judged")
    parser.add_argument(
        "--fail-on",
        choices=["low", "medium", "high"],
        help="exit with code 1 if a finding, also one about the explanations, has this severity or a higher one",
    )
    parser.add_argument("--plan", type=Path, help="plan.json of a run: repeat the same audit on the given images")
    parser.set_defaults(defaults={name: parser.get_default(name) for name in SETTLED})
