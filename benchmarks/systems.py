"""What the five systems cost, beside the loops of their releases, written out and run on the same input.

    PYTHONPATH=. python benchmarks/systems.py [--models demo-vit grid-14 ...] [--cases m2ib convis ...] [--markdown]

A model is any that Loupe loads by name, an architecture of open_clip with random weights ("ViT-B-32"), or "grid-14":
random unit features on 14 x 14 places, for the one case that needs no model. Prints one JSON object, and with
--markdown a table.

Each way of each case runs in a process of its own, one right after the other, with the same number of threads. Forwards
are forward-equivalents of a tower (a backward through a part counts as two forwards of it): the release's are counted
by hooks on the library's blocks, ours by the model's meter. `wall` and `processor` are ratios of seconds, taken in one
run; on a busy machine the processor's are the steadier. `peak` is the most memory that a way takes above what the
loaded and warmed model takes, by `getrusage` (`ru_maxrss`); where the system can't reset that mark (Linux can), loading
is part of it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from core.models.model import Model

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "tests" / "sample" / "images"
NAMES = ("dogs", "cat", "boats", "dahlia", "raccoon", "koala", "panda", "dandelion")
ALL_CASES = ("m2ib", "convis", "surgery", "priors", "priors_many", "priors_texts", "knowledge")
GRID = "grid-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["demo-vit", "demo-cnn", "grid-12", "grid-14"])
    parser.add_argument("--cases", nargs="+", choices=ALL_CASES, default=list(ALL_CASES))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="how often each pair is measured; the median is shown")
    parser.add_argument("--quick", action="store_true", help="tiny sizes on one model, to see that everything runs")
    parser.add_argument("--markdown", action="store_true", help="also print a table")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.measure:
        print(json.dumps(measured(**json.loads(chosen.measure))))
        return
    models = ["demo-cnn", f"{GRID}12"] if chosen.quick else chosen.models
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for model in models:
            for case in chosen.cases:
                if model.startswith(GRID) and case != "surgery":
                    continue
                rows.append(compared(case, model, chosen.quick, chosen.threads, chosen.rounds, Path(folder)))
                print(f"{case} on {model}: done", file=sys.stderr, flush=True)
    print(json.dumps({"threads": chosen.threads, "rounds": chosen.rounds, "rows": rows}, indent=1))
    if chosen.markdown:
        print("\n" + table(rows))


# -- the process that measures one way ---------------------------------------------------------------------------


def measured(case: str, way: int, model: str, quick: bool, threads: int, result: str) -> dict[str, Any]:
    """One way of one case: seconds, forward-equivalents and bytes; the values go to the file `result`."""
    import torch

    from benchmarks.case import QUICK, Sizes
    from benchmarks.cases import CASES

    torch.set_num_threads(threads)
    sizes = QUICK if quick else Sizes()
    grid = int(model.removeprefix(GRID)) if model.startswith(GRID) else None
    net = None if grid else loaded(model)
    ready = CASES[case](net, grid, sizes, [SAMPLE / f"{name}.jpg" for name in NAMES])
    if net is not None:
        # The first forwards of a process are slower, and the fast form of a tower is made on first use.
        with torch.no_grad():
            net.image.plain(ready.pixels)
            net.bulk(ready.pixels)
            net.embed_texts(["a first text"])
    before = reset_peak()
    wall, processor = [], []
    for _ in range(ready.repeats):
        began, spun = time.perf_counter(), time.process_time()
        values, spent = ready.counted(way)
        wall.append(time.perf_counter() - began)
        processor.append(time.process_time() - spun)
    peak = peak_bytes() - before
    np.savez(result, allow_pickle=False, **values)
    return {
        "way": ready.ways[way],
        "title": ready.title,
        "image_forwards": round(spent.image, 2),
        "text_forwards": round(spent.text, 2),
        "seconds": statistics.median(wall),
        "processor_seconds": statistics.median(processor),
        "peak_bytes": peak,
    }


def loaded(name: str) -> Model:
    """A model by name, or an architecture with random weights."""
    import open_clip
    import torch

    from core.models.geometry import Preprocessing
    from core.models.listing import embedded_name
    from core.models.loading import load_model
    from core.models.model import wrap

    if embedded_name(name) is not None:
        return load_model(name, device="cpu")
    torch.manual_seed(0)
    net, _, transform = open_clip.create_model_and_transforms(name, pretrained=None)
    size = net.visual.image_size
    height, width = size if isinstance(size, tuple) else (size, size)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    preprocessing = Preprocessing(height, width, mean=tuple(mean), std=tuple(std))
    tokenizer = open_clip.get_tokenizer(name)
    title = f"{name}, random weights"
    return wrap(net, tokenizer, transform, preprocessing, name=name, title=title, device=torch.device("cpu"))


def reset_peak() -> int:
    """Forget the highest memory so far, where the system can, and give what counts as the start, in bytes."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


