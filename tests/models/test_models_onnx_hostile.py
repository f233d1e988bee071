"""ONNX files that need code, or whose tensors lie elsewhere, are refused before onnxruntime sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from core.errors import ModelError
from core.models.onnx_file import checked, read_onnx
from core.settings import ROOT

SIZES = {"image": 8, "text": 4}


def graph(*nodes: Any, weights: Any = None, name: str = "tower") -> Any:
    """A graph from pixels `(batch, 3, 8, 8)` to their mean `(batch, 3)`, after `nodes` that lead from pixels to x."""
    last = helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)
    return helper.make_graph(
        [*nodes, last],
        name,
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        initializer=[weights or numpy_helper.from_array(np.full((1,), 2, np.float32), "w")],
    )


MULTIPLIED = helper.make_node("Mul", ["pixels", "w"], ["x"])


def saved(folder: Path, whole: Any, *more: Any, functions: Any = ()) -> Path:
    """The graph as a file."""
    model = helper.make_model(
        whole, opset_imports=[helper.make_opsetid("", 17), *more], functions=list(functions), ir_version=8
    )
    path = folder / "visual.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def outside(location: str) -> Any:
    """A tensor whose numbers lie in another file."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        weights.external_data.add(key=key, value=value)
    return weights


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    found = read_onnx(saved(tmp_path, graph(MULTIPLIED)), SIZES)
    assert found.operators == {"Mul", "ReduceMean"} and found.parameters == 1
    assert found.inputs == (("pixels", "float32", (None, 3, 8, 8)),)
    assert found.outputs == (("y", "float32", (2, 3)),)
    assert found.files == (tmp_path / "visual.onnx",)


def test_data_in_a_file_beside_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "visual.onnx.data").write_bytes(np.array([2], np.float32).tobytes())
    found = read_onnx(saved(tmp_path, graph(MULTIPLIED, weights=outside("visual.onnx.data"))), SIZES)
    assert found.files == (tmp_path / "visual.onnx", tmp_path / "visual.onnx.data")


@pytest.mark.parametrize(
    "location",
    ["../secret", "/etc/passwd", "sub/secret", "..", ".", "", "missing", "a\\b", "*/_ORT_MEM_ADDR_/*", "link", "x\0y"],
)
def test_data_anywhere_else_is_refused(tmp_path: Path, location: str) -> None:
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    for secret in (tmp_path / "secret", home / "sub" / "secret"):
        secret.write_bytes(b"\0\0\0\0")
    (home / "link").symlink_to(tmp_path / "secret")
    path = saved(home, graph(MULTIPLIED, weights=outside(location)))
    with pytest.raises(ModelError, match="not a file beside it"):
        read_onnx(path, SIZES)


def test_a_constant_may_not_lie_elsewhere_either(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0\0\0\0")
    constant = helper.make_node("Constant", [], ["c"], value=outside("../secret"))
    folder = tmp_path / "home"
    folder.mkdir()
    with pytest.raises(ModelError, match="not a file beside it"):
        read_onnx(saved(folder, graph(constant, helper.make_node("Mul", ["pixels", "c"], ["x"]))), SIZES)


def in_branch(node: Any) -> Any:
    """An `If` whose branches hold the node."""
    branch = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])
    condition = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True), "t"))
    return condition, helper.make_node("If", ["c"], ["x"], then_branch=branch, else_branch=branch)


OWN = helper.make_opsetid("evil.ops", 1)


@pytest.mark.parametrize(
    "nodes",
    [
        lambda: (helper.make_node("Run", ["pixels"], ["x"], domain="evil.ops"),),
        lambda: in_branch(helper.make_node("Run", ["pixels"], ["z"], domain="evil.ops")),
    ],
)
def test_an_operator_that_needs_code_is_refused_by_name(tmp_path: Path, nodes: Callable[[], Any]) -> None:
    with pytest.raises(ModelError, match=r"needs the operator 'evil\.ops\.Run'"):
        read_onnx(saved(tmp_path, graph(*nodes()), OWN), SIZES)


def test_a_function_inside_the_file_is_data_and_is_searched_as_well(tmp_path: Path) -> None:
    standard = [helper.make_opsetid("", 17), OWN]
    twice = helper.make_function(
        "evil.ops", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], standard
    )
    call = helper.make_node("Twice", ["pixels"], ["x"], domain="evil.ops")
    assert "Add" in read_onnx(saved(tmp_path, graph(call), OWN, functions=[twice]), SIZES).operators
    inner = helper.make_node("Run", ["a"], ["b"], domain="evil.ops")
    hidden = helper.make_function("evil.ops", "Twice", ["a"], ["b"], [inner], standard)
    with pytest.raises(ModelError, match="needs the operator"):
        read_onnx(saved(tmp_path, graph(call), OWN, functions=[hidden]), SIZES)


@pytest.mark.parametrize(
    "data", [b"", b"\x08", b"PK\x03\x04" * 9, b"\xff" * 40, b"\x3a\xff\xff\xff\xff\x0f", b"ORTMxxxx"]
)
def test_other_bytes_are_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "visual.onnx"
    path.write_bytes(data)
    with pytest.raises(ModelError) as caught:
        read_onnx(path, SIZES)
    assert "\n" not in str(caught.value)


def huge(**more: Any) -> Any:
    """A tensor that declares more numbers than it has."""
    return TensorProto(name="w", data_type=TensorProto.FLOAT, raw_data=b"\0\0\0\0", **more)


