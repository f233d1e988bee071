"""The first command that five kinds of users type, each on a tiny seeded model that its own library has saved.

    PYTHONPATH=. python benchmarks/first_commands.py FOLDER

makes the models in FOLDER, audits the images of the tests with each, and prints the commands with exit code, seconds
and pages of the PDF. The numbers that the models give mean nothing; that each command ends in a report is what counts.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pikepdf
import torch

from benchmarks.support.hub_models import clip_old_words, save_clip, save_siglip2
from benchmarks.support.onnx_export import export
from benchmarks.support.tiny import enliven
from core import load_model
from core.settings import ROOT

SAMPLE = ROOT / "tests" / "sample"
CLASSES = ("dog", "cat", "bird", "boat", "airplane")
REST = ("--classes", "classes.txt", "--methods", "raw,gradcam,rise,lime", "--applications", "data_checks,predictions",
        "--effort", "quick", "--limit", "6")  # fmt: skip
OPEN_CLIP: dict[str, Any] = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 48, "head_width": 12, "layers": 2},
    "text_cfg": {"context_length": 77, "width": 32, "heads": 4, "layers": 2},
}


class First(NamedTuple):
    """What a person has, how its library makes a tiny one, and how it is named to `audit`."""

    title: str
    make: Callable[[Path], object]
    model: tuple[str, ...]


class Outcome(NamedTuple):
    """How one command ended."""

    command: str
    code: int
    seconds: float
    pages: int


def open_clip_folder(folder: Path) -> None:
    """What `open_clip.push_to_hf_hub` uploads: weights, configuration and tokenizer."""
    import open_clip
    from open_clip.push_to_hf_hub import save_for_hf
    from open_clip.tokenizer import HFTokenizer

    words = clip_old_words()
    words.save_pretrained(folder / "words")
    text = {**OPEN_CLIP["text_cfg"], "vocab_size": len(words), "hf_tokenizer_name": "owner/tiny"}
    config = {**OPEN_CLIP, "text_cfg": text}
    (folder / "tiny-open-clip.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / "tiny-open-clip.json")
    net = open_clip.create_model("tiny-open-clip")
    enliven(net)
    tokenizer = HFTokenizer(str(folder / "words"), context_length=77)
    save_for_hf(net, tokenizer, config, str(folder / "open-clip"), safe_serialization=True)


def checkpoint(folder: Path) -> None:
    """What open_clip's trainer writes after an epoch on several machines: `module.` in names, and the optimizer."""
    import open_clip

    (folder / "tiny-trained.json").write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(folder / "tiny-trained.json")
    net = open_clip.create_model("tiny-trained")
    enliven(net, 1)
    optimizer = torch.optim.AdamW(net.parameters())
    state = {f"module.{key}": value for key, value in net.state_dict().items()}
    torch.save(
        {"epoch": 3, "name": "run", "state_dict": state, "optimizer": optimizer.state_dict()}, folder / "epoch_3.pt"
    )


def onnx_pair(folder: Path) -> None:
    """The towers of the first model as torch exports them."""
    export(load_model(folder / "clip", device="cpu"), folder / "clip", folder / "clip-onnx")


FIRST = (
    First("a CLIP folder", lambda folder: save_clip(folder / "clip"), ("--model", "clip/")),
    First("a SigLIP 2 folder", lambda folder: save_siglip2(folder / "siglip2"), ("--model", "siglip2/")),
    First("a folder of the hub, open_clip", open_clip_folder, ("--model", "open-clip/")),
    First("a checkpoint of a trainer", checkpoint, ("--model", "tiny-trained.json", "--weights", "epoch_3.pt")),
    First("a pair of ONNX towers", onnx_pair, ("--model", "clip-onnx/")),
)


def run(first: First, folder: Path) -> Outcome:
    """Type the command in the folder."""
    first.make(folder)
    out = folder / "runs" / Path(first.model[1]).stem
    arguments = [
        "audit",
        "--images",
        "photos/",
        "--table",
        "captions.csv",
        *first.model,
        *REST,
        "--out",
        f"runs/{out.name}",
    ]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "core", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(folder), "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    seconds = time.monotonic() - began
    (folder / f"{out.name}.log").write_text(done.stdout)
    report = out / "report" / "report.pdf"
    pages = 0
    if report.exists():
        with pikepdf.open(report) as document:
            pages = len(document.pages)
    return Outcome(shlex.join(["python", "-m", "core", *arguments]), done.returncode, seconds, pages)


def main() -> None:
    """Make, run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder that does not exist yet")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True)
    (folder / "photos").symlink_to(SAMPLE / "images")
    (folder / "captions.csv").write_bytes((SAMPLE / "captions.csv").read_bytes())
    (folder / "classes.txt").write_text("\n".join(CLASSES) + "\n")
    print("| what a person has | exit code | seconds | pages | command |")
    print("| --- | --- | --- | --- | --- |")
    for first in FIRST:
        found = run(first, folder)
        cells = (first.title, found.code, f"{found.seconds:.0f}", found.pages, f"`{found.command}`")
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
