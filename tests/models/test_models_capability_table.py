"""The table of capabilities against the models and methods themselves: stored as found, and every word of it true."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.capabilities import DOCUMENT, KINDS, TEXTS, Kind, attributed, cheap, offered, refusal
from benchmarks.support.tiny import Zoo, pixels
from core.errors import CapabilityError
from core.methods import METHODS, MethodInfo
from core.methods.info import Side
from core.models.capability_table import BESIDE, STORED, alike, as_markdown, methods_of, reasons, tower_kinds
from core.models.listing import architectures
from core.models.model import Model, state_digest

SIDES: tuple[Side, ...] = ("image", "text")
EACH = [(side, kind) for side in SIDES for kind in KINDS[side]]
# Optimised or drawn values may end a little elsewhere when images share a batch.
AGREEMENT = 2e-3
# A random FastViT's gradients amplify the rounding of fp32 (in float64 they agree to 2e-11).
LOOSE = {"mobileclip_s": 3e-2}
LIVELY = ("vit", "convnext", "byobnet", "siglip")


def named(case: Any) -> str:
    return case.key if isinstance(case, Kind) else str(case)


def close(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any], agreement: float = AGREEMENT) -> bool:
    return bool(np.abs(a - b).max() <= agreement * max(float(np.abs(b).max()), 1e-6))


def shape_of(model: Model, info: MethodInfo, side: Side, values: np.ndarray[Any, Any]) -> bool:
    if side == "image":
        return values.ndim == 4 and values.shape[:2] == (1, len(TEXTS)) and min(values.shape[2:]) > 1
    longest = max(len(model.text.content(row)[0]) for row in model.text.tokenize(TEXTS))
    return values.shape == (1, len(TEXTS), longest)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("side", "kind"), EACH, ids=named)
def test_every_method_does_what_the_table_says(zoo: Zoo, side: Side, kind: Kind) -> None:
    model = zoo(kind.key)
    row = next(row for row in tower_kinds(side) if row.key == kind.key)
    tower = model.image if side == "image" else model.text
    assert (row.title, row.names, row.tower) == (kind.title, kind.names, tower.family)
    assert row.capabilities == offered(model, side)
    assert side == "text" or row.droppable == model.image.droppable
    before = state_digest(model.net)
    both = pixels(model, 2)
    for info in methods_of(side):
        said = row.reason(info)
        if said is not None:
            with pytest.raises(CapabilityError) as caught:
                attributed(model, both[:1], info, side)
            assert said in str(caught.value).replace(model.title, "such a model"), info.name
            continue
        one = values_of(attributed(model, both[:1], info, side), side)
        assert np.isfinite(one).all(), info.name
        assert shape_of(model, info, side, one), (info.name, one.shape)
        # A positive part may be nothing on a random model, but not on each of them.
        assert np.abs(one).max() > 0 or kind.key not in LIVELY, info.name
        together = values_of(attributed(model, both, info, side), side)
        assert close(together[:1], one, LOOSE.get(kind.key, AGREEMENT)), info.name
    assert state_digest(model.net) == before


def values_of(found: Any, side: Side) -> np.ndarray[Any, Any]:
    values: np.ndarray[Any, Any] = getattr(found, side)
    return values


def test_the_comparison_sees_another_image(zoo: Zoo) -> None:
    model = zoo("vit")
    both = pixels(model, 2)
    first, second = (values_of(attributed(model, both[i : i + 1], METHODS["raw"], "image"), "image") for i in (0, 1))
    assert not close(first, second)


def test_the_stored_table_has_a_row_for_every_kind_and_no_other() -> None:
    stored = json.loads(STORED.read_text())
    for side in SIDES:
        assert [row["key"] for row in stored[side]] == [kind.key for kind in KINDS[side]]
        for row in stored[side]:
            assert set(row["refused"]) <= {info.name for info in methods_of(side)}


def test_the_document_is_what_the_code_says() -> None:
    assert DOCUMENT.read_text() == as_markdown(), "run PYTHONPATH=. python benchmarks/capabilities.py"


def test_the_models_that_are_named_exist_and_are_of_their_kind() -> None:
    known = set(architectures())
    for side in SIDES:
        for kind in KINDS[side]:
            assert set(kind.names) <= known, set(kind.names) - known
    images = [name for kind in KINDS["image"] for name in kind.names]
    assert len(images) == len(set(images))


def test_a_row_is_the_card_s_needs_and_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    row = next(row for row in tower_kinds("image") if row.key == "convnext")
    assert row.reason(METHODS["gae"]) == METHODS["gae"].reasons(row.capabilities | BESIDE["image"])["image"]
    assert row.reason(METHODS["raw"]) is None
    assert reasons("image")["convnext"]["raw"] is None
    groups = alike("image")
    assert sum(len(group) for group in groups) == len(tower_kinds("image"))
    assert len(groups) > 1


def test_a_refusal_is_found(zoo: Zoo, monkeypatch: pytest.MonkeyPatch) -> None:
    import core.attribution.raw as raw

    def refuse(work: object, options: object) -> None:
        raise CapabilityError(f"raw can't see {zoo('vit').title}")

    model = zoo("vit")
    assert refusal(model, METHODS["raw"], "image") is None
    monkeypatch.setattr(raw, "attribute_image", refuse)
    assert refusal(model, METHODS["raw"], "image") == "can't see such a model"


def test_cheap_options_are_options() -> None:
    for info in METHODS.values():
        info.parse(cheap(info))
    assert torch.get_num_threads() == 1