def peak_bytes() -> int:
    """The highest resident memory of this process since the mark was reset."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# -- the process that compares ----------------------------------------------------------------------------------


def compared(case: str, model: str, quick: bool, threads: int, rounds: int, folder: Path) -> dict[str, Any]:
    """Both ways of one case on one model, in processes of their own, and how far their values agree."""
    files = [folder / "first.npz", folder / "second.npz"]
    told = [
        [run(case, way, model, quick, threads, file, folder) for way, file in enumerate(files)] for _ in range(rounds)
    ]
    (first, second), ratios = told[0], {}
    for name, key in (("wall", "seconds"), ("processor", "processor_seconds")):
        ratios[name] = round(statistics.median(one[key] / max(other[key], 1e-9) for one, other in told), 2)
    spent = [side["image_forwards"] + side["text_forwards"] for side in (first, second)]
    with np.load(files[0]) as one, np.load(files[1]) as other:
        agreement = {name: agreed(one[name], other[name]) for name in one.files}
    return {
        "case": case,
        "model": model,
        "title": first["title"],
        "ways": [first, second],
        "ratio": {"forwards": round(spent[0] / spent[1], 3) if spent[1] else None, **ratios},
        "agreement": agreement,
    }


def run(case: str, way: int, model: str, quick: bool, threads: int, file: Path, home: Path) -> dict[str, Any]:
    """Measure one way in a process of its own."""
    asked = {"case": case, "way": way, "model": model, "quick": quick, "threads": threads, "result": str(file)}
    # Embedded glosses are kept in this folder for the run, as the product keeps them in its workspace.
    own = {"OMP_NUM_THREADS": str(threads), "LOUPE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(Path(__file__).resolve()), "--measure", json.dumps(asked)]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{case} on {model} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def agreed(one: np.ndarray, other: np.ndarray) -> dict[str, float | None]:
    """Pearson's correlation (none where one side is constant) and the largest difference as a share of the range."""
    assert one.shape == other.shape, f"the two ways give {one.shape} and {other.shape}"
    span = float(one.max() - one.min())
    flat = span == 0 or float(other.max() - other.min()) == 0
    correlation = None if flat else float(np.corrcoef(one, other)[0, 1])
    return {"correlation": correlation, "largest_difference": float(np.abs(one - other).max() / (span or 1.0))}


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    head = ("case", "model", "forwards", "ratio", "wall", "processor", "peak memory", "agreement")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        one, other = row["ways"]
        forwards = [f"{side['image_forwards']:g} + {side['text_forwards']:g}" for side in (one, other)]
        ratio = row["ratio"]["forwards"]
        agreement = "; ".join(
            f"{name} {'–' if got['correlation'] is None else format(got['correlation'], '.5f')}, "
            f"{got['largest_difference']:.1e}"
            for name, got in row["agreement"].items()
        )
        cells = (
            row["title"],
            row["model"],
            "none" if ratio is None else " → ".join(forwards),
            "–" if ratio is None else f"{ratio:.2f} x",
            f"{row['ratio']['wall']:.2f} x ({_seconds(one)} → {_seconds(other)})",
            f"{row['ratio']['processor']:.2f} x",
            " → ".join(f"{side['peak_bytes'] / 2**20:.0f} MB" for side in (one, other)),
            agreement,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _seconds(side: dict[str, Any]) -> str:
    seconds = side["seconds"]
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.2g} ms"


if __name__ == "__main__":
    main()
