"""The limitations of a report say nothing that is not so."""

from __future__ import annotations

from pathlib import Path

from core.content.context import ReportContext
from core.findings import apply_rules
from core.reporting.limitations import limits
from core.rules import Context
from tests.support.made_run import made_run


def test_a_conclusion_rests_on_fewer_images_only_if_it_does(tmp_path: Path) -> None:
    context = Context(made_run(tmp_path / "run", images=4))
    findings = apply_rules(context)
    known = [one for one in findings if one.n and one.unit == "images" and one.status in ("finding", "passed")]
    assert known
    whole = tuple(one.model_copy(update={"n": context.summary.images}) if one in known else one for one in findings)
    assert not any("rest on fewer" in line for line in limits(ReportContext(context, whole)))
    fewer = tuple(one.model_copy(update={"n": 3}) if one in known else one for one in findings)
    assert any("rest on fewer, for example on 3 images" in line for line in limits(ReportContext(context, fewer)))
