"""What the browser says when the server is gone.

Streamlit's own sentences ask about the internet, which Loupe never uses, and name a script of somebody else. They stand
in one file of its front end; the guard sends that file with these sentences in their place.
"""

from __future__ import annotations

import gzip
import logging
from functools import cache
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers
from starlette.responses import Response

GONE = (
    "The server of Loupe does not answer: it was stopped, or its machine is out of reach. An audit that is running "
    "goes on without it. This page connects again by itself once the server is back."
)
# Inside a template literal of JavaScript: no backtick, backslash or dollar sign.
SENTENCES = {
    "Streamlit server is not responding. Are you connected to the internet?": GONE,
    "Is Streamlit still running? If you accidentally stopped Streamlit, just restart it in your terminal:": (
        f"{GONE} To start it on this machine:"
    ),
    "streamlit run yourscript.py": "streamlit run app.py",
    "`Connection error`,e,": "`The server does not answer`,e,",
}


def script(path: str, given: Headers) -> Response | None:
    """The answer to a request for the file with the sentences; None for any other, and where they were not found."""
    name, plain, packed = _file()
    if not name or not path.endswith(f"/static/js/{name}"):
        return None
    zipped = "gzip" in given.get("accept-encoding", "")
    headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"} | (
        {"Content-Encoding": "gzip"} if zipped else {}
    )
    return Response(packed if zipped else plain, media_type="text/javascript", headers=headers)


@cache
def _file() -> tuple[str, bytes, bytes]:
    folder = Path(st.__file__).parent / "static" / "static" / "js"
    for path in sorted(folder.glob("index.*.js")):
        text = path.read_text(encoding="utf-8")
        if all(text.count(sentence) == 1 for sentence in SENTENCES):
            for sentence, own in SENTENCES.items():
                text = text.replace(sentence, own)
            return path.name, text.encode(), gzip.compress(text.encode(), mtime=0)
    logging.getLogger(__name__).warning("Streamlit's sentences about a lost server were not found")
    return "", b"", b""
