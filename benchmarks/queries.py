"""How long what pages and rules ask of a run takes on a store of a million rows, made without a model.

    PYTHONPATH=. python benchmarks/queries.py HOME [--images 10000] [--classes 100]

HOME is a folder for the store; one that lies there is used again. Each image has a score for every class, and for its
best one maps of four methods with their measures, and three controls: 10,000 images with 100 classes are 1,070,000 rows
in 313 units. The same questions are asked while each unit has a file, and once the results lie in parts. Prints a
table: seconds of the clock and of the processor of the second of two times.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.support.large_store import CONTROLS, POINTS, SHA, SIDE, manifest_of
from core.datasets.dataset import IMAGES, MANIFEST, WITHOUT_IMAGES, Dataset, DatasetImage, dataset_id
from core.drafts import write_whole
from core.evaluation.summary import summarise
from core.findings import judge
from core.rules import Context
from core.runs import SCHEMA, MethodPlan, ModelSpec, Run, TextPlan, TrustPlan, create_run, make_plan, open_run
from core.runs.integrity import changed_files
from core.runs.keys import key_of
from core.runs.packing import pack, parts_of
from core.runs.results import encoded, read_results

METHODS = ("raw", "gradcam", "rise", "legrad")
CELLS = SIDE * SIDE
SCORES = ("image", "text", "kind", "status", "score")


def main() -> None:
    """Make the store where there is none, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--classes", type=int, default=100)
    chosen = parser.parse_args()
    folder = chosen.home.absolute() / "run"
    run = open_run(folder) if (folder / "plan.json").exists() else made(chosen.home.absolute(), chosen)
    told = {} if parts_of(run) else {"files": asked(run)}
    before = time.process_time()
    count = pack(run)
    print(
        f"{count} units packed in {time.process_time() - before:.1f} s of the processor; load {os.getloadavg()[0]:.1f}"
    )
    told["parts"] = asked(run)
    rows = sum(unit["rows"] for unit in run.store.units())
    print(f"{rows:,} rows, {chosen.images:,} images; parts: {len(parts_of(run))}\n")
    heads = [f"{name}, {what}" for name in told for what in ("s", "processor, s")]
    print("| question | " + " | ".join(heads) + " |\n| --- |" + " ---: |" * len(heads))
    for question in told["parts"]:
        figures = [value for name in told for value in told[name][question]]
        print(f"| {question} | " + " | ".join(f"{value:.2f}" for value in figures) + " |")


def asked(run: Run) -> dict[str, tuple[float, float]]:
    """What each question takes: seconds of the clock and of the processor, the second time."""
    unit = run.store.units()[7]["key"]
    text = run.plan.texts.classes[3]
    files = f"'{run.folder}/results/*.parquet'"
    kind = pc.field("kind") == "method"
    kept: dict[str, Any] = {}

    def summed() -> None:
        kept["summary"] = summarise(run.snapshot())

    questions: dict[str, Callable[[], object]] = {
        "Explore: the rows of one image": lambda: read_results(run.folder, units=[unit]),
        "a rule: scores of all images": lambda: Context.of(run, None, None).rows(SCORES),  # type: ignore[arg-type]
        "User study: methods with maps": lambda: read_results(run.folder, ["kind", "method"], run.done(), kind),
        "maps of all images": lambda: run.results_with("map", ["image", "method", "map"]),
        "DuckDB: mean faithfulness by method": lambda: duckdb.sql(
            f"SELECT method, avg(faithfulness) FROM {files} WHERE kind = 'method' GROUP BY method"  # noqa: S608
        ).fetchall(),
        "DuckDB: the 20 images of the highest score for a text": lambda: duckdb.execute(
            f"SELECT image_name, score FROM {files} WHERE kind = 'score' AND text = ? ORDER BY score DESC LIMIT 20",  # noqa: S608
            [text],
        ).fetchall(),
        "is any result changed (`resume`, `verify`)": lambda: changed_files(run),
        "the summary (kept for the pages)": summed,
        "all findings (kept for the pages)": lambda: judge(run.snapshot(), kept["summary"]),
    }
    return {name: timed(ask) for name, ask in questions.items()}


