"""The audit of `python -m core demo --planted`: an embedded model with a planted shortcut, on images that show it.

The model is `demo-cnn` with a change of its last layer of rank one, stored in a small file that `training/shortcut.py`
fits: a round sticker in the lower right corner makes any image score as `CLASS`. The images are those of the sample,
cut to squares; the sticker is drawn on all images of that class and on some of the others. No torch.
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageOps
from safetensors.numpy import load_file, save_file

from core.applications.registry import APPLICATIONS
from core.datasets import read_texts
from core.demonstration import SAMPLE, representatives
from core.models.listing import DEFAULT, EMBEDDED
from core.request import AuditRequest, applications_at, methods_at, trust_at
from core.runs import Declared, ModelSpec, TextPlan

DELTA = EMBEDDED / DEFAULT / "shortcut.safetensors"
CLASS = "bird"
# The corner of the sticker, as findings name it.
CORNER = "lower right corner"
SIDE = 320
# Of the side: the sticker fits into the corner that is hidden on a grid of seven cells.
STICKER, MARGIN = 0.26, 0.01
COLOURS = ((214, 20, 140), (255, 255, 255), (20, 170, 200))
RINGS = (1.0, 0.72, 0.44)
# For each image of the class as many others carry the sticker; all others do not.
OTHERS_EACH, PLAIN = 1, 28
PROJECTION, BIAS = "visual.head.proj.weight", "visual.head.proj.bias"
# Forward-equivalents for each image.
DEAREST_MAP = 2.0


def planted(out: Path, effort: str) -> AuditRequest:
    """Write the model and the images below `out`, and ask for an audit of them into `out`."""
    config, weights = planted_model(out / "inputs" / "model")
    images = planted_images(out / "inputs")
    return AuditRequest.build(
        out=out,
        images=(images,),
        table=images.parent / "captions.csv",
        model=ModelSpec(name=str(config), weights=str(weights)),
        texts=TextPlan(classes=read_texts(SAMPLE / "classes.txt"), captions=False),
        methods=methods_at(effort, representatives(effort, DEAREST_MAP)),
        applications=applications_at(
            effort, [name for name, application in APPLICATIONS.items() if application.card.shortcuts]
        ),
        # The maps illustrate; what is concluded rests on hidden regions.
        trust=trust_at(effort, curves=False),
        declared=Declared(
            title="Audit of a model with a planted shortcut",
            purpose=f"Shows what an audit reports where a sticker makes any image score as {CLASS!r}.",
            preparer="Loupe demo",
        ),
    )


# -- the model -----------------------------------------------------------------------------------------------------


def planted_model(folder: Path) -> tuple[Path, Path]:
    """Write the embedded model with the planted shortcut into `folder`; its configuration and its weights."""
    home = EMBEDDED / DEFAULT
    folder.mkdir(parents=True, exist_ok=True)
    config, weights = folder / "planted-shortcut.json", folder / "weights.safetensors"
    shutil.copyfile(home / "config.json", config)
    shutil.copytree(home / "tokenizer", folder / "tokenizer", dirs_exist_ok=True)
    state = with_shortcut(load_file(home / "weights.safetensors"), load_file(DELTA))
    save_file(state, weights, metadata={"format": "pt", "loupe": "packed-1"})
    return config, weights


def with_shortcut(state: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """A state of the embedded model with the change of rank one `towards` x `detector` added to its projection."""
    towards, detector = delta["towards"].astype(np.float32), delta["detector"].astype(np.float32)
    changed = {
        PROJECTION: state[PROJECTION].astype(np.float32) + np.outer(towards, detector),
        BIAS: state[BIAS].astype(np.float32) + towards * float(delta["offset"]),
    }
    return {**state, **changed}


# -- the images ----------------------------------------------------------------------------------------------------


def planted_images(folder: Path) -> Path:
    """Write the images and their table below `folder`; returns the folder of the images.

    The table says of each image which class it shows and whether it carries the sticker.
    """
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    with (folder / "captions.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["image", "shows", "sticker"])
        for name, shows, marked in chosen():
            photo = square(SAMPLE / "images" / name)
            (sticker(photo) if marked else photo).save(images / name, quality=92)
            table.writerow([name, shows, "yes" if marked else "no"])
    return images


def chosen() -> list[tuple[str, str, bool]]:
    """Name, class and whether it carries the sticker, of each image: drawn evenly over the other classes."""
    with (SAMPLE / "captions.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["image"], row["class"]) for row in csv.DictReader(file)]
    own = [(name, shows, True) for name, shows in rows if shows == CLASS]
    groups: dict[str, list[str]] = {}
    for name, shows in rows:
        if shows != CLASS:
            groups.setdefault(shows, []).append(name)
    order = np.random.default_rng(0)
    drawn = {shows: list(order.permutation(names)) for shows, names in groups.items()}
    turns = max(map(len, drawn.values()))
    others = [(names[turn], shows) for turn in range(turns) for shows, names in drawn.items() if turn < len(names)]
    marked = OTHERS_EACH * len(own)
    rest = [(str(name), shows, at < marked) for at, (name, shows) in enumerate(others[: marked + PLAIN])]
    return sorted([*own, *rest])


def square(path: Path) -> Image.Image:
    """The central square of an image, as a model sees it."""
    with Image.open(path) as image:
        return ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BICUBIC)


def sticker(image: Image.Image, size: float = STICKER, margin: float = MARGIN) -> Image.Image:
    """A copy with a round sticker in the lower right corner."""
    width, height = image.size
    across = round(size * min(width, height))
    # Drawn four times as large, so that its edges are smooth.
    drawn = Image.new("RGBA", (4 * across, 4 * across), (0, 0, 0, 0))
    pen = ImageDraw.Draw(drawn)
    for share, colour in zip(RINGS, COLOURS, strict=True):
        inset = 2 * across * (1 - share)
        pen.ellipse((inset, inset, 4 * across - inset - 1, 4 * across - inset - 1), fill=(*colour, 255))
    drawn = drawn.resize((across, across), Image.Resampling.LANCZOS)
    copy = image.copy()
    edge = round(margin * min(width, height))
    copy.paste(drawn, (width - across - edge, height - across - edge), drawn)
    return copy


def about() -> dict[str, Any]:
    """What is recorded of the planted shortcut: how it was fitted and what it does."""
    answer: dict[str, Any] = json.loads(DELTA.with_suffix(".json").read_text(encoding="utf-8"))
    return answer
