"""The doors through which a stranger's file comes in. Each returns what became of it and the lines that a person reads.

What is raised that is no `LoupeError` is a traceback, and so a defect.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from core.errors import LoupeError
from tests.hostile.item import ERROR, REFUSED, TAKEN, TORCH

Told = tuple[str, list[str]]
GOOD = "good"


def prepare(door: str, root: Path) -> None:
    """Load what a door needs and lay a good image beside it, before anything is measured."""
    from PIL import Image

    (root / GOOD).mkdir()
    image = Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    image.save(root / GOOD / "good.png")
    (root / GOOD / "prompts.txt").write_text("a photo\n")
    if door == "self":
        from tests.hostile import faults

        DOORS.update(faults.DOORS)
    if door in ("ingest", "table", "upload"):
        # Also starts the child processes, whose start is no part of what one file costs.
        ingest(root / GOOD, root)
    if door in TORCH:
        import core.models.loading.door

        assert core.models.loading.door.torch.tensor([1]).item() == 1


def finish() -> None:
    """Close what was opened for all items."""
    import core.sandbox.client as client

    client._SHARED.close()


def ingest(path: Path, root: Path) -> Told:
    """The intake of a file beside a good image, which must be taken whatever becomes of the file."""
    from core.datasets import ingest as taken_in

    try:
        dataset = taken_in([path, root / GOOD / "good.png"], store=root / "store")
    except LoupeError as error:
        return _one_line(error)
    names = [entry.name for entry in dataset.images] + [twice.name for twice in dataset.duplicates]
    if not any(name.endswith("good.png") for name in names):
        raise AssertionError("the good image beside it was lost")
    for entry in dataset.images:
        with dataset.open(entry) as image:
            assert image.mode == "RGB" and image.size == (entry.width, entry.height)
    (root / "store" / dataset.id / "dataset.json").read_text(encoding="utf-8")
    return (REFUSED if dataset.refusals else TAKEN), [f"{told.name}: {told.reason}" for told in dataset.refusals]


def table(path: Path, root: Path) -> Told:
    """A table that must be usable, beside an image that it may speak of."""
    from core.datasets import ingest as taken_in

    try:
        dataset = taken_in([root / GOOD / "good.png"], store=root / "store", table=path)
    except LoupeError as error:
        return _one_line(error)
    return (REFUSED if dataset.refusals else TAKEN), [f"{told.name}: {told.reason}" for told in dataset.refusals]


def annotations(path: Path, root: Path) -> Told:
    """A file of annotations, by path and as an upload; kept with a data set if nothing is wrong with it."""
    from core.datasets import Upload, keep_annotations, read_annotations
    from core.datasets import ingest as taken_in

    try:
        read_annotations(Upload(path.name, path))
        found = read_annotations(path)
        if found.problems:
            return REFUSED, list(found.problems)
        dataset = taken_in([root / GOOD / "good.png"], store=root / "store")
        keep_annotations(dataset, found)
    except LoupeError as error:
        return _one_line(error)
    kept = (dataset.root / "annotations.json").read_bytes()
    json.loads(kept)
    assert b"trust_remote_code" not in kept, "what was kept holds more than annotations"
    return TAKEN, []


def label_map(path: Path, root: Path) -> Told:
    """The label map of an image, kept with its data set as annotations."""
    from core.datasets import ingest as taken_in
    from core.datasets import keep_annotations, read_label_maps

    dataset = taken_in([root / GOOD / "good.png"], store=root / "store")
    maps = root / "store" / "maps"
    maps.mkdir(exist_ok=True)
    (maps / "good.png").write_bytes(path.read_bytes())
    try:
        keep_annotations(dataset, read_label_maps(maps, dataset))
    except LoupeError as error:
        return _one_line(error)
    json.loads((dataset.root / "annotations.json").read_bytes())
    return TAKEN, []


def texts(path: Path, root: Path) -> Told:
    """A list of prompts."""
    from core.datasets import read_texts

    try:
        found = read_texts(path)
    except LoupeError as error:
        return _one_line(error)
    for text in found:
        text.encode()
    return TAKEN, []


def sheet(path: Path, root: Path) -> Told:
    """A filled sheet of a spot check."""
    from core.datasets.sheets import read_sheet

    try:
        found = read_sheet(path, ("id", "class", "mark"))
    except LoupeError as error:
        return _one_line(error)
    for _, cells in found:
        "".join(cells.values()).encode()
    return TAKEN, []


def thresholds(path: Path, root: Path) -> Told:
    """A file of thresholds."""
    from core.findings import load_thresholds

    try:
        found = load_thresholds(path)
    except LoupeError as error:
        return _one_line(error)
    json.dumps(found.limits.model_dump(), default=str).encode()
    return TAKEN, [f"version {found.version}"]


def declared(path: Path, root: Path) -> Told:
    """A file of declared concepts."""
    from core.applications.declared import read_declared

    try:
        found = read_declared(path)
    except LoupeError as error:
        return _one_line(error)
    return TAKEN, list(found)


def plan(path: Path, root: Path) -> Told:
    """A stored plan, read and written again."""
    from core.runs import load_plan

    try:
        found = load_plan(path)
        _ = found.digest
        found.save(root / "store-plan")
    except LoupeError as error:
        return _one_line(error)
    finally:
        (root / "store-plan").unlink(missing_ok=True)
    return TAKEN, []


def verify(path: Path, root: Path) -> Told:
    """`verify` of a bundle or of a run: exit code 1 and lines, or one line of an error; "taken" means "sound"."""
    code, out, err = command("verify", str(path))
    if code == 2:
        return ERROR, err
    return (TAKEN if code == 0 else REFUSED), [line.replace(str(root), "") for line in [*out, *err]]


def open_bundle(path: Path, root: Path) -> Told:
    """`open` of a bundle: one line of an error, and nothing of it in the workspace."""
    code, out, err = command("open", str(path))
    home = root / "home" / ".loupe"
    assert code == 2, f"exit code {code}"
    assert not (home / "opened").exists(), "a folder was left"
    return ERROR, [line.replace(str(root), "") for line in [*out, *err]]


def run(path: Path, root: Path) -> Told:
    """The commands that only look at a run; "taken" means that `verify` calls it sound."""
    told: list[str] = []
    for name in ("status", "cancel", "status"):
        code, out, err = command(name, str(path))
        assert code in (0, 1, 2)
        told += [line.replace(str(root), "") for line in [*out, *err]]
    outcome, lines = verify(path, root)
    return outcome, lines + told


def upload(path: Path, root: Path) -> Told:
    """An image that came through the browser under the name that the file holds."""
    from core.datasets import Upload
    from core.datasets import ingest as taken_in

    good = (root / GOOD / "good.png").read_bytes()
    name = path.read_bytes().decode("utf-8", "surrogatepass")
    try:
        dataset = taken_in([Upload(name, good), Upload("good.png", good + b"x")], store=root / "store", name=name[:199])
    except LoupeError as error:
        return _one_line(error)
    names = [image.name for image in dataset.images] + [twice.name for twice in dataset.duplicates]
    json.dumps(names, ensure_ascii=False).encode()
    return (REFUSED if dataset.refusals else TAKEN), [*names, dataset.name]


def explain(path: Path, root: Path) -> Told:
    """`explain` with a model that a stranger gave: a configuration (its weights beside it) or a folder."""
    weights = sorted(path.parent.glob("weights.*")) if path.is_file() else []
    given = [*(["--weights", str(weights[0])] if weights else [])]
    code, out, err = command(
        "explain", str(root / GOOD / "good.png"), "--text", "a dog", "--method", "raw", "--model", str(path), *given,
        "--out", str(root / "out"),
    )  # fmt: skip
    if code == 2:
        assert not (root / "out").exists(), "a folder was left half-written"
        return ERROR, err
    return TAKEN, out


def describe(path: Path, root: Path) -> Told:
    """`describe` of a folder as a model, or of a table that stands in for one and is named after its kind."""
    name = str(path) if path.is_dir() else f"{path.name.partition('-')[0]}:{path}"
    code, out, err = command("describe", "--model", name)
    assert code in (0, 2), f"exit code {code}"
    return (ERROR, err) if code == 2 else (TAKEN, out)


def audit(path: Path, root: Path) -> Told:
    """`audit` with a file given as each of its arguments in turn; the model is one that does not exist.

    Reading the arguments must end in one line of an error, whatever the file is.
    """
    told: list[str] = []
    for flag in ("--images", "--table", "--annotations", "--texts", "--classes", "--thresholds", "--plan", "--weights"):
        images = [] if flag == "--images" else ["--images", str(root / GOOD)]
        texts = ["--texts", str(root / GOOD / "prompts.txt")] if flag not in ("--texts", "--plan") else []
        code, _, err = command(
            "audit", *images, *texts, flag, str(path), "--out", str(root / "out"),
            *([] if flag == "--plan" else ["--model", "no-such-model"]),
        )  # fmt: skip
        assert code == 2, f"{flag}: exit code {code}"
        assert not (root / "out").exists(), f"{flag}: a folder was left half-written"
        told += err
    return ERROR, told


def arguments(path: Path, root: Path) -> Told:
    """A whole command line, as JSON."""
    places = {"{good}": GOOD, "{texts}": f"{GOOD}/prompts.txt", "{image}": f"{GOOD}/good.png", "{out}": "out"}
    given = json.loads(path.read_bytes())
    for word, place in places.items():
        given = [argument.replace(word, str(root / place)) for argument in given]
    out = root / "out"
    code, lines, err = command(*given)
    assert code == 2 or not out.exists(), "a folder was left"
    return (ERROR if code == 2 else TAKEN), [line.replace(str(root), "") for line in [*err, *lines]]


DOORS: dict[str, Callable[[Path, Path], Told]] = {
    "ingest": ingest,
    "table": table,
    "annotations": annotations,
    "label_map": label_map,
    "texts": texts,
    "sheet": sheet,
    "thresholds": thresholds,
    "declared": declared,
    "plan": plan,
    "verify": verify,
    "open_bundle": open_bundle,
    "run": run,
    "upload": upload,
    "explain": explain,
    "describe": describe,
    "audit": audit,
    "arguments": arguments,
}


def command(*arguments: str) -> tuple[int, list[str], list[str]]:
    """The command line: exit code, lines of output, and lines of errors, of which there is one for exit code 2."""
    from core.cli import main

    out, err = io.StringIO(), io.StringIO()
    kept, usage = sys.stdin, False
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            # Whoever asks a question gets "yes": nothing may be asked.
            sys.stdin = io.StringIO("y\n" * 20)
            try:
                code = main(list(arguments))
            except SystemExit as error:
                code, usage = int(error.code or 0), True
    finally:
        asked, sys.stdin = sys.stdin, kept
    assert asked.tell() == 0, "a question was asked on the terminal"
    # What argparse says repeats what was typed.
    lines = ["usage"] if usage else err.getvalue().split("\n")[:-1]
    if code == 2 and not usage:
        assert len(lines) == 1 and lines[0].startswith("loupe: "), f"not one line: {err.getvalue()[-800:]!r}"
    return code, out.getvalue().split("\n")[:-1], lines


def leftovers(root: Path) -> list[str]:
    """What a door has left in the temporary folder, or unfinished in the store."""
    found = [name for name in os.listdir(root / "tmp") if not name.startswith(("torchinductor", "pymp-"))]
    store = root / "store"
    return found + [name for name in (os.listdir(store) if store.exists() else []) if name.startswith(".")]


def _one_line(error: LoupeError) -> Told:
    assert "\n" not in str(error).strip(), f"more than one line: {str(error)[:300]!r}"
    return ERROR, [str(error)]
