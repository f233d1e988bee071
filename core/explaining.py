"""The command `explain`: single images by chosen methods, without an audit. Its folder is written whole or not.

The folder holds `explanation.json` and, for each image, `<number>-<name>/<method>-<number of the text>.npy` (raw map,
float32, rows x columns) and `.png` (the map over the image); methods that sample add `-half-width.npy`, the 95 %
half-width of each value.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.arguments import checked, given_options, model_spec, texts_in
from core.characters import brief, printable
from core.commands import Answer
from core.content.words import plural
from core.datasets import Dataset, ingest
from core.drafts import own_folder, sweep
from core.errors import InputError
from core.methods import MethodInfo, method_info
from core.runs import TextPlan
from core.runs.leftovers import EXPLAINING, sweep_temporary
from core.runs.parts import MOST_SEED
from core.settings import VERSION

if TYPE_CHECKING:
    from PIL import Image

    from core.attribution.contract import Attribution
    from core.models.model import Model

RECORD = "explanation.json"
SIDE = 1024
_SHORT = 40


@dataclass(frozen=True)
class _Wish:
    """What is asked for, checked."""

    texts: tuple[str, ...]
    templates: tuple[str, ...] | None
    methods: tuple[MethodInfo, ...]
    options: dict[str, dict[str, Any]]
    seed: int


def explain(chosen: argparse.Namespace) -> Answer:
    """Explain images with texts and write raw maps, overlays and a record. Raises a `LoupeError` for wrong input."""
    from core.models.loading import load_model

    wish = _wish(chosen)
    _check_places(chosen.images, chosen.out)
    spec = model_spec(chosen)
    model = load_model(spec.name, spec.pretrained, weights=spec.weights, device=spec.device)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    sweep(chosen.out.parent, ".explaining-*")
    sweep_temporary()
    with own_folder(".explaining-", chosen.out.parent) as draft:
        with own_folder(EXPLAINING) as store:
            images = _taken(chosen.images, store)
            record = _explained(model, images, wish, draft)
        (draft / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.chmod(0o755)
        # An empty folder may be replaced; one with files was refused at the start.
        draft.replace(chosen.out)
    count = sum(len(image["maps"]) for image in record["images"])
    text = f"{plural(count, 'explanation')} of {plural(len(record['images']), 'image')}: {chosen.out / RECORD}"
    if record["unread"]:
        cut = ", ".join(f"“{brief(each, _SHORT)}”" for each in record["unread"][:3])
        tokens = record["model"]["context_length"]
        ends = f"the end of {plural(len(record['unread']), 'text')} has no effect"
        text += f"\nthe model reads at most {tokens} tokens; {ends}: {cut}"
    for remark in record["remarks"]:
        text += f"\n{remark['name']} {remark['reason']}"
    for method, about in record["methods"].items():
        text += "".join(f"\n{method}: the {side} side was not run: {why}" for side, why in about["not_run"].items())
    return {"text": text, "data": {"folder": str(chosen.out), **record}}, 0


def _wish(chosen: argparse.Namespace) -> _Wish:
    given = dict.fromkeys([*chosen.text, *(texts_in(chosen.texts) if chosen.texts else ())])
    if not given or not all(map(printable, given)):
        raise InputError("there is no text to explain: give --text (not empty) or --texts")
    parts: dict[str, Any] = {"prompts": tuple(given)} | ({"templates": chosen.template} if chosen.template else {})
    plan = checked(TextPlan, parts)
    texts = tuple(dict.fromkeys(plan.prompts))
    methods = tuple(method_info(name.strip()) for name in dict.fromkeys(chosen.method.split(",")))
    options = given_options(chosen.option)
    idle = next((name for name in options if name not in {info.name for info in methods}), None)
    if idle is not None:
        raise InputError(f"--option {idle}: {idle} is not requested; name it with --method")
    for info in methods:
        info.parse(options.get(info.name))
    if not 0 <= chosen.seed <= MOST_SEED:
        raise InputError(f"--seed must be from 0 to {MOST_SEED}")
    return _Wish(texts, plan.templates if chosen.template else None, methods, options, chosen.seed)


def _check_places(images: list[Path], out: Path) -> None:
    for path in images:
        if not path.exists():
            raise InputError(f"{path} does not exist; give images, folders or ZIP files")
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    if out.exists() and any(out.iterdir()):
        raise InputError(f"--out {out} already contains files; name a new folder")


def _taken(images: list[Path], store: Path) -> Dataset:
    """The images, checked and upright. One that was named itself must be usable; others in a folder are left out."""
    dataset = ingest(images, store=store)
    named = {path.name for path in images if path.is_file()}
    for refusal in dataset.refusals:
        if refusal.name in named:
            raise InputError(f"{refusal.name} {refusal.reason}")
    return dataset


def _explained(model: Model, images: Dataset, wish: _Wish, out: Path) -> dict[str, Any]:
    from core.attribution.contract import Work
    from core.attribution.explain import attribute
    from core.models.trunk import ImageTrunk, TextTrunk

    texts = TextTrunk(model, list(wish.texts), wish.templates)
    told: list[dict[str, Any]] = []
    used: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(images.images, start=1):
        image = images.open(entry)
        pixels, geometry = model.preprocess([image])
        # One image at a time: its trunk is shared by the methods, and memory does not grow with the images.
        work = Work(model, ImageTrunk(model, pixels), texts, wish.seed)
        folder = out / f"{number:03d}-{_safe(entry.name)}"
        folder.mkdir()
        maps: list[dict[str, Any]] = []
        for info in wish.methods:
            got = attribute(work, info.name, geometry, **wish.options.get(info.name, {}))
            used[info.name] = _about(got)
            maps += [_written(got, index, wish.texts[index], image, folder) for index in range(len(wish.texts))]
        told.append(
            {
                "name": entry.name,
                "file_sha256": entry.sha256,
                "width": entry.width,
                "height": entry.height,
                "seen": list(geometry[0].seen()),
                "scores": [float(score) for score in work.scores[0].tolist()],
                "maps": maps,
            }
        )
    return {
        "loupe": VERSION,
        "model": {
            "title": model.title,
            "name": model.name,
            "pretrained": model.pretrained,
            "digest": model.digest,
            "weights_sha256": model.weights_sha256,
            "context_length": model.text.context,
        },
        "seed": wish.seed,
        "texts": list(wish.texts),
        "templates": list(texts.templates),
        "unread": model.unread(wish.texts, texts.templates),
        "score": "cosine similarity",
        "methods": used,
        "images": told,
        "refused": [{"name": refusal.name, "reason": refusal.reason} for refusal in images.refusals],
        "remarks": [{"name": remark.name, "reason": remark.reason} for remark in images.remarks],
    }


def _about(got: Attribution) -> dict[str, Any]:
    return {
        "title": got.method.title,
        "options": got.options,
        "unit": got.unit,
        "deterministic": got.method.deterministic,
        "not_run": got.not_run,
    }


def _written(got: Attribution, index: int, text: str, image: Image.Image, folder: Path) -> dict[str, Any]:
    """Write the map of one text and its overlay; the entry of the record, with values of tokens where there are any."""
    from core.content.heat import overlay, value_range

    entry: dict[str, Any] = {"method": got.method.name, "text": text}
    sides = [values for values in (got.image, got.text) if values is not None]
    if not all(np.isfinite(values[0, index]).all() for values in sides):
        raise InputError(f"{got.method.name} gave non-finite values for {text!r}")
    if got.image is not None:
        values = got.image[0, index]
        name = f"{folder.name}/{got.method.name}-{index + 1:03d}"
        np.save(folder.parent / f"{name}.npy", values)
        made = overlay(image, values, got.geometry[0], signed=got.method.signed, side=SIDE)
        made.save(folder.parent / f"{name}.png")
        found = value_range(values)
        entry |= {"rows": values.shape[0], "columns": values.shape[1], "low": found.low, "high": found.high}
        entry |= {"map": f"{name}.npy", "overlay": f"{name}.png"}
        entry |= {label: float(numbers[0, index]) for label, numbers in got.details.items()}
        if got.image_half_width is not None:
            np.save(folder.parent / f"{name}-half-width.npy", got.image_half_width[0, index])
            entry["half_width"] = f"{name}-half-width.npy"
    if got.text is not None:
        tokens = got.tokens[index]
        entry |= {"tokens": tokens, "token_values": got.text[0, index, : len(tokens)].tolist()}
        entry |= {"words": [word for word, _ in got.words[index]], "word_values": got.word_values(index)[0].tolist()}
    return entry


def _safe(name: str) -> str:
    stem = name.rpartition("/")[2].rpartition(".")[0] or name
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:_SHORT] or "image"
