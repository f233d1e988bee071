"""Charts: what they draw, their order and their alternate text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from core.content import charts, curve_chart
from core.evaluation.summary import Summary, summarise
from core.findings import Finding
from core.runs import Run
from tests.support.made_run import made_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made_run(tmp_path_factory.mktemp("charts") / "run", images=4)


@pytest.fixture(scope="module")
def summary(run: Run) -> Summary:
    return summarise(run)


def test_trust_chart_orders_by_value_and_marks_controls(summary: Summary) -> None:
    svg = charts.to_svg(charts.trust_chart(summary), 'Trust of <methods> & "controls"')
    assert svg.count("<title>") == 1 and "<title>Trust of &lt;methods&gt; &amp; " in svg
    assert svg.index(">RISE<") < svg.index(">Raw similarity<")
    assert "Centre Gaussian" in svg and charts.FONT in svg


def test_methods_that_agree_stand_together(summary: Summary) -> None:
    order = charts.clustered(summary)
    assert sorted(order) == ["gradcam", "m2ib", "raw", "rise"]
    # `raw` points the other way in a made run, so it can't stand between methods that agree.
    assert order.index("raw") in (0, 3)
    svg = charts.to_svg(charts.agreement_chart(summary), "Agreement")
    assert svg.count(">\u22120.") == 6 and "Gradient" not in svg  # WeasyPrint draws gradients unreliably


def test_mean_curves_average_images_not_rows(run: Run) -> None:
    rows = run.results()
    frame = curve_chart.mean_curves(rows)
    assert set(frame.n) == {4} and set(frame.which) == {"deletion", "insertion"}
    part = frame[(frame.title == "RISE") & (frame.which == "insertion")].sort_values("share")
    assert part.value.is_monotonic_increasing
    # Repeating one image's rows changes a mean over rows, never one over images.
    more = rows[rows.image == rows.image.iloc[0]]
    again = curve_chart.mean_curves(type(rows)(__import__("pandas").concat([rows, more, more])))
    assert again.value.to_numpy() == pytest.approx(frame.value.to_numpy(), abs=1e-7)
    assert "highest values removed first" in charts.to_svg(curve_chart.curves_chart(rows), "Curves")


def test_severity_and_score_charts(summary: Summary) -> None:
    found = tuple(
        Finding(
            id=str(at),
            rule="r",
            subject="model",
            title="t",
            status="finding",
            severity=severity,
            condition="c",
            criterion="c",
            threshold="",
        )
        for at, severity in enumerate(("high", "high", "low"))  # type: ignore[arg-type]
    )
    svg = charts.to_svg(charts.severity_chart(found), "Severity")
    assert "2 high" in svg and "1 low" in svg and "medium" not in svg
    assert "red circle" in charts.to_svg(charts.scores_chart(summary), "Scores")


def test_shorten() -> None:
    assert charts.shorten("abcdef", 6) == "abcdef"
    assert charts.shorten("abcdefg", 6) == "abcde\u2026"


def test_fonts_are_there() -> None:
    assert Path(charts.FONTS / "IBMPlexSans-Regular.woff2").exists()


def test_a_severity_bar_fills_its_width() -> None:
    one = Finding(
        id="a", rule="r", subject="model", title="t", status="finding", severity="medium", condition="c", criterion="c",
        threshold="",
    )  # fmt: skip
    svg = charts.to_svg(charts.severity_chart((one, one, one)), "Severity")
    (width,) = re.findall(r'<svg[^>]* width="([0-9.]+)"', svg)
    assert float(width) == charts.PAGE_WIDTH and f"h{charts.PAGE_WIDTH}v" in svg.replace("H", "h")


def test_a_legend_names_each_colour() -> None:
    svg = charts.to_svg(charts.colour_legend([("castle", "#0072b2"), ("fish", "#d55e00")], columns=1), "Colours")
    assert all(text in svg for text in (">castle<", ">fish<", "#0072b2", "#d55e00"))


@pytest.mark.parametrize(
    ("low", "high", "domain"), [(0.2, 0.543, [0.0, 0.5593]), (-0.4, -0.1, [-0.412, 0.0]), (-0.5, 0.5, [-0.53, 0.53])]
)
def test_an_interval_does_not_end_at_the_edge_of_its_chart(low: float, high: float, domain: list[float]) -> None:
    scale = charts.roomy(pd.Series([low, None]), pd.Series([high, None], dtype=float)).to_dict()
    assert scale["domain"] == domain and scale["nice"]
    assert scale["domain"][0] <= min(low, 0) and scale["domain"][1] >= max(high, 0)
    # Without a value there is no range to widen.
    assert "domain" not in charts.roomy(pd.Series([], dtype=float)).to_dict()


def test_the_chart_of_trust_has_room_beyond_its_intervals(summary: Summary) -> None:
    # Four images have no interval of their own; here they have one.
    table = summary.trust.assign(low=summary.trust["value"] - 0.2, high=summary.trust["value"] + 0.2)
    rows = table[table.metric == "faithfulness"]
    drawn = charts.trust_chart(replace(summary, trust=table)).to_dict()
    scales = [layer["encoding"]["x"].get("scale") for layer in drawn["layer"]]
    ((low, high),) = [scale["domain"] for scale in scales if scale]
    assert low < rows["low"].min() < 0 < rows["high"].max() < high
