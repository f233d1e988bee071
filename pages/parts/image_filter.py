"""Which images a page offers, and in which order: by class, column, score, measure or finding. Part of the address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from numbers import Real

import streamlit as st

from core.content.words import plural, shorten
from core.runs import Run
from pages.parts import address
from pages.parts.image_values import Values, values_by_name
from pages.parts.words import figure, plain

NOTHING, USUAL = "nothing", "agreement"
ORDERS = {
    "agreement": "Lowest agreement first",
    "name": "Name",
    "high": "Highest value first",
    "low": "Lowest value first",
}


def chosen(run: Run, names: Mapping[str, str], agreement: Mapping[str, float]) -> dict[str, str]:
    """The names of the images that pass the filter, by id, in the order that was chosen; all without a filter.

    names: of all images that the page could offer. agreement: the lowest rank correlation of two methods by image.
    What there is to filter by is read once it is looked at or in use: of many images it takes a second.
    """
    by_key, order_key = f"by-{run.id}", f"order-{run.id}"
    box = st.expander(
        "Filter and order of the images", icon=":material/filter_alt:", key=f"filter-{run.id}", on_change="rerun"
    )
    if not box.open and not _in_use(by_key, order_key):
        return _ordered(names, names, {}, USUAL, agreement)
    offered: dict[str, Callable[[], Values]] = {NOTHING: dict, **values_by_name(run, names)}
    address.enter(by_key, "by", list(offered), NOTHING, str)
    if st.session_state[by_key] not in offered:
        st.session_state[by_key] = NOTHING
    with box:
        by = st.selectbox("By", list(offered), key=by_key, format_func=lambda name: shorten(name, 70))
        values = offered[by]()
        numeric = bool(values) and all(isinstance(value, Real) for value in values.values())
        passed = _passed(run, names, values, numeric=numeric)
        orders = [name for name in ORDERS if numeric or name not in ("high", "low")]
        address.enter(order_key, "order", orders, USUAL, str)
        if st.session_state[order_key] not in orders:
            st.session_state[order_key] = USUAL
        order = st.selectbox("Order", orders, format_func=ORDERS.__getitem__, key=order_key)
    address.tell("by", [by] if by != NOTHING else [])
    address.tell("order", [order] if order != USUAL else [])
    if len(passed) < len(names):
        with st.container(horizontal=True, vertical_alignment="center"):
            count = f"{len(passed):,} of {plural(len(names), 'image')}"
            st.markdown(f":material/filter_alt: **{count}**: {plain(by)}", width="content")
            st.button("Remove", icon=":material/close:", key="remove-filter", on_click=_remove, args=(by_key,))
    return _ordered(names, passed, values, order, agreement)


def _in_use(by_key: str, order_key: str) -> bool:
    """Whether the address or this session asks for a filter or an order."""
    if {"by", "order"} & set(st.query_params):
        return True
    return st.session_state.get(by_key, NOTHING) != NOTHING or st.session_state.get(order_key, USUAL) != USUAL


def _ordered(
    names: Mapping[str, str], passed: Collection[str], values: Values, order: str, agreement: Mapping[str, float]
) -> dict[str, str]:
    """The names of the images of `passed` in this order, by id."""
    found = sorted(passed, key=lambda image: names[image])
    if order == USUAL:
        found.sort(key=lambda image: float(agreement.get(image, float("inf"))))
    elif order in ("high", "low"):
        # Images without a value come last in either order.
        sign = -1.0 if order == "high" else 1.0
        found.sort(key=lambda image: sign * float(values[image]) if image in values else float("inf"))
    return {image: names[image] for image in found}


def _passed(run: Run, names: Mapping[str, str], values: Values, *, numeric: bool) -> list[str]:
    """The images whose value was chosen: of words some of them, of numbers a range."""
    known = [values[image] for image in names if image in values]
    if not known:
        return list(names)
    if not numeric:
        words = sorted({str(value) for value in known})
        key = f"values-{run.id}-{st.session_state[f'by-{run.id}']}"
        address.enter_all(key, "value", words, [], str)
        kept = st.multiselect("Values", words, key=key, placeholder="All values")
        address.tell("value", kept)
        return [image for image in names if not kept or (image in values and str(values[image]) in kept)]
    low, high = float(min(known)), float(max(known))
    if low == high:
        st.caption(f"All images have the value {figure(low)}.")
        return list(names)
    least, most = st.slider("Range", low, high, (low, high), key=f"range-{run.id}-{st.session_state[f'by-{run.id}']}")
    if (least, most) == (low, high):
        return list(names)
    return [image for image in names if image in values and least <= float(values[image]) <= most]


def _remove(key: str) -> None:
    st.session_state[key] = NOTHING