def by_constant(values: list[int], *nodes: Any) -> Any:
    """A graph with the constant `s` before its nodes."""
    return graph(helper.make_node("Constant", [], ["s"], value=numpy_helper.from_array(np.array(values), "s")), *nodes)


def filled() -> Any:
    """7 GB are asked for when it runs."""
    return by_constant(
        [30_000, 20_000, 1, 1],
        helper.make_node("Shape", ["pixels"], ["own"]),
        helper.make_node("Mul", ["own", "s"], ["wanted"]),
        helper.make_node("ConstantOfShape", ["wanted"], ["large"]),
        helper.make_node("ReduceSum", ["large"], ["sum"], keepdims=0),
        helper.make_node("Add", ["pixels", "sum"], ["x"]),
    )


def circle() -> Any:
    return graph(helper.make_node("Add", ["pixels", "b"], ["a"]), helper.make_node("Add", ["a", "w"], ["b"]),
                 helper.make_node("Identity", ["b"], ["x"]))  # fmt: skip


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (lambda: graph(MULTIPLIED, weights=huge(dims=[2**40])), "cannot be loaded by onnxruntime"),
        (lambda: graph(MULTIPLIED, weights=huge(dims=[-5])), "Out of bounds dimensions"),
        (lambda: by_constant([10**12], helper.make_node("ConstantOfShape", ["s"], ["z"]),
                             helper.make_node("Add", ["pixels", "z"], ["x"])), "cannot be"),
        (filled, "cannot be run by onnxruntime: Failed to allocate memory"),
        (circle, "the graph is not acyclic"),
        (lambda: graph(helper.make_node("NoSuchOp", ["pixels"], ["x"])), "No Op registered for NoSuchOp"),
        (lambda: graph(helper.make_node("Mul", ["pixels", "nowhere"], ["x"])), "'nowhere' is not a graph input"),
        (lambda: graph(MULTIPLIED, weights=numpy_helper.from_array(np.array([1]), "w")), "different types"),
    ],
)  # fmt: skip
def test_graphs_that_cannot_be_run_are_one_line(tmp_path: Path, made: Callable[[], Any], line: str) -> None:
    with pytest.raises(ModelError, match=line) as caught:
        read_onnx(saved(tmp_path, made()), SIZES)
    told = str(caught.value)
    assert "\n" not in told and len(told) < 400
    # Neither the codes of onnxruntime nor the places in its source are for a person.
    assert "ONNXRuntimeError" not in told and ".cc:" not in told


def test_a_file_that_is_cut_off_anywhere_is_one_line(tmp_path: Path) -> None:
    path = saved(tmp_path, graph(MULTIPLIED))
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        try:
            checked(path, "visual.onnx")
        except ModelError as error:
            assert "\n" not in str(error) and "BufferError" not in str(error)


@pytest.mark.parametrize(("at", "value"), [(1, "-4"), (1, "99"), (2, str(2**60)), (2, "-1")])
def test_numbers_beside_the_file_stay_inside_of_it(tmp_path: Path, at: int, value: str) -> None:
    (tmp_path / "d").write_bytes(bytes(4))
    weights = outside("d")
    weights.external_data[at].value = value
    with pytest.raises(ModelError, match="cannot be loaded by onnxruntime") as caught:
        read_onnx(saved(tmp_path, graph(MULTIPLIED, weights=weights)), SIZES)
    assert "\n" not in str(caught.value)


def test_onnxruntime_sends_no_reports(tmp_path: Path) -> None:
    """Its library would leave an identifier in the folder for temporary files, and connect to its maker."""
    path = saved(tmp_path, graph(MULTIPLIED))
    rest = tmp_path / "temporary"
    rest.mkdir()
    script = (
        "import sys, os; from core.models.onnx_file import session_of; session_of(sys.argv[1], 1); "
        "print(os.environ['ORT_DISABLE_TELEMETRY'], os.listdir(os.environ['TMPDIR']))"
    )
    # Where tests run unattended, the library is silent of its own accord.
    beside = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    told = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        cwd=ROOT, env={**beside, "TMPDIR": str(rest)}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert told.split() == ["1", "[]"]


def test_a_loop_without_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.models import onnx_file

    monkeypatch.setattr(onnx_file, "MODEL_LIMITS", onnx_file.MODEL_LIMITS.__class__(onnx_seconds=2.0))
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["v"], ["w2"])],
        "body",
        [
            helper.make_tensor_value_info("n", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("w2", TensorProto.FLOAT, None),
        ],
    )
    count = helper.make_node("Constant", [], ["m"], value=numpy_helper.from_array(np.array(2**62), "m"))
    always = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.array(True), "c"))
    loop = helper.make_node("Loop", ["m", "c", "pixels"], ["x"], body=body)
    with pytest.raises(ModelError, match="more than 2 s of processor time"):
        read_onnx(saved(tmp_path, graph(count, always, loop)), SIZES)


def test_the_check_reads_every_standard_file_of_the_library(tmp_path: Path) -> None:
    # What the second reader, onnx itself, finds in a file with every part that is read here.
    path = saved(tmp_path, graph(*in_branch(helper.make_node("Mul", ["pixels", "w"], ["z"]))))
    found = checked(path, "visual.onnx")
    model = onnx.load(path)
    named = {(node.domain, node.op_type) for node in model.graph.node}
    for node in model.graph.node:
        for attribute in node.attribute:
            named |= {(inner.domain, inner.op_type) for inner in attribute.g.node}
    assert found.operators == named
