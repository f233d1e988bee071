"""A small seeded model, a few drawn images and a stubbed report: what an audit is tested on."""

from __future__ import annotations

import hashlib
import json
import sys
import types
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from core.datasets import Dataset, ingest
from core.models.loading import load_model
from core.models.model import Model
from core.runs import MethodPlan, ModelSpec, Plan, Run, TextPlan, TrustPlan, create_run, make_plan

CAPTION = "a {} on a plain wall"
CLASSES = ("red circle", "green square", "blue triangle")
_COLOURS = ((196, 52, 44), (38, 138, 74), (42, 88, 176), (150, 120, 30))
_TEXT = {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 3}
CONFIGS: dict[str, dict[str, Any]] = {
    "vit": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 4, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": _TEXT,
    },
    "cnn": {
        "embed_dim": 16,
        "vision_cfg": {
            "timm_model_name": "test_convnext", "timm_model_pretrained": False, "timm_pool": "avg",
            "timm_proj": "linear", "image_size": 64,
        },
        "text_cfg": _TEXT,
    },
}  # fmt: skip


def save_model(folder: Path, kind: str = "vit", seed: int = 0) -> Path:
    """Write `config.json` and seeded random `weights.safetensors` into `folder`; returns the configuration."""
    from open_clip.model import CLIP

    folder.mkdir(parents=True, exist_ok=True)
    config = CONFIGS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = CLIP(**json.loads(json.dumps(config)))
        state = {name: value.clone().contiguous() for name, value in net.state_dict().items()}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state, folder / "weights.safetensors")
    return folder / "config.json"


def spec(config: Path) -> ModelSpec:
    """The plan's way to name a saved model."""
    return ModelSpec(name=str(config), weights=str(config.parent / "weights.safetensors"), device="cpu")


@cache
def loaded(config: Path) -> Model:
    """The saved model, loaded once."""
    return load_model(config, weights=config.parent / "weights.safetensors", device="cpu")


def draw_images(folder: Path, count: int = 4, side: int = 48) -> Path:
    """`count` images of one shape each, with a table of captions."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["file,caption"]
    for index in range(count):
        noise = np.random.default_rng(index).normal(190, 12, (side, side, 3))
        image = Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8), "RGB")
        x, y = 8 + 6 * (index % 4), 10 + 5 * (index % 3)
        shape = ("ellipse", "rectangle")[index % 2]
        getattr(ImageDraw.Draw(image), shape)((x, y, x + 16, y + 16), fill=_COLOURS[index % 4])
        image.save(folder / f"drawn-{index}.png")
        lines.append(f"drawn-{index}.png,{CAPTION.format(shape)}")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n")
    return folder


def take_in(folder: Path, count: int = 4) -> Dataset:
    """A data set of drawn images, stored below `folder`."""
    return ingest([draw_images(folder / "drawn", count)], store=folder / "data")


def plan_for(dataset: Dataset, config: Path, methods: Sequence[str | MethodPlan] = ("raw",), **parts: Any) -> Plan:
    """A plan for every image: captions and classes, a few curve steps, two images a unit."""
    chosen = tuple(MethodPlan(name=m) if isinstance(m, str) else m for m in methods)
    given: dict[str, Any] = {
        "texts": TextPlan(classes=CLASSES),
        "trust": TrustPlan(curves=False, resamples=100),
        "shard": 1,
        **parts,
    }
    return make_plan(
        dataset=dataset.id, dataset_root=str(dataset.root), images=tuple(p.id for p in dataset.images),
        model=spec(config), methods=chosen, **given,
    )  # fmt: skip


def new_run(folder: Path, plan: Plan) -> Run:
    """A run directory for `plan`."""
    return create_run(folder, plan)


def result_hashes(run: Run) -> dict[str, str]:
    """The SHA-256 of every result file by name."""
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted((run.folder / "results").glob("*.parquet"))
    }


def stub_report(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the report by a file of one line; returns the list of runs that were rendered."""
    rendered: list[str] = []

    def render_report(run: Run, findings: Any, **_: Any) -> Path:
        run.report.mkdir(exist_ok=True)
        rendered.append(run.id)
        path = run.report / "report.pdf"
        path.write_text(f"{len(findings)} findings\n")
        return path

    module = types.ModuleType("core.reporting")
    module.render_report = render_report  # type: ignore[attr-defined]
    module.__path__ = [str(Path(__file__).parents[2] / "core" / "reporting")]
    module.check_renderer = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "core.reporting", module)
    return rendered
