"""Explore: one image, its texts, and the maps of all methods side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.content.curve_chart import curves_chart
from core.content.map_files import DrawnMap
from core.content.words import shorten
from core.datasets import DatasetImage
from core.evaluation.metrics import STORED
from core.reporting.gallery import word_strip
from core.runs import Run, text_id
from pages.parts import address, charts, copy_link, entry, image_filter, image_pick, large_map, maps, saved_views, state
from pages.parts.words import coloured_words, empty, number, plain, problems_shown, tab

ACROSS = 4
STRIP = 8
VIEWS = {"all": "All maps", "one": "One large map"}
KINDS = {"caption": "Captions", "prompt": "Prompts", "class": "Classes"}

QUESTION = "Which parts of an image, and which words of a text, does each method hold responsible for the score?"


def explore() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("Maps appear here once an audit has run.", "pages/audit.py", "Plan an audit", QUESTION)
        return
    with state.reading(run):
        summary = state.summary_of(run)
    if not summary.images:
        empty("No image of this audit has been processed yet.", "pages/audit.py", "See its progress")
        return
    saved = saved_views.limited(run)
    scores = summary.scores if saved is None else summary.scores[summary.scores["image"].isin(saved.images)]
    if scores.empty:
        st.info("No image of this view has been processed yet. Remove the view to see the others.")
        return
    every = dict(scores[["image", "image_name"]].drop_duplicates().sort_values("image_name").itertuples(index=False))
    lowest = summary.pair_agreement.groupby("image")["value"].min().to_dict()
    bar = st.container(horizontal=True, vertical_alignment="bottom")
    left, right = st.columns(2)
    with left:
        names = image_filter.chosen(run, every, lowest)
    if not names:
        st.info("No image passes the filter. Remove it to see the others.")
        return
    with bar:
        image = image_pick.pick(run, names, lowest)
        view = pick_view(run)
    # Not a popover: it would make its widgets when it is opened, without the values that the address gave them.
    options = right.expander("Methods and display", icon=":material/tune:")
    found = maps.image_of(run, image)
    if found is None:
        st.error("This image is no longer in the dataset.")
        return
    rows = state.rows_of(run, image)
    explained = rows[rows["kind"] == "method"]
    kinds = pick_kinds(run, summary.scores, options)
    pairs = list(
        explained.loc[explained["text_kind"].isin(kinds), ["text", "text_kind"]]
        .drop_duplicates()
        .itertuples(index=False, name=None)
    )
    if not pairs:
        st.info("No text of this kind was explained for this image; choose another kind or image.")
        return
    ids = [text_id(f"{kind}:{text}") for text, kind in pairs]
    key = f"texts-{image}-{'-'.join(kinds)}"
    if st.query_params.get("image") not in (None, image):
        # The address still tells the texts of the image before; those that this one has stay chosen.
        address.tell("text", [told for told in st.query_params.get_all("text") if told in ids])
    address.enter_all(key, "text", range(len(pairs)), [0], ids.__getitem__)
    texts = st.multiselect(
        "Texts",
        range(len(pairs)),
        format_func=lambda at: f"{pairs[at][1]}: {shorten(pairs[at][0], 90)}",
        key=key,
    )
    methods = list(dict.fromkeys(explained["method"]))
    key = f"methods-{run.id}"
    with options:
        begun = address.begun(key, "method", methods, methods, str)
        chosen = st.multiselect("Methods", methods, begun, format_func=maps.title, key=key)
        look = maps.choose_look(st, st)
        st.page_link(
            "pages/methods.py", label="What these methods compute", icon=":material/function:",
            query_params={"method": chosen},
        )  # fmt: skip
    address.tell("image", [image])
    address.tell("text", [ids[at] for at in texts])
    address.tell("method", chosen if len(chosen) < len(methods) else [])
    parts = {at: rows[(rows["text"] == pairs[at][0]) & (rows["text_kind"] == pairs[at][1])] for at in texts}
    drawn = {at: maps_of(run, found, parts[at], pairs[at][0], chosen, look) for at in texts}
    large = None
    if view == "one":
        with bar:
            large = pick_map(run, {name: one.title for made in drawn.values() for name, one in made.items()})
    else:
        address.tell("map", [])
    with bar:
        copy_link.show()
    for at in texts:
        text, kind = pairs[at]
        one_text(run, found, text, kind, parts[at], chosen, drawn[at], large, look)
    st.subheader("Images", anchor=False)
    strip(run, list(names), image, names)


def pick_view(run: Run) -> str:
    """Whether all maps are shown beside each other, or one large."""
    address.enter(f"view-{run.id}", "view", list(VIEWS), "all", str)
    view = st.segmented_control(
        "View", list(VIEWS), format_func=lambda name: tab(VIEWS[name]), key=f"view-{run.id}", required=True
    )
    address.tell("view", [] if view in (None, "all") else [str(view)])
    return view or "all"


def pick_map(run: Run, titles: dict[str, str]) -> str | None:
    """Which map is shown large for every text, also of the next image; None if no text has any."""
    if not titles:
        return None
    key = f"map-{run.id}"
    if st.session_state.get(key) not in {*titles, None}:
        # It was chosen for an image or methods that had it.
        st.session_state[key] = next(iter(titles))
    address.enter(key, "map", list(titles), next(iter(titles)), str)
    name = st.selectbox("Map", list(titles), format_func=titles.__getitem__, key=key, width=220)
    address.tell("map", [name])
    return name


def maps_of(
    run: Run, image: DatasetImage, rows: pd.DataFrame, text: str, methods: list[str], look: maps.Look
) -> dict[str, DrawnMap]:
    """The maps of an image and a text, from the rows of both, by these methods; then what they share."""
    explained = explained_by(rows, methods)
    return large_map.drawn_maps(run, image, text, explained, opacity=look.opacity, smooth=look.smooth)


def explained_by(rows: pd.DataFrame, methods: list[str]) -> pd.DataFrame:
    """The rows of these methods, without controls and scores."""
    return rows[(rows["kind"] == "method") & rows["method"].isin(methods)]


def pick_kinds(run: Run, scores: pd.DataFrame, options: DeltaGenerator) -> list[str]:
    """The kinds of text that are offered."""
    present = [kind for kind in KINDS if kind in set(scores["text_kind"])]
    key = f"kinds-{run.id}"
    with options:
        kinds = st.pills(
            "Kinds of text",
            present,
            selection_mode="multi",
            default=address.begun(key, "kind", present, present, str),
            format_func=lambda kind: tab(KINDS[kind]),
            key=key,
        )
    address.tell("kind", kinds if 0 < len(kinds) < len(present) else [])
    return list(kinds or present)


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
                on_click=image_pick.want,
                args=(image,),
            )


def one_text(
    run: Run,
    entry: DatasetImage,
    text: str,
    kind: str,
    rows: pd.DataFrame,
    methods: list[str],
    drawn: dict[str, DrawnMap],
    large: str | None,
    look: maps.Look,
) -> None:
    """The maps, words, curves and values of one image and text; `large` names the one map that is shown, if any."""
    scores = rows.loc[rows["kind"] == "score", "score"].dropna()
    explained = explained_by(rows, methods)
    with st.container(border=True):
        st.subheader(plain(text), anchor=False)
        score = number(float(scores.iloc[0])) if len(scores) else "unknown"
        st.caption(
            f"{plain(kind)} · cosine similarity of image and text: **{plain(score)}**. Each map has its own scale: "
            "a strong colour does not indicate a high score. Hatched areas were cropped away and not seen by the model."
        )
        key = f"{entry.id}-{text_id(f'{kind}:{text}')}"
        if large is None:
            all_maps(run, entry, explained, drawn, opacity=look.opacity, smooth=look.smooth)
        elif large in drawn:
            one_map(drawn[large], key)
        else:
            st.info("This text has no such map. Choose another map.")
        details(rows[(rows["kind"] != "method") | rows["method"].isin(methods)], explained)
        with st.expander("Downloads"):
            if large is None and drawn:
                titles = {name: one.title for name, one in drawn.items()}
                name = st.selectbox("Map", list(titles), format_func=titles.__getitem__, key=f"file-{key}")
                large_map.map_downloads(drawn[name], key=f"file-{key}")
            large_map.rows_downloads(rows, f"{Path(entry.name).stem}-{text}", key=f"rows-{key}")


def one_map(drawn: DrawnMap, key: str) -> None:
    """A map in the size of the page, with its scale and its files."""
    left, right = st.columns((7, 3))
    with right:
        st.markdown(f"**{plain(drawn.title)}**")
        maps.scale(drawn.values, signed=drawn.signed, unit=drawn.unit)
        large_map.map_downloads(drawn, key=f"large-{key}")
    with left:
        large_map.large_map(drawn)


def all_maps(
    run: Run,
    entry: DatasetImage,
    explained: pd.DataFrame,
    drawn: dict[str, DrawnMap],
    *,
    opacity: float,
    smooth: bool,
) -> None:
    """The image, the map of each method, and what all of them have in common, side by side."""
    common = [drawn[name] for name in ("consensus", "disagreement") if name in drawn]
    rows = list(explained.itertuples())
    words_only = [row for row in rows if row.status == "ok" and row.method not in drawn]
    cards: list[Any] = [None, *(row for row in rows if row.status != "ok" or row.method in drawn), *common]
    for begin in range(0, len(cards), ACROSS):
        for column, card in zip(st.columns(ACROSS), cards[begin : begin + ACROSS], strict=False):
            with column:
                if card is None:
                    st.markdown("**Image**")
                    maps.original(run, entry)
                    st.caption(f"{plain(entry.name)} · {entry.width} × {entry.height}")
                elif isinstance(card, DrawnMap):
                    st.markdown(f"**{card.title}**")
                    alt = f"{card.title} of the methods on {entry.name}"
                    maps.heat(run, entry, card.values, signed=False, opacity=opacity, smooth=smooth, alt=alt)
                    maps.scale(card.values, signed=False, unit=card.unit)
                else:
                    maps.method_card(run, entry, card, opacity=opacity, smooth=smooth)
    if words_only:
        names = ", ".join(maps.title(row.method) for row in words_only)
        st.caption(plain(f"Attributions of words alone, without a map of the image: {names}."))


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
