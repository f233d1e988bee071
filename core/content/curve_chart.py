"""The chart of mean deletion and insertion curves. No torch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from core.content.altair import alt
from core.content.charts import PALETTE, WIDTH, styled
from core.evaluation.curve_shares import SHARES, shares_of, trapezia
from core.languages import say
from core.rules.parts import CONTROL_TITLES, title_of

MOST_CURVES = 7
# Controls are grey, each with a pattern of its own.
CONTROL_DASHES = ([6, 3], [1.5, 2.5], [8, 2, 1.5, 2])


def best_curves(frame: pd.DataFrame) -> list[str]:
    """The titles whose curves are drawn: every control, and the methods with the widest gap between the two curves."""
    controls = [title for title in dict.fromkeys(frame.title) if title in _controls()]
    areas = {key: trapezia(part["value"], part["share"]) for key, part in frame.groupby(["title", "which"])}
    means = pd.Series(areas).unstack()
    gap = (means["insertion"] - means["deletion"]).drop(controls).sort_values(ascending=False, kind="stable")
    return [*gap.index[:MOST_CURVES], *controls]


def _controls() -> set[str]:
    return {say(title) for title in CONTROL_TITLES.values()}


def curves_chart(rows: pd.DataFrame) -> alt.HConcatChart:
    """The mean deletion and insertion curves over `rows` of `Run.results()`: the best methods and every control."""
    frame = mean_curves(rows)
    names = best_curves(frame)
    frame = frame[frame.title.isin(names)]
    controls = _controls()
    shades = iter(PALETTE * (1 + len(names) // len(PALETTE)))
    tone = [("#7b8794" if name in controls else next(shades)) for name in names]
    patterns = iter(CONTROL_DASHES * (1 + len(controls)))
    dashes = [(next(patterns) if name in controls else [1, 0]) for name in names]
    legend = alt.Legend(title=None, orient="bottom", columns=4, symbolType="stroke", symbolSize=400)
    panels = []
    titles = {"deletion": say("highest values removed first"), "insertion": say("highest values shown first")}
    for which, title in titles.items():
        part = frame[frame.which == which]
        panels.append(
            alt.Chart(part, title=title)
            .mark_line(strokeWidth=1.8)
            .encode(
                x=alt.X("share:Q", title=say("share of cells"), axis=alt.Axis(format="%", tickCount=5)),
                y=alt.Y("value:Q", title=say("mean cosine"), scale=alt.Scale(zero=False)),
                color=alt.Color(
                    "title:N",
                    sort=names,
                    scale=alt.Scale(domain=names, range=tone),
                    legend=legend,
                ),
                # The same legend: a swatch shows colour and dash pattern together.
                strokeDash=alt.StrokeDash(
                    "title:N", sort=names, scale=alt.Scale(domain=names, range=dashes), legend=legend
                ),
                tooltip=["title", alt.Tooltip("share", format=".0%"), alt.Tooltip("value", format=".3f"), "n"],
            )
            .properties(width=(WIDTH - 110) // 2, height=170)
        )
    return styled(alt.hconcat(*panels, spacing=28))


def mean_curves(rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over images of each image's mean curve: title, which, share, value (cosine), n (images)."""
    records = []
    good = rows[(rows.status == "ok") & rows.kind.isin(["method", "control"])]
    for (_, method), part in sorted(
        good.groupby(["kind", "method"]), key=lambda item: (item[0][0] == "control", item[0])
    ):
        for which in ("deletion", "insertion"):
            known = part[part[f"{which}_curve"].notna()]
            if known.empty:
                continue
            # Curves of one run have one length; a resumed run can't change its steps. Their shares differ only where
            # images have different numbers of cells, by what is rounded to whole cells.
            each = [np.mean(np.stack(list(group)), axis=0) for _, group in known.groupby("image")[f"{which}_curve"]]
            mean = np.mean(np.stack(each), axis=0)
            shares = shares_of(known[SHARES], len(mean)).mean(axis=0)
            for share, value in zip(shares, mean, strict=True):
                records.append(
                    {
                        "title": title_of(str(method)),
                        "which": which,
                        "share": float(share),
                        "value": float(value),
                        "n": len(each),
                    }
                )
    return pd.DataFrame(records, columns=["title", "which", "share", "value", "n"])
