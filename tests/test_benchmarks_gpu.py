"""The benchmark of a GPU checks itself where there is none, and sees a difference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import gpu


def test_maps_are_compared_by_their_largest_difference() -> None:
    maps = np.array([[1.0, -2.0]], dtype=np.float32)
    assert gpu.difference(maps, maps) == 0
    assert gpu.difference(maps + 0.02, maps) == pytest.approx(0.01, rel=1e-4)
    assert gpu.difference(-maps, maps) == 2
    assert gpu.difference(maps.T, maps) == gpu.difference(maps * np.nan, maps) == float("inf")
    assert not gpu.Result("raw", 1.0, 0.01, gpu.TOLERANCE).equal and gpu.Result("raw", 1.0, 1e-4, gpu.TOLERANCE).equal


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_and_prints_no_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["gpu.py", "--images", "2", "--methods", "raw,gradcam", "--model", "demo-vit"])
    assert gpu.main() == 0
    told = capsys.readouterr().out
    assert told.startswith("no GPU: not measured") and told.count(": equal") == 2 and "images/s" not in told
