"""What an ONNX file holds, read without running it, and what onnxruntime makes of it in a child. No torch.

The file is a protocol buffer (ONNX IR specification, onnx.proto). Only what decides whether it may be loaded is read:
operators, functions, and where tensors lie. An operator that does not come with onnxruntime needs a library of code, a
tensor may lie in another file: both are checked here, before onnxruntime sees the file.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.characters import brief
from core.errors import ModelError, first_line, missing
from core.models.kinds import shown, shown_path
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

# Operators of the standard, and those that every build of onnxruntime brings along.
DOMAINS = ("", "ai.onnx", "com.microsoft")
TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY"
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_CODE = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .* failed:")
_SOURCE = re.compile(r"^.*\.(?:cc|h):\d+ (?:.*\)\s+(?=[A-Z])|\w+ )?")
_DEPTH = 16
_EXTERNAL = 1
_DYNAMIC = 2  # images or texts where the file leaves their number open
_SIZES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64",
          "tensor(int64)": "int64", "tensor(int32)": "int32"}  # fmt: skip

Message = memoryview


@dataclass
class _Content:
    """What is collected of a file."""

    operators: set[tuple[str, str]] = field(default_factory=set)
    functions: set[tuple[str, str]] = field(default_factory=set)
    external: set[str] = field(default_factory=set)
    parameters: int = 0


@dataclass(frozen=True)
class OnnxFile:
    """A checked file: its operators, the files of its tensors, its inputs and outputs as onnxruntime names them.

    `inputs` and `outputs` are `(name, numpy type, shape)`; an open dimension of an input is None, outputs have the
    shape that a trial gave.
    """

    path: Path
    files: tuple[Path, ...]
    operators: frozenset[str]
    parameters: int
    inputs: tuple[tuple[str, str, tuple[int | None, ...]], ...]
    outputs: tuple[tuple[str, str, tuple[int, ...]], ...]


def read_onnx(path: Path, sizes: dict[str, int]) -> OnnxFile:
    """The file at `path`, checked and tried in a child with limits. Raises `ModelError` in one line.

    `sizes` are the lengths to try where the file leaves a dimension open: "image" (pixels) and "text" (tokens).
    """
    name = shown_path(path)
    try:
        there = os.stat(path)
    except (OSError, ValueError) as error:
        raise ModelError(f"there is no ONNX file {name}; check the path") from error
    if not stat.S_ISREG(there.st_mode) or there.st_size > MODEL_LIMITS.weights:
        raise ModelError(f"{name} is not an ONNX file of at most {MODEL_LIMITS.weights / 2**30:.0f} GiB")
    whole = sum(file.stat().st_size for file in path.parent.iterdir() if file.is_file())
    allowance = Allowance(
        seconds=MODEL_LIMITS.onnx_seconds, wall=MODEL_LIMITS.onnx_wall, memory=4 * 2**30 + 6 * whole, answer=2**22
    )
    try:
        found = call(trial, os.path.abspath(path), name, sizes, allowance=allowance).value
    except Failure as error:
        raise ModelError(f"the ONNX file {name} {error}") from error
    return OnnxFile(
        path,
        (path, *(path.parent / file for file in found["external"])),
        frozenset(found["operators"]),
        int(found["parameters"]),
        tuple((given, kind, tuple(shape)) for given, kind, shape in found["inputs"]),
        tuple((given, kind, tuple(shape)) for given, kind, shape in found["outputs"]),
    )


def trial(_: bytes, path: str, name: str, sizes: dict[str, int]) -> tuple[Any, bytes]:
    """In the child: check the file, then run it once on zeros."""
    content = checked(Path(path), name)
    session = session_of(path, 1)
    given = [(entry.name, entry.type, list(entry.shape)) for entry in session.get_inputs()]
    inputs = []
    for label, kind, shape in given:
        if kind not in _SIZES:
            raise ModelError(f"{name} has an input {shown(label)} of the type {shown(kind)}; images and texts are "
                             "tensors of numbers")  # fmt: skip
        inputs.append((label, _SIZES[kind], [size if isinstance(size, int) and size > 0 else None for size in shape]))
    outputs = _tried(session, inputs, name, sizes)
    return {
        "external": sorted(content.external),
        "operators": sorted(operator for _, operator in content.operators),
        "parameters": content.parameters,
        "inputs": inputs,
        "outputs": outputs,
    }, b""


def session_of(path: str, threads: int) -> Any:
    """An onnxruntime session on the CPU for a checked file. Raises `ModelError` if onnxruntime refuses it."""
    # Builds from 1.29 on send reports on sessions and models to their maker unless this is set before they are loaded.
    os.environ[TELEMETRY_OFF] = "1"
    if lacks := missing("onnxruntime", "onnx"):
        raise ModelError(f"{Path(path).name} {lacks}")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.use_deterministic_compute = True
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    try:
        return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(f"{Path(path).name} cannot be loaded by onnxruntime: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """What onnxruntime says, without its codes, the path of the file and the places in its own source."""
    told = _CODE.split(first_line(error))[-1]
    return brief(_SOURCE.sub("", told), 200)


def _tried(
    session: Any, inputs: list[tuple[str, str, list[int | None]]], name: str, sizes: dict[str, int]
) -> list[tuple[str, str, list[int]]]:
    import numpy as np

    feed = {}
    for label, kind, shape in inputs:
        side = sizes["image"] if len(shape) == 4 else sizes["text"]
        tried = [size or (_DYNAMIC if at == 0 else 3 if (at, len(shape)) == (1, 4) else side)
                 for at, size in enumerate(shape)]  # fmt: skip
        if math.prod(tried) > MODEL_LIMITS.image_side**2 * 24:
            raise ModelError(f"{name} has an input {shown(label)} that is larger than any image or text")
        feed[label] = np.zeros(tried, dtype=kind)
    try:
        found = session.run(None, feed)
    except Exception as error:
        raise ModelError(f"{name} cannot be run by onnxruntime: {_reason(error)}") from error
    named = zip(session.get_outputs(), found, strict=True)
    return [(out.name, str(value.dtype), list(value.shape)) for out, value in named if hasattr(value, "shape")]


# -- reading the file ---------------------------------------------------------------------------------------------


def checked(path: Path, name: str) -> _Content:
    """What the file holds. Raises `ModelError` for operators that need code, and tensors outside of its folder."""
    content = _Content()
    try:
        with path.open("rb") as file:
            # Closed with the last view of it: the traceback of an error keeps some.
            _read_model(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), content)
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise ModelError(f"{name} is not an ONNX file or is damaged; export it again") from error
    if not content.operators:
        raise ModelError(f"{name} is not an ONNX file or is damaged; export it again")
    for domain, operator in sorted(content.operators - content.functions):
        if domain not in DOMAINS:
            raise ModelError(
                f"{name} needs the operator {shown(f'{domain}.{operator}')}, which is not part of ONNX; Loupe loads no "
                "code of a model, so export it with standard operators"
            )
    for location in sorted(content.external):
        beside = path.parent / location
        regular = _PLAIN.fullmatch(location) and os.path.lexists(beside) and stat.S_ISREG(os.lstat(beside).st_mode)
        if not regular or ".." in location:
            raise ModelError(
                f"{name} keeps tensors in {shown(location)}, which is not a file beside it; export it again with its "
                "data in one file"
            )
    return content


def _read_model(data: Message, content: _Content) -> None:
    for number, value in _fields(data):
        if number == 7:
            _read_graph(_bytes(value), content, 0)
        elif number == 25:
            domain, operator = "", ""
            for inner, part in _fields(_bytes(value)):
                if inner == 1:
                    operator = _text(part)
                elif inner == 10:
                    domain = _text(part)
                elif inner == 7:
                    _read_node(_bytes(part), content, 1)
            content.functions.add((domain, operator))


def _read_graph(data: Message, content: _Content, depth: int) -> None:
    if depth > _DEPTH:
        raise ValueError("graphs inside graphs")
    for number, value in _fields(data):
        if number == 1:
            _read_node(_bytes(value), content, depth)
        elif number == 5:
            content.parameters += _read_tensor(_bytes(value), content)
        elif number == 15:
            for inner, part in _fields(_bytes(value)):
                if inner in (1, 2):
                    _read_tensor(_bytes(part), content)


def _read_node(data: Message, content: _Content, depth: int) -> None:
    domain, operator = "", ""
    for number, value in _fields(data):
        if number == 4:
            operator = _text(value)
        elif number == 7:
            domain = _text(value)
        elif number == 5:
            _read_attribute(_bytes(value), content, depth)
    content.operators.add((domain, operator))


def _read_attribute(data: Message, content: _Content, depth: int) -> None:
    for number, value in _fields(data):
        if number in (5, 10):
            content.parameters += _read_tensor(_bytes(value), content)
        elif number in (6, 11):
            _read_graph(_bytes(value), content, depth + 1)
        elif number in (22, 23):
            for inner, part in _fields(_bytes(value)):
                if inner in (1, 2):
                    _read_tensor(_bytes(part), content)


def _read_tensor(data: Message, content: _Content) -> int:
    """How many numbers a tensor of floats holds; where it lies is collected."""
    count, kind = 1, 0
    location: list[str] = []
    outside = False
    for number, value in _fields(data):
        if number == 1:
            for size in [value] if isinstance(value, int) else _varints(value):
                count *= size
        elif number == 2 and isinstance(value, int):
            kind = value
        elif number == 14:
            outside = outside or value == _EXTERNAL
        elif number == 13:
            entry = {inner: _text(part) for inner, part in _fields(_bytes(value)) if inner in (1, 2)}
            if entry.get(1) == "location":
                location.append(entry.get(2, ""))
    if outside and not location:
        raise ValueError("a tensor without a location")
    content.external.update(location)
    # Of onnx.TensorProto.DataType: float, float16, double, bfloat16.
    return count if kind in (1, 10, 11, 16) else 0


def _fields(data: Message) -> Iterator[tuple[int, int | Message]]:
    """The fields of a message: number and value. Raises `IndexError` or `ValueError` where it is damaged."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        wire = key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("an unknown kind of field")
        if length > end - at:
            raise ValueError("a field that is cut off")
        yield key >> 3, data[at : at + length]
        at += length


def _varint(data: Message, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number that is too long")


def _varints(data: Message) -> Iterator[int]:
    at = 0
    while at < len(data):
        value, at = _varint(data, at)
        yield value


def _bytes(value: int | Message) -> Message:
    if isinstance(value, int):
        raise ValueError("a number where a message belongs")
    return value


def _text(value: int | Message) -> str:
    return bytes(_bytes(value)).decode("utf-8")
