"""Explore: one image, its texts, and the maps of all methods side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from core.content.charts import curves_chart
from core.content.words import shorten
from core.evaluation.agreement import consensus
from core.evaluation.metrics import STORED
from core.reporting.gallery import word_strip
from core.runs import Run, text_id
from pages.parts import address, charts, entry, maps, state
from pages.parts.words import coloured_words, empty, number, plain, problems_shown, tab

ACROSS = 4
STRIP = 8
ORDERS = {"agreement": "Lowest agreement first", "name": "Name"}
KINDS = {"caption": "Captions", "prompt": "Prompts", "class": "Classes"}

QUESTION = "Which parts of an image, and which words of a text, does each method hold responsible for the score?"


def explore() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Maps appear here once an audit has run.", "pages/audit.py", "Plan an audit", QUESTION)
        return
    summary = state.summary_of(run)
    if not summary.images:
        empty("No image of this audit has been processed yet.", "pages/audit.py", "See its progress")
        return
    image, kinds = pick_image(run, summary.scores, summary.pair_agreement)
    entry = maps.image_of(run, image)
    if entry is None:
        st.error("This image is no longer in the dataset.")
        return
    rows = state.rows_of(run, image)
    explained = rows[(rows["kind"] == "method") & rows["text_kind"].isin(kinds)]
    pairs = list(explained[["text", "text_kind"]].drop_duplicates().itertuples(index=False, name=None))
    if not pairs:
        st.info("No text of this kind was explained for this image; choose another kind or image.")
        return
    ids = [text_id(f"{kind}:{text}") for text, kind in pairs]
    key = f"texts-{image}-{'-'.join(kinds)}"
    address.enter_all(key, "text", range(len(pairs)), [0], ids.__getitem__)
    texts = st.multiselect(
        "Texts",
        range(len(pairs)),
        format_func=lambda at: f"{pairs[at][1]}: {shorten(pairs[at][0], 90)}",
        key=key,
    )
    methods = list(dict.fromkeys(explained["method"]))
    address.enter_all(f"methods-{run.id}", "method", methods, methods, str)
    chosen = st.multiselect("Methods", methods, format_func=maps.title, key=f"methods-{run.id}")
    address.tell("image", [image])
    address.tell("text", [ids[at] for at in texts])
    address.tell("method", chosen if len(chosen) < len(methods) else [])
    left, right, _ = st.columns((4, 2, 4), vertical_alignment="bottom")
    opacity = left.slider(
        "Opacity of the maps", 0.0, 1.0, 0.55, 0.05, format=tab("%.2f"), key="opacity", persist_state="session"
    )
    cells = right.toggle(
        "Native cells", key="cells", persist_state="session", help="Show each cell as computed, without smoothing."
    )
    for at in texts:
        text, kind = pairs[at]
        part = rows[(rows["text"] == text) & (rows["text_kind"] == kind)]
        one_text(run, image, text, kind, part, chosen, opacity=opacity, smooth=not cells)


def pick_image(run: Run, scores: pd.DataFrame, agreement: pd.DataFrame) -> tuple[str, list[str]]:
    """The selected image and kinds of text, chosen by order, name and a strip of thumbnails."""
    one, two, three = st.columns((3, 3, 4), vertical_alignment="bottom")
    order = one.selectbox(
        "Order of the images", list(ORDERS), format_func=ORDERS.__getitem__, key="order", persist_state="session"
    )
    present = [kind for kind in KINDS if kind in set(scores["text_kind"])]
    address.enter_all(f"kinds-{run.id}", "kind", present, present, str)
    with two:
        kinds = st.pills(
            "Kinds of text",
            present,
            selection_mode="multi",
            format_func=lambda kind: tab(KINDS[kind]),
            key=f"kinds-{run.id}",
        )
    names = dict(scores[["image", "image_name"]].drop_duplicates().sort_values("image_name").itertuples(index=False))
    lowest = agreement.groupby("image")["value"].min()
    if order == "agreement":
        names = dict(sorted(names.items(), key=lambda item: float(lowest.get(item[0], np.inf))))
    key = f"image-{run.id}"
    if st.session_state.get("wanted_image") in names:
        st.session_state[key] = st.session_state.pop("wanted_image")
    address.enter(key, "image", list(names), next(iter(names)), str)
    address.tell("kind", kinds if 0 < len(kinds) < len(present) else [])
    with three:
        image = st.selectbox(
            "Image",
            list(names),
            format_func=lambda id: names[id] + _agreement(lowest.get(id)),
            key=key,
            persist_state="session",
        )
    strip(run, list(names), image, names)
    return image, list(kinds or present)


def _agreement(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f" · agreement {value:+.2f}"


def strip(run: Run, images: list[str], current: str, names: dict[str, str]) -> None:
    """Thumbnails of the images around the current one, each with a button."""
    dataset = state.dataset_of(run)
    known = {entry.id: entry for entry in dataset.images}
    at = images.index(current)
    start = max(0, min(at - STRIP // 2, len(images) - STRIP))
    around = [image for image in images[start : start + STRIP] if image in known]
    for column, image in zip(st.columns(STRIP), around, strict=False):
        with column:
            maps.thumbnail(run, known[image])
            st.button(
                plain(shorten(Path(names[image]).stem, 12)),
                key=f"strip-{image}",
                width="stretch",
                type="primary" if image == current else "secondary",
                on_click=_want,
                args=(image,),
            )


def _want(image: str) -> None:
    st.session_state["wanted_image"] = image


def one_text(
    run: Run, image: str, text: str, kind: str, rows: pd.DataFrame, methods: list[str], *, opacity: float, smooth: bool
) -> None:
    """The maps, words, curves and values of one image and text."""
    entry = maps.image_of(run, image)
    assert entry is not None
    scores = rows.loc[rows["kind"] == "score", "score"].dropna()
    explained = rows[(rows["kind"] == "method") & rows["method"].isin(methods)]
    with st.container(border=True):
        st.subheader(plain(text), anchor=False)
        score = number(float(scores.iloc[0])) if len(scores) else "unknown"
        st.caption(
            f"{plain(kind)} · cosine similarity of image and text: **{plain(score)}**. Each map has its own scale: "
            "a strong colour does not indicate a high score. Hatched areas were cropped away and not seen by the model."
        )
        cards: list[object] = ["original", *explained.itertuples(), "consensus", "disagreement"]
        good = [
            values for row in explained.itertuples() if (values := maps.native(row)) is not None and np.ptp(values) > 0
        ]
        if len(good) < 2:
            cards = cards[:-2]
        mean, spread = consensus([values.astype(float) for values in good]) if len(good) > 1 else (None, None)
        for begin in range(0, len(cards), ACROSS):
            for column, card in zip(st.columns(ACROSS), cards[begin : begin + ACROSS], strict=False):
                with column:
                    if card == "original":
                        st.markdown("**Image**")
                        maps.original(run, entry)
                        st.caption(f"{plain(entry.name)} · {entry.width} × {entry.height}")
                    elif card == "consensus" or card == "disagreement":
                        ranks = mean if card == "consensus" else spread
                        assert ranks is not None
                        st.markdown("**Consensus**" if card == "consensus" else "**Disagreement**")
                        maps.heat(
                            run,
                            entry,
                            ranks,
                            signed=False,
                            opacity=opacity,
                            smooth=smooth,
                            alt=f"{card} of {len(good)} methods on {entry.name}",
                        )
                        unit = "mean rank, 0 to 1" if card == "consensus" else "standard deviation of ranks"
                        maps.scale(ranks, signed=False, unit=f"{unit}, {len(good)} methods")
                    else:
                        maps.method_card(run, entry, card, opacity=opacity, smooth=smooth)
        details(rows[(rows["kind"] != "method") | rows["method"].isin(methods)], explained)


def details(rows: pd.DataFrame, explained: pd.DataFrame) -> None:
    """Words, curves and raw values."""
    with_words = [row for row in explained.itertuples() if row.tokens is not None and row.token_values is not None]
    if with_words:
        with st.expander("Words by attribution", expanded=True):
            for row in with_words:
                name, words = st.columns((2, 8), vertical_alignment="center")
                name.markdown(f"**{plain(maps.title(row.method))}**")
                with words:
                    coloured_words(*word_strip(row), signed=maps.is_signed(row.method))
    if rows["deletion_curve"].notna().any():
        with st.expander("Deletion and insertion curves"):
            charts.show(curves_chart(rows), "Deletion and insertion curves by method")
    with st.expander("Raw values"):
        measured = [metric.name for metric in STORED if rows[metric.name].notna().any()]
        names = ["kind", "method", "status", "score", *measured, "rows", "columns"]
        st.dataframe(rows.loc[rows["kind"] != "score", names], hide_index=True)
        for row in explained.itertuples():
            values = maps.native(row)
            if values is not None:
                st.caption(plain(maps.title(row.method)))
                st.dataframe(pd.DataFrame(values).rename(columns=str), height=220)


entry.through_app("pages/explore.py")
st.title("Explore")
with problems_shown():
    explore()
