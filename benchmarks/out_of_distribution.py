"""How well the fit with a declared concept tells images apart that show it and images that don't.

    python -m benchmarks.out_of_distribution --coco DIR --xray DIR --imagenet DIR --models demo-cnn demo-vit

COCO: `images/` and `annotations.json`. X-rays: `images/`. ImageNet: `images/` and `labels.csv` (file, wnid, name).
Prints one JSON object: per model and comparison the area under the curve of the leaves' scores (`auroc`), the same by
their words in place of their glosses (`lemmas`), of the concept's own gloss (`naive`), and of the largest logit and
probability among the leaves as classes, in the template "a photo of a ..." (`max_logit`, `max_share`), each with its
95 % interval, and the numbers of images inside and outside.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from core import load_model
from core.applications.concepts.work.out_of_distribution import (
    PUBLISHED_PAIRS,
    auroc,
    class_scores,
    embed_concepts,
    fit_scores,
    leaf_positions,
)
from core.concepts.glosses import embed_names
from core.concepts.vocabulary import vocabulary
from core.concepts.wordnet import below, wordnet
from core.models.model import Model

FEWEST = 5
THINGS, ANIMAL, DOG, CARNIVORE = "object.n.01", "animal.n.01", "dog.n.01", "carnivore.n.01"
Comparison = tuple[str, str, list[Path], list[Path]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("coco", "xray", "imagenet"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=["demo"])
    chosen = parser.parse_args()
    asked = comparisons(chosen.coco, chosen.xray, chosen.imagenet)
    told: dict[str, Any] = {}
    for name in chosen.models:
        model = load_model(name)
        paths = sorted({path for _, _, inside, outside in asked for path in (*inside, *outside)})
        known = dict(zip(paths, embedded(model, paths), strict=True))
        told[name] = {
            title: compared(model, synset, inside, outside, known) for title, synset, inside, outside in asked
        }
        print(name, json.dumps(told[name]), file=sys.stderr, flush=True)
    print(json.dumps(told, indent=1))


def comparisons(coco: Path, xray: Path, imagenet: Path) -> list[Comparison]:
    """What is compared: title, declared synset, images inside, images outside."""
    notes = json.loads((coco / "annotations.json").read_text())
    animals = {entry["id"] for entry in notes["categories"] if entry["supercategory"] == "animal"}
    with_animal = {entry["image_id"] for entry in notes["annotations"] if entry["category_id"] in animals}
    drawn = {entry["image_id"] for entry in notes["annotations"]}
    files = {entry["id"]: coco / "images" / entry["file_name"] for entry in notes["images"]}
    scans = sorted((xray / "images").iterdir())
    found: list[Comparison] = [
        ("COCO / X-rays", THINGS, list(files.values()), scans),
        ("ImageNet animals / X-rays", ANIMAL, shows(imagenet, ANIMAL), scans),
        (
            "ImageNet animals / COCO without animals",
            ANIMAL,
            shows(imagenet, ANIMAL),
            [path for at, path in files.items() if at in drawn and at not in with_animal],
        ),
        ("ImageNet dogs / other carnivores", DOG, shows(imagenet, DOG), shows(imagenet, CARNIVORE, DOG)),
    ]
    for first, second in PUBLISHED_PAIRS:
        sides = shows(imagenet, first, second), shows(imagenet, second, first)
        if min(map(len, sides)) >= FEWEST:
            found.append((f"ImageNet {first} / {second}", first, *sides))
    return found


def shows(imagenet: Path, synset: str, but: str | None = None) -> list[Path]:
    """The images of ImageNet whose class is `synset` or below it, but not below `but`."""
    with (imagenet / "labels.csv").open(encoding="utf-8") as file:
        classes = {imagenet / "images" / row["file"]: above(row["wnid"]) for row in csv.DictReader(file)}
    return [path for path, names in classes.items() if synset in names and but not in names]


def above(wnid: str) -> set[str]:
    """The names of a class's synset and of all above it."""
    found = wordnet().synset_from_pos_and_offset("n", int(wnid[1:]))
    return {found.name()} | {each.name() for each in found.closure(lambda each: each.hypernyms())}


def embedded(model: Model, paths: list[Path]) -> NDArray[np.float32]:
    """Unit embeddings `(images, embedding)`."""
    with torch.no_grad():
        return np.stack([model.embed_images(model.preprocess([path])[0]).cpu().numpy()[0] for path in paths])


def compared(
    model: Model, synset: str, inside: list[Path], outside: list[Path], known: dict[Path, NDArray[np.float32]]
) -> dict[str, Any]:
    """One comparison; leaves are those of the everyday vocabulary where it has the synset, else of all WordNet."""
    graph = vocabulary()
    source = "everyday" if synset in graph.positions else "wordnet"
    graph = graph if source == "everyday" else below(synset)
    leaves, glosses = leaf_positions(graph, synset), embed_concepts(model, graph)
    words = embed_concepts(model, graph, "lemmas")[leaves]
    names = sorted({f"a photo of a {graph.concepts[at].title}." for at in leaves})
    sides = [np.stack([known[path] for path in paths]) for paths in (inside, outside)]
    told: dict[str, Any] = {"inside": len(inside), "outside": len(outside), "leaves": len(leaves), "graph": source}
    classes = [class_scores(side, embed_names(model, names), float(model.logit_scale)) for side in sides]
    scores = {
        "auroc": [fit_scores(side, glosses[leaves]) for side in sides],
        "lemmas": [fit_scores(side, words) for side in sides],
        "naive": [fit_scores(side, glosses[[graph.position(synset)]]) for side in sides],
        "max_logit": [found.logit for found in classes],
        "max_share": [found.share for found in classes],
    }
    for name, both in scores.items():
        got = auroc(*both)
        told[name] = [None if value is None else round(value, 3) for value in (got.value, got.low, got.high)]
    return told


if __name__ == "__main__":
    main()
