"""The page of sanity checks: it says what is missing, which methods fail and why, and shows one method's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.applications.sanity.record import SanityRecord
from core.runs import Run
from core.settings import runs_folder
from tests.pages.test_pages import HOSTILE, opened, words
from tests.support.made_run import made_run
from tests.support.made_sanity import made_sanity


@pytest.fixture
def run(workspace: Path) -> Run:
    """A finished run without a record."""
    return made_run(runs_folder() / "20260115-093000-abcdef", images=8)


def test_an_audit_without_it_says_how_to_get_it(run: Run) -> None:
    app = opened("sanity", run)
    assert not app.error and "does not include" in words(app)


def test_the_page_names_who_fails_and_follows_its_choice(run: Run) -> None:
    made_sanity(run, {"rise": {("flip", ""): 0.0}}, problems=[["m2ib", HOSTILE, "noise", HOSTILE]])
    app = opened("sanity", run)
    assert not app.error and "RISE fails: its maps do not follow a mirrored image" in words(app)
    table = app.dataframe[0].value.set_index("Method")
    assert table.loc["RISE", "Mirror"].startswith("FAILS") and table.loc["RISE", "Text"].startswith("passes")
    assert table.drop("RISE")["Mirror"].str.startswith("passes").all()
    assert table.loc["Raw similarity", "Seed"] == "not measured"
    assert HOSTILE in app.dataframe[-1].value["Reason"].tolist()
    assert not [item for item in app.markdown if "<script>" in item.value]
    # The chosen method's own numbers, and not another's.
    assert "FAILS" not in " ".join(item.value for item in app.markdown)
    app.selectbox(key=f"sanity-method-{run.id}").set_value("rise").run()
    assert not app.exception and "FAILS" in " ".join(item.value for item in app.markdown)
    numbers = app.dataframe[1].value
    mirrored = numbers[numbers["Measured"].str.contains("mirrored")]["Mean"].iloc[0]
    assert mirrored.endswith("n = 8") and abs(float(mirrored.split(" ")[0].replace("\u2212", "-"))) < 0.1


def test_no_failure_is_said_and_a_damaged_record_too(run: Run) -> None:
    made_sanity(run)
    assert "No method fails" in words(opened("sanity", run))
    (SanityRecord.folder_of(run) / "checks.parquet").write_bytes(b"nothing")
    app = opened("sanity", run)
    assert app.error and all("\n" not in item.value for item in app.error)
