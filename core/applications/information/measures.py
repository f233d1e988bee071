"""What the report and the page say about the information that pairs keep: tables, the chart, maps on one scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from core.applications.information.record import KINDS, SIDES, InformationRecord, MapRow
from core.content.altair import alt
from core.content.charts import ACCENT, PALETTE, WIDTH, styled
from core.content.heat import Range, colours, value_range
from core.content.words import shorten
from core.languages import say
from core.models.geometry import Geometry
from core.statistics import mean_over_images
from core.statistics.intervals import CORRELATION, UNBOUNDED

MOST_BARS = 30
# What is compared, how it is called, and how many digits it is printed with.
MEASURES = {  # messages: first
    "nats": ("nats retained", 0),
    "per_place": ("nats per patch or token", 2),
    "cosine": ("cosine that passes the bottleneck", 3),
    "gain": ("cosine gained over noise alone", 3),
    "efficiency": ("cosine gained per 1,000 nats", 3),
}
# What a place is, by the side of the pair.
PER_PLACE = {"image": "nats per patch", "text": "nats per token"}  # messages


# -- numbers -----------------------------------------------------------------------------------------------------


def by_text(record: InformationRecord) -> pd.DataFrame:
    """One row an image, text, side and price: means over seeds of every measure of `MEASURES`.

    `spread` is the standard deviation of the nats over seeds divided by their mean.
    """
    pairs = record.pairs.copy()
    pairs["per_place"] = pairs["nats"] / pairs["places"]
    pairs["gain"] = pairs["cosine"] - pairs["floor"]
    pairs["efficiency"] = 1000 * pairs["gain"] / pairs["nats"].where(pairs["nats"] > 0)
    keys = ["image", "image_name", "side", "price", "kind", "text"]
    grouped = pairs.groupby(keys, sort=False)
    found = grouped[[*MEASURES, "score"]].mean()
    found["spread"] = grouped["nats"].std(ddof=1) / found["nats"].where(found["nats"] > 0)
    return found.reset_index()


def own_and_wrong(record: InformationRecord, measure: str) -> pd.DataFrame:
    """One row an image, side and price with `own`, `wrong` (mean over the wrong texts) and their `difference`."""
    wide = by_text(record).pivot_table(
        index=["image", "image_name", "side", "price"], columns="kind", values=measure, sort=False
    )
    found = wide.reindex(columns=["own", "wrong"]).dropna().reset_index()
    found["difference"] = found["own"] - found["wrong"]
    return found


def own_against_wrong(record: InformationRecord) -> pd.DataFrame:
    """The paired difference of each measure, one row a side, price and measure.

    Columns `side`, `price`, `measure`, the means `own` and `wrong`, `value` (mean difference) with `low` and `high`
    over images, `n` images, and `share` of them whose own text has more.
    """
    rows: list[dict[str, Any]] = []
    for measure in MEASURES:
        wide = own_and_wrong(record, measure)
        for (side, price), part in wide.groupby(["side", "price"], sort=False):
            gap = part["difference"].to_numpy()
            got = mean_over_images(gap, part["image"].to_numpy())
            row: dict[str, Any] = {"side": side, "price": price, "measure": measure}
            row |= {"own": part["own"].mean(), "wrong": part["wrong"].mean()}
            row |= {"value": got.value, "low": got.low, "high": got.high, "n": got.n, "share": float((gap > 0).mean())}
            rows.append(row)
    columns = ["side", "price", "measure", "own", "wrong", "value", "low", "high", "n", "share"]
    frame = pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})
    order = {side: at for at, side in enumerate(SIDES)}
    return frame.sort_values(
        ["side", "price"], key=lambda of: of.map(order) if of.name == "side" else of, kind="stable"
    )


def seed_table(record: InformationRecord) -> pd.DataFrame:
    """How far seeds agree, one row a side and price: means over images with interval, own and wrong texts alike.

    `total` is the relative standard deviation of the nats, `map` the rank correlation of two seeds' maps, `nib` that of
    the own text's mean map with the narrowing bottleneck's; each with `_low`, `_high` and `_n`.
    """
    texts = by_text(record)
    rows = []
    for (side, price), part in record.maps.groupby(["side", "price"], sort=False):
        own = part[part["kind"] == "own"]
        spread = texts[(texts["side"] == side) & (texts["price"] == price)]
        row: dict[str, Any] = {"side": side, "price": price}
        for name, frame, column in (
            ("total", spread, "spread"),
            ("map", part, "agreement"),
            ("nib", own, "nib_agreement"),
        ):
            values = frame[column].astype(float).to_numpy()
            within = UNBOUNDED if name == "total" else CORRELATION
            got = mean_over_images(values, frame["image"].to_numpy(), within=within)
            row |= {name: got.value, f"{name}_low": got.low, f"{name}_high": got.high, f"{name}_n": got.n}
        rows.append(row)
    return pd.DataFrame(rows)


# -- charts and maps ---------------------------------------------------------------------------------------------


def pairs_chart(record: InformationRecord, side: str, price: float) -> alt.LayerChart:
    """Nats of each image's own text (dot) and of wrong texts (ring), joined by a line, the largest gap on top."""
    wide = own_and_wrong(record, "per_place")
    wide = wide[(wide["side"] == side) & (wide["price"] == price)].sort_values("difference", ascending=False)
    wide = wide.head(MOST_BARS).assign(name=[shorten(name, 34) for name in wide["image_name"].head(MOST_BARS)])
    y = alt.Y("name:N", sort=wide["name"].tolist(), title=None, axis=alt.Axis(labelLimit=220))
    kinds = {kind: say(title) for kind, title in KINDS.items()}
    long = wide.melt(["name"], ["own", "wrong"], "kind", "nats").assign(what=lambda rows: rows["kind"].map(kinds))
    scale = alt.Scale(domain=list(kinds.values()), range=[ACCENT, PALETTE[1]])
    shape = alt.Scale(domain=list(kinds.values()), range=["circle", "diamond"])
    title = say("{measure} at β = {price:g}", measure=say(PER_PLACE[side]), price=price)
    legend = alt.Legend(title=None, orient="top")
    lines = alt.Chart(wide).mark_rule(color="#b6c0cc", strokeWidth=2).encode(x="own:Q", x2="wrong:Q", y=y)
    points = (
        alt.Chart(long)
        .mark_point(filled=True, size=60, opacity=1)
        .encode(
            x=alt.X("nats:Q", title=title, scale=alt.Scale(zero=False)),
            y=y,
            color=alt.Color("what:N", scale=scale, legend=legend),
            shape=alt.Shape("what:N", scale=shape, legend=legend),
            tooltip=["name", "what", alt.Tooltip("nats", format=".3g")],
        )
    )
    return styled(alt.layer(lines, points).properties(width=WIDTH - 220, height=alt.Step(16)))


