"""The page on information: it says what is missing, and shows both texts, their words and the seeds of a record."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.applications.information.card import CARD
from core.applications.information.record import InformationRecord
from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run

TOKENS = ["a", "photo", "<b>of</b>", "circle"]
GAP = {"own": 3.0, "wrong": 1.0}


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef")


def write_record(run: Run, *, text: bool = True, gap: float = 1.0) -> None:
    """A record whose own texts keep three times as many nats as wrong ones, or a third if `gap` is below 0."""
    random = np.random.default_rng(0)
    pairs: list[dict[str, Any]] = []
    maps: list[dict[str, Any]] = []
    sides = {"image": (4, 4), **({"text": (1, len(TOKENS))} if text else {})}
    for image in run.dataset.images:
        for side, (rows, columns) in sides.items():
            for kind, size in GAP.items():
                for price in (0.1, 3.0):
                    level = size if gap > 0 else 4 - size
                    about: dict[str, Any] = {
                        "image": image.id,
                        "image_name": image.name,
                        "side": side,
                        "kind": kind,
                    }
                    about |= {"text": f"{kind} text {HOSTILE}", "price": price}
                    values = level * random.random(rows * columns)
                    for seed in range(3):
                        nats = 100 * level + random.random()
                        numbers = {"nats": nats, "places": rows * columns, "cosine": 0.2 * level, "floor": 0.0}
                        pairs.append({**about, "seed": seed, **numbers, "score": 0.3})
                    shown = {"rows": rows, "columns": columns, "tokens": TOKENS if side == "text" else []}
                    shown |= {"map": values.tolist(), "spread": (0.1 * values).tolist(), "nib": (values - 1).tolist()}
                    maps.append({**about, **shown, "agreement": 0.9, "nib_agreement": 0.5})
    folder = InformationRecord.folder_of(run)
    reason = "" if text else "the text tower cannot be run from a chosen layer onwards"
    told = {"options": CARD.parse().model_dump(mode="json"), "model": "a model", "own": "captions", "layer": 3}
    told |= {"images": len(run.dataset.images), "images_left_out": 0, "seeds": [0, 1, 2], "text_reason": reason}
    told |= {"text_layer": 3, "prior": "standard", "text_prior": "standard", "image_forwards": 1, "text_forwards": 1}
    frame = InformationRecord.frame
    InformationRecord(told, frame("pairs", pairs), frame("maps", maps)).save(folder)


def test_an_audit_without_it_says_how_to_get_it(run: Run) -> None:
    app = opened("information", run)
    assert not app.error
    assert "does not include" in words(app)


def test_the_page_reads_the_record_and_follows_its_choices(run: Run) -> None:
    write_record(run)
    app = opened("information", run)
    assert not app.error
    said = words(app)
    assert said.count("Inconclusive: too few images to compare own and wrong texts") == 4
    assert "**Own text**" in said and "**Spread over seeds**" in said and "**Narrowing**" in said
    assert len(app.dataframe) == 3
    assert list(app.dataframe[1].value["Token"]) == TOKENS
    compared = app.dataframe[0].value
    assert set(compared["Higher for own text"]) >= {"4 of 4"}
    price = next(box for box in app.selectbox if str(box.key).startswith("information-price"))
    price.set_value(0.1).run()
    assert not app.exception and not app.error
    # Hostile words stay words: what a person wrote is shown as text or escaped.
    assert not [item for item in app.markdown if "<script>" in item.value]
    assert not re.search(r"(?<!\\)<b>of", "\n".join(item.value for item in app.caption))


def test_the_page_concludes_nothing_from_few_images_whatever_they_show(run: Run) -> None:
    write_record(run, gap=-1.0)
    said = words(opened("information", run))
    assert said.count("Inconclusive: too few images to compare own and wrong texts") == 4


def test_a_model_without_text_layers_and_a_damaged_record(run: Run) -> None:
    write_record(run, text=False)
    app = opened("information", run)
    assert "Words were not measured" in words(app) and not app.error
    (InformationRecord.folder_of(run) / "pairs.parquet").write_bytes(b"nothing")
    app = opened("information", run)
    assert app.error and all("\n" not in item.value for item in app.error)
