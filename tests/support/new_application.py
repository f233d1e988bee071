"""A small application as a person would add one, by the files of its folder, and its page."""

from __future__ import annotations

NAME = "brightness"

PACKAGE = '''"""The mean brightness of the images."""

from __future__ import annotations

from typing import Any

from core.applications.application import Application, Chapter, Page, Work
from core.applications.brightness.card import CARD


def _work() -> Work:
    from core.applications.brightness.work import work

    return work


def _chapter() -> Chapter:
    from core.applications.brightness.chapter import sections

    return sections


def _rules() -> tuple[Any, ...]:
    from core.applications.brightness.rules import RULES

    return RULES


APPLICATION = Application(
    card=CARD, order=95, work=_work, chapter=_chapter, rules=_rules, page=Page("Brightness", ":material/sunny:")
)
'''

CARD = '''"""Card of the brightness of the images."""

from __future__ import annotations

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import Options


class BrightnessOptions(Options):
    """Options of the brightness."""

    images: int = Field(8, ge=1, le=100, description="number of images that are read")


CARD = ApplicationInfo(
    name="brightness",
    title="Brightness of the images",
    paper="none",
    year=2026,
    question="How bright are the images?",
    idea="The mean of all pixels.",
    assumes="Nothing.",
    fails="Nowhere.",
    differs="There is no reference.",
    needs=("embeddings",),
    schema=BrightnessOptions,
    cost_model=lambda options: 0.0,
    efforts={"quick": {"images": 2}},
)
'''

RECORD = '''"""What the application `brightness` measured, read from its folder. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pandas as pd

from core.applications.record import Record
from core.runs.rows import ImageId, Number, Row


class BrightnessRow(Row):
    """One row per image."""

    image: ImageId
    brightness: Annotated[Number, "mean of its pixels, 0 to 1"]


@dataclass(frozen=True)
class BrightnessRecord(Record):
    """The brightness of every image."""

    brightness: Annotated[pd.DataFrame, BrightnessRow]

    NAME: ClassVar = "brightness"
    TITLE: ClassVar = "brightness"


of_run, load = BrightnessRecord.of_run, BrightnessRecord.load
'''

WORK = '''"""Measures the brightness of the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from core.applications.brightness.card import BrightnessOptions
from core.applications.brightness.record import BrightnessRecord


def work(subject, options: BrightnessOptions, out: Path, tell) -> None:
    """The mean of each image."""
    images = subject.run.dataset.images[: options.images]
    rows = [
        {"image": one.id, "brightness": float(np.asarray(subject.run.dataset.open(one)).mean() / 255)}
        for one in images
    ]
    about = {"images": len(rows), "images_left_out": len(subject.run.plan.images) - len(rows)}
    BrightnessRecord.write(out, about, {"brightness": BrightnessRecord.frame("brightness", rows)})
'''

RULES = '''"""Whether the images are bright enough."""

from __future__ import annotations

from collections.abc import Iterator

from core.applications.brightness.record import of_run
from core.rules import Context, Outcome, Rule, Wording
from core.rules.quantity import Quantity

BRIGHTNESS = Quantity("mean brightness")


def bright(context: Context) -> Iterator[Outcome]:
    """The mean brightness."""
    record = context.record(of_run)
    if record is not None:
        values = record.brightness["brightness"]
        measured = BRIGHTNESS.at(float(values.mean()), len(values))
        yield Outcome("passed", n=len(values), evidence=(measured,))


RULES = (
    Rule(
        id="brightness.mean",
        subject="data",
        question="Are the images bright enough?",
        criterion="The mean brightness is above 0.",
        measure=bright,
        wordings={"passed": Wording("The images are bright enough", "Their mean brightness is above 0.")},
    ),
)
'''

CHAPTER = '''"""The brightness of the images, in the report. No torch."""

from __future__ import annotations

from core.applications.brightness.record import of_run
from core.content.context import ReportContext
from core.content.parts import Fact, Section
from core.content.words import number


def sections(context: ReportContext) -> tuple[Section, ...]:
    """The mean brightness; nothing if it was not computed."""
    record = context.judged.record(of_run)
    if record is None:
        return ()
    return (Section("Brightness", (Fact("Mean", number(record.brightness["brightness"].mean())),)),)
'''

PAGE = '''"""The brightness of the images."""

from __future__ import annotations

import streamlit as st

from core.applications.brightness.record import BrightnessRecord, of_run
from core.applications.sampling import images_of
from core.runs import Run
from pages.parts import application_page


def page(run: Run, record: BrightnessRecord) -> None:
    """A table."""
    st.caption(images_of(record.about))
    st.dataframe(record.brightness, hide_index=True)


application_page.show("brightness", of_run, page)
'''

FILES = {
    f"core/applications/{NAME}/__init__.py": PACKAGE,
    f"core/applications/{NAME}/card.py": CARD,
    f"core/applications/{NAME}/record.py": RECORD,
    f"core/applications/{NAME}/work.py": WORK,
    f"core/applications/{NAME}/rules.py": RULES,
    f"core/applications/{NAME}/chapter.py": CHAPTER,
    f"pages/{NAME}.py": PAGE,
}

# Everything that runs over all applications, asked for this one.
CHECK = """
import json, sys
from pathlib import Path
from types import SimpleNamespace

from streamlit.testing.v1 import AppTest

from core.applications.registry import APPLICATIONS, application
from core.cli import main
from core.evaluation.summary import summarise
from core.findings import judge
from core.datasets import ingest
from core.reporting.document import build_report
from core.request import applications_at
from core.runs import ApplicationPlan, Run
from core.settings import ROOT, datasets_folder, runs_folder
from tests.support.contexts import context_of
from tests.support.made_run import made_run

assert list(APPLICATIONS)[-1] == "brightness"
assert main(["applications"]) == 0
assert [part.options for part in applications_at("quick") if part.name == "brightness"] == [{"images": 2}]

run = made_run(runs_folder() / "20260115-093000-abcdef", methods=("raw",))
plan = json.loads((run.folder / "plan.json").read_text())
plan["applications"] = [{"name": "brightness", "options": {"images": 3}}]
(run.folder / "plan.json").write_text(json.dumps(plan))
run = Run(run.folder)


def opened(page):
    app = AppTest.from_file("app.py", default_timeout=90)
    app.query_params["run"] = run.id
    app.run()
    app.switch_page(page).run()
    assert not app.exception and not app.error, (app.exception, app.error)
    return app


def words(app):
    return " ".join(str(item.value) for kind in ("title", "markdown", "caption") for item in getattr(app, kind))


app = opened("pages/brightness.py")
assert "Brightness" in words(app) and "stopped before it was computed" in words(app)
out = run.folder / "applications" / "brightness"
options = application("brightness").card.parse({"images": 3})
application("brightness").work()(SimpleNamespace(run=run), options, out, print)
app = opened("pages/brightness.py")
assert "3 images" in words(app) and len(app.dataframe[0].value) == 3, words(app)
IMAGES = ROOT / "tests" / "sample" / "images"
ingest([IMAGES / next(iter(sorted(IMAGES.iterdir()))).name],
       store=datasets_folder())
form = opened("pages/audit.py")
form.button_group(key="audit_view").set_value("new").run()
form.session_state["section-analyses"] = True
form.run()
assert form.toggle(key="application-brightness").value is True

summary = summarise(run)
findings = judge(run, summary)
assert any(finding.id == "brightness.mean" and finding.status == "passed" for finding in findings)
report = build_report(context_of(run, summary=summary, findings=findings))
assert "Brightness of the images" in [section.title for section in report.applications]
assert "torch" not in sys.modules
"""