def timed(ask: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor, the second time."""
    ask()
    began, spent = time.perf_counter(), time.process_time()
    ask()
    return time.perf_counter() - began, time.process_time() - spent


def made(home: Path, chosen: argparse.Namespace) -> Run:
    """A finished run in `home`; of its images there is the description alone."""
    dataset = described(home / "dataset", chosen.images)
    plan = make_plan(
        dataset=dataset.id, dataset_root=str(dataset.root), images=tuple(image.id for image in dataset.images),
        model=ModelSpec(name="demo"), methods=tuple(MethodPlan(name=name) for name in METHODS),
        texts=TextPlan(captions=False, classes=tuple(f"class {at}" for at in range(chosen.classes)), top_classes=1),
        trust=TrustPlan(steps=POINTS - 1, resamples=200),
    )  # fmt: skip
    run = create_run(home / "run", plan)
    run.update_manifest(**manifest_of(dataset), plan_sha256=plan.digest)
    known, random = {image.id: image for image in dataset.images}, np.random.default_rng(0)
    shards = plan.shards()
    run.store.create([(key_of(plan, shard, known, SHA, SHA), len(shard)) for shard in shards])
    for shard in shards:
        unit = run.store.claim("maker")
        assert unit is not None
        table = pa.concat_tables([rows_of(unit.key, known[image], plan.texts.classes, random) for image in shard])
        data = encoded(table.combine_chunks())
        write_whole(run.folder / "results" / f"{unit.key}.parquet", data)
        run.store.finish(unit, hashlib.sha256(data).hexdigest(), len(table), 1.0)
    run.store.set(state="done", stage="", message="")
    return run


def described(root: Path, count: int) -> Dataset:
    """A dataset of which there is no image, as in a run that was opened from a bundle."""
    images = tuple(
        DatasetImage(
            id=hashlib.sha256(str(at).encode()).hexdigest()[:16], name=f"image-{at:07d}.jpg", sha256=SHA, format="JPEG",
            bytes=10_000, width=224, height=224,
        )
        for at in range(count)
    )  # fmt: skip
    dataset = Dataset(
        id=dataset_id(images), name=f"{count:,} made images", images=images, refusals=(), duplicates=(), columns=(),
        root=root,
    )  # fmt: skip
    (root / IMAGES).mkdir(parents=True)
    (root / WITHOUT_IMAGES).touch()
    (root / MANIFEST).write_text(dataset.model_dump_json())
    return dataset


def rows_of(unit: str, image: DatasetImage, classes: tuple[str, ...], random: np.random.Generator) -> pa.Table:
    """The rows of one image: every class's score, then methods and controls for the best one."""
    scores = random.normal(0.2, 0.05, len(classes)).astype(np.float32)
    best, pairs = int(scores.argmax()), len(METHODS) + len(CONTROLS)
    count = len(classes) + pairs
    text = [*classes, *[classes[best]] * pairs]
    value = np.concatenate([np.full(len(METHODS), 0.3), np.zeros(len(CONTROLS))]) + random.normal(0, 0.2, pairs)
    curve = np.linspace(0.3, 0.1, POINTS, dtype=np.float32).tolist()
    shares = np.linspace(0, 1, POINTS, dtype=np.float32).tolist()
    absent: list[Any] = [None] * len(classes)
    maps = random.random((len(METHODS), CELLS), dtype=np.float32).tolist()
    given: dict[str, Any] = {
        "unit": [unit] * count, "image": [image.id] * count, "image_name": [image.name] * count, "text": text,
        "text_kind": ["class"] * count, "status": ["ok"] * count,
        "kind": ["score"] * len(classes) + ["method"] * len(METHODS) + ["control"] * len(CONTROLS),
        "method": [*absent, *METHODS, *CONTROLS],
        "score": [*scores.tolist(), *[float(scores[best])] * pairs],
        "rows": [*absent, *[SIDE] * len(METHODS), *[None] * len(CONTROLS)],
        "columns": [*absent, *[SIDE] * len(METHODS), *[None] * len(CONTROLS)],
        "map": [*absent, *maps, *[None] * len(CONTROLS)],
        "faithfulness": [*absent, *value.tolist()], "correlation": [*absent, *value.tolist()],
        "insertion": [*absent, *(0.5 + value / 2).tolist()], "deletion": [*absent, *(0.5 - value / 2).tolist()],
        "deletion_curve": [*absent, *[curve] * pairs], "insertion_curve": [*absent, *[curve[::-1]] * pairs],
        "curve_shares": [*absent, *[shares] * pairs],
    }  # fmt: skip
    columns = [pa.array(given[name], field.type) if name in given else pa.nulls(count, field.type)
               for name, field in zip(SCHEMA.names, SCHEMA, strict=True)]  # fmt: skip
    return pa.table(columns, schema=SCHEMA)


if __name__ == "__main__":
    main()
