"""What a page shows beside its run, in its address, so that a copied link shows the same in another browser.

An address comes from anybody. A value counts only if it is one of those that the page offers; what else stands there is
left out, with one line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import streamlit as st

Value = TypeVar("Value")
NAMES = (
    "image", "item", "kind", "text", "method", "view", "severity", "subject", "decision", "finding", "saved", "colour",
    "search", "by", "value", "order", "map",
    "label",
)  # fmt: skip
MOST = 100
LOCAL = (
    "This address works on this machine only. A colleague needs the name under which the server can be reached from "
    "theirs, and the audit on it."
)
NOTE = "Part of the address names nothing that this page offers; that part is left out."


def clear() -> None:
    """Forget what the address says of a view: it was meant for another run."""
    for name in NAMES:
        if name in st.query_params:
            del st.query_params[name]


def enter(key: str, name: str, offered: Collection[Value], usual: Value, as_text: Callable[[Value], str]) -> None:
    """Before the widget `key` of one choice is made for the first time: choose what the address names."""
    if key not in st.session_state:
        st.session_state[key] = next(iter(_named(name, offered, as_text)), usual)


def enter_all(
    key: str, name: str, offered: Collection[Value], usual: Collection[Value], as_text: Callable[[Value], str]
) -> None:
    """The same for a widget of several choices."""
    if key not in st.session_state:
        st.session_state[key] = begun(key, name, offered, usual, as_text)


def begun(
    key: str, name: str, offered: Collection[Value], usual: Collection[Value], as_text: Callable[[Value], str]
) -> list[Value]:
    """What a widget of several choices in a folded part of a page is made with: its value, or what the address names.

    The browser may make such a widget only when it is unfolded. A value that was set beforehand is lost by then.
    """
    if key in st.session_state:
        return [value for value in st.session_state[key] if value in offered]
    return _named(name, offered, as_text) or list(usual)


def tell(name: str, values: Collection[str]) -> None:
    """Write what is shown into the address; nothing to tell takes it out."""
    told = list(values)[:MOST]
    if st.query_params.get_all(name) != told:
        if told:
            st.query_params[name] = told
        elif name in st.query_params:
            del st.query_params[name]


def link() -> str:
    """The whole address of what is shown, for another browser; empty while the browser has not said its own."""
    if not st.context.url:
        return ""
    values = {name: st.query_params.get_all(name) for name in st.query_params}
    return f"{st.context.url}?{urlencode(values, doseq=True)}"


def is_local(link: str) -> bool:
    """Whether an address names the machine itself, so that no other one can open it."""
    host = (urlsplit(link).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def _named(name: str, offered: Collection[Value], as_text: Callable[[Value], str]) -> list[Value]:
    told = st.query_params.get_all(name)
    if not told:
        return []
    by_text = {as_text(value): value for value in offered}
    found = [by_text[text] for text in dict.fromkeys(told[:MOST]) if text in by_text]
    if len(found) < len(told):
        st.caption(NOTE)
    return found
