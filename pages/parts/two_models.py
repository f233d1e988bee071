"""One image on two models: the maps of the same method for the same text, side by side."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from core.content.words import shorten
from core.evaluation.comparison import model_name
from core.runs import Run, text_id
from pages.parts import address, image_choice, maps, state
from pages.parts.words import number, plain


def show(run: Run, other: Run) -> None:
    """The choice of image, text and method, and the map of each model with its score."""
    st.subheader("One image on both models", anchor=False)
    both = set(run.plan.images) & set(other.plan.images)
    names = {image.id: image.name for image in state.dataset_of(run).images if image.id in both}
    if not names:
        st.caption("The two audits have no image in common.")
        return
    first, second, third = st.columns((3, 4, 3), vertical_alignment="bottom")
    image = image_choice.choose(run, names, f"two-models-image-{run.id}", first)
    if image is None:
        return
    tables = {one: state.rows_of(one, image.id) for one in (run, other)}
    there = set(_pairs(tables[other]))
    offered = [pair for pair in dict.fromkeys(_pairs(tables[run])) if pair in there]
    if not offered:
        st.caption("No method made a map of this image for the same text on both models.")
        return
    texts = {text_id(f"{kind}:{text}"): (text, kind) for text, kind, _ in offered}
    key = f"two-models-text-{run.id}-{other.id}-{image.id}"
    address.enter(key, "text", list(texts), next(iter(texts)), str)
    chosen = second.selectbox("Text", list(texts), format_func=lambda id: shorten(texts[id][0], 80), key=key)
    address.tell("text", [chosen])
    methods = [method for text, kind, method in offered if (text, kind) == texts[chosen]]
    key = f"{key}-{chosen}"
    address.enter(key, "method", methods, methods[0], str)
    method = third.selectbox("Method", methods, format_func=maps.title, key=key)
    address.tell("method", [method])
    for column, one in zip(st.columns(2), (run, other), strict=True):
        rows = tables[one]
        rows = rows[(rows["text"] == texts[chosen][0]) & (rows["text_kind"] == texts[chosen][1])]
        score = rows.loc[rows["kind"] == "score", "score"].dropna()
        with column:
            told = f" · cosine {number(float(score.iloc[0]))}" if len(score) else ""
            st.markdown(f"**{plain(model_name(one))}**{plain(told)}")
            row = next(_with_map(rows[rows["method"] == method]).itertuples())
            maps.method_card(one, image, row, opacity=0.55, smooth=True)


def _with_map(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[(rows["kind"] == "method") & (rows["status"] == "ok") & rows["map"].notna()]


def _pairs(rows: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(_with_map(rows)[["text", "text_kind", "method"]].itertuples(index=False, name=None))
