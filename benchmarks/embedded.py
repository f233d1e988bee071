"""Figures of an embedded model on images that aren't part of Loupe: retrieval, zero-shot classification, load time.

    python benchmarks/embedded.py --model demo --coco DIR --flickr DIR --imagenet DIR [--original weights.safetensors]

COCO: `images/` and `annotations.json` with captions. Flickr8k: `images/` and `captions.json`. ImageNet: `images/` and
`labels.csv` (file, wnid, name). `--original` (with `--coco`) compares the stored
weights with the ones they were packed from.
Prints one JSON object; intervals are 95 % bootstrap over images (or texts).
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import resource
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from core import load_model
from core.models.model import Model
from core.statistics import interval_of_means

TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "a close-up photo of a {}.", "a photo of the {}.", "{}")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo")
    for name in ("coco", "flickr", "imagenet", "original"):
        parser.add_argument(f"--{name}", type=Path)
    chosen = parser.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    model = load_model(chosen.model)
    found: dict[str, Any] = {
        "model": model.title,
        "digest": model.digest,
        "load_seconds_with_imports_done": round(time.perf_counter() - began, 2),
        "memory_added_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024,
    }
    with torch.no_grad():
        if chosen.coco:
            found["coco"] = retrieval(model, *_coco(chosen.coco))
        if chosen.flickr:
            found["flickr8k"] = retrieval(model, *_flickr(chosen.flickr))
        if chosen.imagenet:
            found["imagenet"] = classification(model, chosen.imagenet)
        if chosen.original:
            found["packing"] = packing(model, chosen.original, _coco(chosen.coco) if chosen.coco else None)
    print(json.dumps(found, indent=1))


def retrieval(model: Model, files: list[Path], captions: list[tuple[int, str]]) -> dict[str, Any]:
    """Text-to-image recall: the share of captions whose own image is among the first k."""
    images = embed(model, files)
    texts = model.embed_texts([text for _, text in captions])
    own = torch.tensor([index for index, _ in captions])
    scores = texts @ images.T
    rank = (scores > scores.gather(1, own[:, None])).sum(dim=1).numpy()
    # Captions of one image aren't independent: the image is the unit.
    table = {}
    for k in (1, 5):
        hits = defaultdict(list)
        for index, place in zip(own.tolist(), rank, strict=True):
            hits[index].append(place < k)
        table[f"R@{k}"] = _shown([np.mean(values) for values in hits.values()])
    return {"images": len(files), "captions": len(captions), **table}


def classification(model: Model, folder: Path) -> dict[str, Any]:
    """Zero-shot top-1 and top-5 over all the sample's classes."""
    with (folder / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = sorted({row["name"] for row in rows})
    texts = model.embed_texts(names, TEMPLATES)
    images = embed(model, [folder / "images" / row["file"] for row in rows])
    order = (images @ texts.T).argsort(dim=1, descending=True)
    own = torch.tensor([names.index(row["name"]) for row in rows])
    place = (order == own[:, None]).int().argmax(dim=1).numpy()
    return {"images": len(rows), "classes": len(names), **{f"top-{k}": _shown(place < k) for k in (1, 5)}}


def packing(model: Model, original: Path, data: Any) -> dict[str, Any]:
    """Cosine between embeddings of the stored weights and of those they were packed from."""
    from safetensors.torch import load_file

    other = copy.deepcopy(model.net)
    other.load_state_dict({name: value.float() for name, value in load_file(str(original)).items()}, strict=False)
    files, captions = data
    texts = [text for _, text in captions]
    theirs = F.normalize(
        torch.cat([other.encode_text(model.text.full(texts[i : i + 64])) for i in range(0, len(texts), 64)]), dim=-1
    )
    text = (model.embed_texts(texts) * theirs).sum(dim=-1)
    pixels = model.preprocess(files[:32])[0]
    image = (model.embed_images(pixels) * F.normalize(other.encode_image(pixels), dim=-1)).sum(dim=-1)
    return {
        "text_cosine_min": round(float(text.min()), 5),
        "text_cosine_mean": round(float(text.mean()), 5),
        "texts": len(texts),
        "image_cosine_min": round(float(image.min()), 6),
        "images": len(pixels),
    }


def embed(model: Model, files: list[Path]) -> torch.Tensor:
    """Unit embeddings of image files."""
    return torch.cat([model.embed_images(model.preprocess(files[i : i + 16])[0]) for i in range(0, len(files), 16)])


def _coco(folder: Path) -> tuple[list[Path], list[tuple[int, str]]]:
    raw = json.loads((folder / "annotations.json").read_text())
    wanted = sorted({entry["image_id"] for entry in raw["captions"]})
    names = {entry["id"]: entry["file_name"] for entry in raw["images"]}
    files = [folder / "images" / names[image] for image in wanted]
    return files, [(wanted.index(entry["image_id"]), entry["caption"]) for entry in raw["captions"]]


def _flickr(folder: Path) -> tuple[list[Path], list[tuple[int, str]]]:
    raw = json.loads((folder / "captions.json").read_text())
    entries = raw if isinstance(raw, list) else [{"file": name, "captions": texts} for name, texts in raw.items()]
    files = [folder / "images" / entry["file"] for entry in entries]
    return files, [(index, text) for index, entry in enumerate(entries) for text in entry["captions"]]


def _shown(values: Any) -> dict[str, float | int | None]:
    got = interval_of_means(np.asarray(values, dtype=float))
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in vars(got).items()}


if __name__ == "__main__":
    main()
