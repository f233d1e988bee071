"""The button that copies the address of what a page shows, with the address to be copied by hand beside it."""

from __future__ import annotations

import html

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from core.settings import ROOT
from pages.parts import address

# Streamlit has no button that writes to the clipboard. The policy of the app allows scripts of its own address alone,
# so that this one is a file of the server and not a part of the page.
PATH = "/loupe/copy.js"
SCRIPT = ROOT / "templates" / "app" / "copy.js"
COPIED = """<style>.link-copied { display: none } [data-link-copied="yes"] .link-copied { display: inline }</style>
<span class="link-copied" role="status">Copied.</span>"""


def show() -> None:
    """The button and the address; nothing before the browser has said its own."""
    link = address.link()
    if not link:
        return
    # Where two elements that show nothing take no room from the maps.
    with st.sidebar:
        st.html(f'<script src="{PATH[1:]}"></script>', unsafe_allow_javascript=True)
        st.html(f'<span data-link="{html.escape(link)}"></span>')
    with st.popover("Copy link", icon=":material/link:", key="copy-link"):
        st.html(COPIED)
        st.caption("Shows the same image, texts and maps in every browser that can open this app.")
        st.code(link, language=None, wrap_lines=True)
        if address.is_local(link):
            st.caption(address.LOCAL)


async def _script(_: Request) -> Response:
    return FileResponse(SCRIPT, media_type="text/javascript")


def route() -> Route:
    """Where the server gives the script."""
    return Route(PATH, _script)
