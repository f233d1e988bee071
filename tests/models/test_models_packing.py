"""Weights stored small."""

from __future__ import annotations

from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from core.models.packing import SCALE, load_packed, pack, save_packed, unpack


def state(seed: int = 0, spread: float = 1.0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "text.matrix": spread * torch.randn(7, 30, generator=generator),
        "text.bias": torch.randn(30, generator=generator),
        "visual.matrix": torch.randn(5, 4, generator=generator),
        "visual.count": torch.arange(3),
    }


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(1e-4, 1e4))
def test_an_entry_is_off_by_at_most_half_a_step(seed: int, spread: float) -> None:
    before = state(seed, spread)
    after = unpack(pack(before, ("text.",)))
    row = before["text.matrix"].abs().amax(dim=1, keepdim=True)
    error = (after["text.matrix"] - before["text.matrix"]).abs() / row
    assert float(error.max()) <= 1 / 254 + 1e-6
    # Half a step is what it costs: a bound ten times as tight doesn't hold.
    assert float(error.max()) > 1 / 2540


def test_what_isn_t_narrowed_is_kept_as_half_floats_or_as_it_is() -> None:
    before = state()
    stored = pack(before, ("text.",))
    assert stored["text.matrix"].dtype == torch.int8
    assert stored["text.matrix" + SCALE].dtype == torch.float32
    assert stored["text.bias"].dtype == stored["visual.matrix"].dtype == torch.float16
    after = unpack(stored)
    assert set(after) == set(before)
    assert torch.equal(after["visual.count"], before["visual.count"])
    for name in ("text.bias", "visual.matrix"):
        assert after[name].dtype == torch.float32
        assert torch.equal(after[name], before[name].half().float())


def test_a_row_of_zeros_stays_zero() -> None:
    after = unpack(pack({"text.matrix": torch.zeros(2, 3)}, ("text.",)))
    assert torch.equal(after["text.matrix"], torch.zeros(2, 3))


def test_an_ordinary_state_passes_through() -> None:
    before = state()
    after = unpack(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_file_holds_what_was_packed(tmp_path: Path) -> None:
    path = tmp_path / "small.safetensors"
    save_packed(state(), path, ("text.",))
    stored, after = load_file(str(path)), load_packed(path)
    assert stored["text.matrix"].dtype == torch.int8
    expected = unpack(pack(state(), ("text.",)))
    assert all(torch.equal(after[name], expected[name]) for name in expected)
