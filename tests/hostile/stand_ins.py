"""What stands in for a model: pairs of ONNX towers and tables of stored values that lie, bomb or break off."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.hostile.item import ERROR, TAKEN, Item, item, writes
from tests.hostile.models import EVIL, sound
from tests.support.npz import header, npz

Arrays = dict[str, np.ndarray]
OPSET = helper.make_opsetid("", 17)
SIDE, TOKENS = 168, 77  # of the configuration that lies beside the towers


def items() -> Iterator[Item]:
    """Every one, carried to `describe`."""
    for name, (edit, expect, told) in _pairs().items():
        yield item(f"stand-ins/onnx-{name}", "describe", "pair", partial(_pair, edit), expect, told=told)
    for name, (data, expect, told) in _tables().items():
        yield item(f"stand-ins/{name}", "describe", name, writes(name, data), expect, told=told)
    # 4 GB in 4 MB.
    yield item("stand-ins/embeddings-bomb.npz", "describe", "embeddings-bomb.npz",
               writes("embeddings-bomb.npz", _bomb), ERROR, heavy=True, told="of memory", seconds=90.0)  # fmt: skip


# -- towers -------------------------------------------------------------------------------------------------------


def visual(*nodes: Any, weights: Any = None, functions: Any = (), more: Any = ()) -> bytes:
    """An image tower of one weight `w`, after `nodes` that lead from pixels to x."""
    last = helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)
    graph = helper.make_graph(
        [*(nodes or [MULTIPLIED]), last],
        "visual",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        initializer=[weights or numpy_helper.from_array(np.array([2], np.float32), "w")],
    )
    made = helper.make_model(graph, opset_imports=[OPSET, *more], functions=list(functions), ir_version=8)
    found: bytes = made.SerializeToString()
    return found


def textual() -> bytes:
    """A sound text tower."""
    weights = np.random.default_rng(0).normal(size=(TOKENS, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["tokens"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("MatMul", ["f", "w"], ["y"]),
        ],
        "textual",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["batch", TOKENS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        initializer=[numpy_helper.from_array(weights, "w")],
    )
    found: bytes = helper.make_model(graph, opset_imports=[OPSET], ir_version=8).SerializeToString()
    return found


MULTIPLIED = helper.make_node("Mul", ["pixels", "w"], ["x"])


def outside(location: str) -> TensorProto:
    """A weight whose number lies in another file."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value=location)
    return weights


def _pair(edit: Callable[[Path], object], folder: Path) -> None:
    place = folder / "pair"
    place.mkdir()
    (place / "open_clip_config.json").write_text(json.dumps(sound()))
    (place / "visual.onnx").write_bytes(visual())
    (place / "textual.onnx").write_bytes(textual())
    edit(place)


def _pairs() -> dict[str, tuple[Callable[[Path], object], str, str]]:
    def image(data: Callable[[], bytes]) -> Callable[[Path], object]:
        return lambda place: (place / "visual.onnx").write_bytes(data())

    def beside(location: str) -> Callable[[Path], object]:
        return image(lambda: visual(weights=outside(location)))

    def linked(place: Path) -> None:
        os.symlink("/etc/hostname", place / "link")
        (place / "visual.onnx").write_bytes(visual(weights=outside("link")))

    def device(place: Path) -> None:
        (place / "visual.onnx").unlink()
        os.symlink("/dev/zero", place / "visual.onnx")

    def folder_of_that_name(place: Path) -> None:
        (place / "textual.onnx").unlink()
        (place / "textual.onnx").mkdir()

    own, twice = helper.make_opsetid("evil", 1), helper.make_node("F", ["pixels"], ["x"], domain="evil")
    itself = helper.make_function("evil", "F", ["a"], ["b"], [helper.make_node("F", ["a"], ["b"], domain="evil")],
                                  [OPSET, own])  # fmt: skip
    circle = [helper.make_node("Add", ["pixels", "b"], ["a"]), helper.make_node("Add", ["a", "w"], ["b"]),
              helper.make_node("Identity", ["b"], ["x"])]  # fmt: skip
    huge = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2**40], raw_data=b"\0\0\0\0")
    no_number = numpy_helper.from_array(np.array([np.nan], np.float32), "w")
    beside_it = "is not a file beside it"
    return {
        "sound": (lambda place: None, TAKEN, "pair of ONNX towers"),
        "outside-above": (beside("../../home/secret"), ERROR, beside_it),
        "outside-absolute": (beside("/etc/passwd"), ERROR, beside_it),
        "outside-link": (linked, ERROR, beside_it),
        "outside-memory": (beside("*/_ORT_MEM_ADDR_/*"), ERROR, beside_it),
        "own-operator": (image(lambda: visual(twice, more=[own])), ERROR, "needs the operator 'evil.F'"),
        "function-of-itself": (image(lambda: visual(twice, functions=[itself], more=[own])), ERROR, "recursive"),
        "circle": (image(lambda: visual(*circle)), ERROR, "not acyclic"),
        "declares-4-tera": (image(lambda: visual(weights=huge)), ERROR, "cannot be loaded"),
        "no-number": (image(lambda: visual(weights=no_number)), ERROR, ""),
        "cut": (image(lambda: visual()[:-40]), ERROR, "damaged"),
        "empty": (image(lambda: b""), ERROR, "damaged"),
        "pickle": (image(_pickled), ERROR, "damaged"),
        "pair-exchanged": (image(textual), ERROR, "is not an image tower"),
        "device": (device, ERROR, "is not an ONNX file"),
        "folder": (folder_of_that_name, ERROR, "textual.onnx"),
    }


