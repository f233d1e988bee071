"""The guard between network and app: which hosts and origins are answered, and what a browser may do."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.runs.access import Header
from pages.parts import identity, server_gone

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_VIOLATION = 1008  # the websocket's code for what a policy forbids


class Guard:
    """Middleware around the whole app. Refuses foreign hosts and origins before Streamlit sees the request, and sends
    the headers of `headers` with every answer.

    Streamlit itself asks another machine for its external address before it turns a foreign origin away. `header` is
    the one by which the proxy names people: it passes only with the secret of the proxy.
    """

    def __init__(self, app: ASGIApp, header: Header | None = None) -> None:
        self.app = app
        self.header = header
        self.headers = headers(policy(_start_page()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on what may pass."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                found = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    found[name] = value
            await send(message)

        scope = identity.believed(scope, self.header)
        given = Headers(scope=scope)
        # Whoever watches over the server asks by its address; the answer is "ok" for everybody.
        asks_health = scope["type"] == "http" and scope["path"].endswith("/_stcore/health")
        reason = None if asks_health else refusal(given.get("host"), given.get("origin"))
        answer = None
        if reason is None and scope["type"] == "http" and scope["method"] == "GET":
            answer = server_gone.script(scope["path"], given)
        if answer is not None:
            await answer(scope, receive, sent)
        elif reason is None:
            await self.app(scope, receive, sent)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _VIOLATION, "reason": reason})
        else:
            await PlainTextResponse(f"{reason}\n", status_code=403)(scope, receive, sent)


def refusal(host: str | None, origin: str | None) -> str | None:
    """Why a request with these headers is not answered; None if it is.

    The host must be one of `server.allowedHosts`. An origin must be the host itself or one of
    `server.corsAllowedOrigins`: a page of another site, or of another server on this machine, has another.
    """
    if not _is_allowed(host, st.get_option("server.allowedHosts")):
        return "This host name is not in server.allowedHosts."
    if origin is not None and not _is_same(origin, host or "") and origin not in _cleaned("server.corsAllowedOrigins"):
        return "This origin is not in server.corsAllowedOrigins."
    return None


def headers(content_policy: str) -> dict[str, str]:
    """What every answer carries: no other page may frame, embed or read this one, and this one asks nobody else."""
    return {
        "Content-Security-Policy": content_policy,
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    }


def policy(start_page: str) -> str:
    """The content security policy for the page that Streamlit serves.

    Its own inline scripts are allowed by their hashes. Charts are compiled in the browser (Vega), which takes
    `'unsafe-eval'`; styles are made at run time (Emotion), which takes `'unsafe-inline'` for styles.
    """
    scripts = " ".join(_hashed(script) for script in _INLINE.findall(start_page))
    rules = {
        "default-src": "'none'",
        "script-src": f"'self' 'unsafe-eval' {scripts}".rstrip(),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "media-src": "'self'",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "frame-src": "'self' blob:",
        "form-action": "'self'",
        "base-uri": "'none'",
        "object-src": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _is_allowed(host: str | None, allowed: Iterable[str]) -> bool:
    patterns = [pattern.strip().lower().strip("[]") for pattern in allowed]
    if not patterns or "*" in patterns:
        return True
    name = _host_name(f"//{host or ''}")
    return any(name == pattern or (pattern.startswith("*.") and name.endswith(pattern[1:])) for pattern in patterns)


def _is_same(origin: str, host: str) -> bool:
    return origin.lower() in {f"http://{host.lower()}", f"https://{host.lower()}"}


def _host_name(address: str) -> str:
    try:
        found = urlsplit(address)
        return "" if "@" in found.netloc or found.path or found.query else (found.hostname or "").rstrip(".")
    except ValueError:
        return ""


def _cleaned(option: str) -> set[str]:
    return {str(value).strip() for value in st.get_option(option)}


def _hashed(script: str) -> str:
    # A browser hashes the script after it has made one kind of line break of all.
    text = script.replace("\r\n", "\n").replace("\r", "\n")
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _start_page() -> str:
    """The HTML with which every page of the app begins. Without it, no inline script is allowed."""
    file = Path(st.__file__).parent / "static" / "index.html"
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        logging.getLogger(__name__).warning("the start page of Streamlit was not found; inline scripts stay blocked")
        return ""
