"""Methods against controls for each kind of text: what is paired, what is one family, and that kinds do not mix."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.evaluation.against_controls import DIRECTED, against_controls, measures_against_controls
from core.evaluation.summary import CONTROLS
from core.runs import Run
from core.statistics import FEWEST, holm, sign_flip_p
from tests.support.made_run import made_run

METHODS = ("raw", "rise")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("made") / "run", images=9, methods=METHODS, further=True)


def parts(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    good = rows[rows.status == "ok"]
    return good[good.kind == "method"], good[good.kind == "control"]


def test_a_difference_for_classes_says_nothing_about_captions(run: Run) -> None:
    rows = run.results()
    # For captions alone, the method is now as good as each control.
    level = rows.text_kind == "caption"
    rows.loc[level, "faithfulness"] = 0.2
    got = against_controls(*parts(rows))
    captions, classes = (got[got.text_kind == kind] for kind in ("caption", "class"))
    assert len(captions) == len(classes) == len(METHODS) * len(CONTROLS)
    assert (captions.value == 0).all() and (captions.p == 1).all()
    assert (classes[classes.method == "rise"].value > 0.1).all()
    whole = against_controls(*parts(run.results()))
    assert (whole[whole.text_kind == "caption"].value != 0).all()
    same = whole[whole.text_kind == "class"].drop(columns="p_adjusted").reset_index(drop=True)
    assert same.equals(classes.drop(columns="p_adjusted").reset_index(drop=True))
    assert np.allclose(whole.p_adjusted, holm(whole.p.to_numpy())), "one family of tests"


def test_a_kind_on_too_few_images_is_in_no_family(run: Run) -> None:
    rows = run.results()
    kept = sorted(set(rows.image))[: FEWEST - 1]
    few = rows[(rows.text_kind == "class") | rows.image.isin(kept)]
    got = against_controls(*parts(few))
    captions, classes = (got[got.text_kind == kind] for kind in ("caption", "class"))
    assert (captions.n == FEWEST - 1).all()
    assert captions[["low", "p", "p_adjusted"]].isna().all(axis=None)
    assert np.allclose(classes.p_adjusted, holm(classes.p.to_numpy()))
    assert against_controls(*parts(rows[rows.kind == "control"])).empty


def test_every_measure_is_a_family_of_its_own_in_its_own_unit(run: Run) -> None:
    rows = run.results()
    got = measures_against_controls(rows)
    assert set(got.metric) <= {metric.name for metric in DIRECTED} and {"faithfulness", "infidelity"} <= set(got.metric)
    assert not {"sparseness", "entropy"} & set(got.metric), "neither direction is better"
    for _, part in got.groupby("metric"):
        known = part[part.p.notna()]
        assert np.allclose(known.p_adjusted, holm(known.p.to_numpy()))
    own, other = parts(rows)
    key = ["image", "text", "text_kind"]
    own = own[(own.method == "rise") & (own.text_kind == "class")].set_index(key).infidelity
    other = other[(other.method == "edge") & (other.text_kind == "class")].set_index(key).infidelity
    means = (own - other).groupby("image").mean().to_numpy()
    of_edge = got[(got.metric == "infidelity") & (got.control == "edge")]
    row = of_edge.set_index(["method", "text_kind"]).loc[("rise", "class")]
    assert (row.value, row.p) == pytest.approx((means.mean(), sign_flip_p(means)))


def test_rows_without_maps_give_no_rows(tmp_path: Path) -> None:
    rows = made_run(tmp_path / "run", images=2).results()
    assert measures_against_controls(rows[rows.kind == "score"]).empty
