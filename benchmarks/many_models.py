"""Mutual knowledge of many models in one command: architectures of open_clip's list, small and seeded, beside the
embedded models.

    PYTHONPATH=. python benchmarks/many_models.py --out FOLDER [--seed 0] [--option knowledge.seeds=1 ...]

Each architecture keeps its kind of tower, pooling, normalisation and activation; its sizes shrink (see `small`). Its
weights are open_clip's own initialisation from a seed. Nothing was trained, so the figures of these models say what
architecture and chance give, and the table says so beside each of them. The embedded models are trained. All are
measured on the sample of the demonstration, whose table holds the true class of each image.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchmarks.support.tiny import network_of
from benchmarks.support.tiny_families import timm_vision
from core.cli import main as command
from core.models.listing import architecture_file, architectures, embedded_models
from core.settings import ROOT

SAMPLE = ROOT / "core" / "sample"
ARCHITECTURES = (
    "RN50", "RN101", "RN50x4", "convnext_base", "ViT-B-32", "ViT-B-32-quickgelu", "ViT-B-16", "ViT-L-14", "ViT-H-14",
    "ViT-B-16-plus-240", "ViT-S-16", "ViT-L-16-320", "EVA02-B-16", "ViTamin-S", "MobileCLIP-S1",
)  # fmt: skip
# The relatives of timm towers that are small enough: of timm itself, or the one of the tests.
RELATIVES = {
    "convnext_base": ("test_convnext", "avg"),
    "EVA02-B-16": ("loupe_eva02", "token"),
    "ViTamin-S": ("loupe_vitamin", ""),
    "MobileCLIP-S1": ("loupe_fastvit", "avg"),
}
SHRINK, BLOCKS, HEAD = 12, 3, 16
TEXT = {"context_length": 32, "width": 48, "heads": 4, "layers": 4}


def main(arguments: list[str] | None = None) -> int:
    """Write the models and run `compare`; returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--option", action="append", default=["knowledge.labels=class", "knowledge.seeds=1"])
    chosen = parser.parse_args(arguments)
    folder = chosen.out / "models"
    folder.mkdir(parents=True, exist_ok=True)
    models, notes = [model.name for model in embedded_models()], []
    for name in ARCHITECTURES:
        entry = "=".join(map(str, seeded(name, folder, chosen.seed)))
        models.append(entry)
        notes.append(f"{entry}=small, random weights, seed {chosen.seed}")
    notes += [f"{model.name}=trained" for model in embedded_models()]
    given = ["compare", "--models", *models, "--images", SAMPLE / "images", "--table", SAMPLE / "captions.csv"]
    given += ["--classes", SAMPLE / "classes.txt", "--out", chosen.out]
    for flag, values in (("--note", notes), ("--option", chosen.option)):
        for value in values:
            given += [flag, value]
    return command([str(part) for part in given])


def seeded(name: str, folder: Path, seed: int) -> tuple[Path, Path]:
    """The files (configuration, weights) of a small version of an architecture with open_clip's initialisation."""
    config, weights = folder / f"{name}-small.json", folder / f"{name}-small.safetensors"
    published = json.loads(architecture_file(name).read_text(encoding="utf-8"))
    config.write_text(json.dumps(small(published, RELATIVES.get(name))))
    torch.manual_seed(seed)
    net = network_of(config)
    save_file({key: value.contiguous() for key, value in net.state_dict().items()}, str(weights))
    return config, weights


def small(published: dict[str, Any], relative: tuple[str, str] | None) -> dict[str, Any]:
    """The configuration with a twelfth of the width and a third of the blocks, on as many patches (of 8 pixels, or 4
    where there are more than eight in a row); for a timm tower that of its relative.
    """
    vision = dict(published["vision_cfg"])
    if relative is not None:
        vision = timm_vision(*relative, size=160 if relative[0].startswith("test_") else 64)
        vision["timm_proj"] = published["vision_cfg"]["timm_proj"] or "linear"
    elif isinstance(vision["layers"], list):
        layers = [-(-count // BLOCKS) for count in vision["layers"]]
        vision |= {"layers": layers, "width": vision["width"] // 8, "head_width": HEAD, "image_size": 96}
    else:
        heads = max(2, round(vision["width"] / SHRINK / HEAD))
        grid = vision["image_size"] // vision["patch_size"]
        patch = 8 if grid <= 8 else 4
        vision |= {"layers": max(2, vision["layers"] // BLOCKS), "width": heads * HEAD, "head_width": HEAD}
        vision |= {"patch_size": patch, "image_size": grid * patch}
    text = {**published["text_cfg"], **TEXT}
    return {**published, "embed_dim": 64, "vision_cfg": vision, "text_cfg": text}


if __name__ == "__main__":
    assert set(ARCHITECTURES) <= set(architectures())
    sys.exit(main())