def common_range(maps: list[NDArray[Any]]) -> Range:
    """One range for several maps of the same unit, so that their colours can be compared."""
    return value_range(np.concatenate([np.ravel(values) for values in maps]))


def shared_overlay(
    image: Image.Image, values: NDArray[Any], geometry: Geometry, found: Range, opacity: float = 0.55
) -> Image.Image:
    """The map (rows, columns) over the image in grey, coloured on the given range instead of its own.

    Places the model never saw keep the image's grey.
    """
    width = found.high - found.low
    shown = np.zeros(values.shape) if found.constant else np.clip((values - found.low) / width, 0, 1)
    placed = geometry.on_original(shown.astype(np.float32), image.width, image.height, smooth=True)
    base = np.asarray(image.convert("L"), dtype=np.float32)[..., None].repeat(3, axis=2)
    heat = colours(np.where(np.isfinite(placed), placed, 0.0)).astype(np.float32)
    out = np.where(np.isfinite(placed)[..., None], (1 - opacity) * base + opacity * heat, base)
    return Image.fromarray(np.clip(np.round(out), 0, 255).astype(np.uint8), "RGB")


def grid(row: MapRow, name: str) -> NDArray[np.float64]:
    """A column of a map row on its grid (rows, columns)."""
    return np.asarray(getattr(row, name), dtype=np.float64).reshape(int(row.rows), int(row.columns))