# -- tables -------------------------------------------------------------------------------------------------------


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (EVIL,)


def _pickled() -> bytes:
    return pickle.dumps(_Evil())


def _vectors() -> Arrays:
    random = np.random.default_rng(0)
    names = {"image_names": np.array(["a.png", "b.png"]), "text_names": np.array(["a dog", "a cat"])}
    return {"images": random.normal(size=(2, 4)), "texts": random.normal(size=(2, 4)), **names}


def _npz(changes: Arrays | None = None, **forged: bytes) -> bytes:
    """An .npz file of embeddings; `forged` are the bytes of arrays."""
    return npz({**_vectors(), **(changes or {})}, **forged)


def _bomb() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in _vectors().items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as file:
                if key != "images":
                    np.lib.format.write_array(file, value)
                    continue
                file.write(header((2**20, 512)))
                for _ in range(1024):
                    file.write(bytes(2**22))
    return stream.getvalue()


def _tables() -> dict[str, tuple[Callable[[], bytes], str, str]]:
    def changed(**arrays: np.ndarray) -> Callable[[], bytes]:
        return lambda: _npz(arrays)

    vectors = _vectors()
    evil = np.array([_Evil(), _Evil()], dtype=object)
    wide = ",".join(f"t{number}" for number in range(1_000_000))
    objects = "Python objects, which is never read"
    return {
        "embeddings-sound.npz": (_npz, TAKEN, "2 images, 2 texts"),
        "embeddings-pickled-names.npz": (changed(image_names=evil), ERROR, objects),
        "embeddings-pickled-vectors.npz": (changed(images=evil[:, None]), ERROR, objects),
        "embeddings-pickle.npz": (_pickled, ERROR, "is not an .npz file"),
        "embeddings-nan.npz": (changed(images=vectors["images"] * np.nan), ERROR, "not finite"),
        "embeddings-inf.npz": (changed(texts=vectors["texts"] * np.inf), ERROR, "not finite"),
        "embeddings-zeros.npz": (changed(texts=vectors["texts"] * 0), ERROR, "embedding of zeros"),
        "embeddings-other-dimension.npz": (changed(texts=vectors["texts"][:, :3]), ERROR, "other dimensions"),
        "embeddings-of-texts.npz": (changed(images=vectors["images"].astype(str)), ERROR, "a table of numbers"),
        "embeddings-complex.npz": (changed(images=vectors["images"] * 1j), ERROR, "a table of numbers"),
        "embeddings-declares-tera.npz": (lambda: _npz(images=header((2**40, 4))), ERROR, "of memory"),
        "embeddings-less-than-nothing.npz": (lambda: _npz(images=header((-1, 4))), ERROR, "cannot be read as .npz"),
        "embeddings-cut.npz": (lambda: _npz()[:-30], ERROR, "is not an .npz file"),
        "embeddings-names-with-controls.npz": (
            changed(image_names=np.array(["a\n\x1b[31m", "a\n\x1b[31m"])), ERROR, "twice",
        ),
        "scores-million-columns.csv": (lambda: f"image,{wide}\n".encode(), ERROR, "columns; at most"),
        "scores-inf.csv": (lambda: b"image,a dog\na.png,inf\n", ERROR, "not finite"),
        "scores-pickle.parquet": (_pickled, ERROR, "cannot be read as a table"),
    }  # fmt: skip


def onnx_seeds() -> list[bytes]:
    """What fuzzing of the reader of ONNX files starts from."""
    other = onnx.load_from_string(visual(weights=outside("d")))
    return [visual(), textual(), other.SerializeToString()]


def table_seeds() -> list[bytes]:
    """What fuzzing of the reader of stored tables starts from."""
    return [b"image,text,v0,v1\na.png,,1,2\n,a dog,2,1\n", b"image,a dog,a cat\na.png,0.1,0.2\nb.png,-0.5,1\n"]
