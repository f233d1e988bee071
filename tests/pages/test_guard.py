"""Which hosts and origins the app answers, and what it tells every browser."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import streamlit as st

from pages.parts import guard


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    found = {"server.allowedHosts": ["127.0.0.1", "localhost", "[::1]"], "server.corsAllowedOrigins": []}
    monkeypatch.setattr(st, "get_option", found.__getitem__)
    return found


def test_its_own_pages_and_programs_without_an_origin_are_answered(options: dict[str, list[str]]) -> None:
    for host in ("127.0.0.1:8501", "localhost", "LOCALHOST:1", "localhost.", "[::1]:8501"):
        assert guard.refusal(host, None) is None, host
        assert guard.refusal(host, f"http://{host}") is None, host
        assert guard.refusal(host, f"https://{host.upper()}") is None, host


def test_another_host_is_refused(options: dict[str, list[str]]) -> None:
    wrong = (None, "", "evil.test", "127.0.0.1.evil.test", "evil.test:8501", "a@localhost", "localhost/x", "[::2]", "[")
    for host in wrong:
        assert "allowedHosts" in str(guard.refusal(host, None)), host


def test_another_origin_is_refused(options: dict[str, list[str]]) -> None:
    wrong = (
        "null", "", "http://evil.test", "http://localhost:3000", "http://127.0.0.1", "http://127.0.0.1:85010",
        "file://", "ftp://127.0.0.1:8501", "127.0.0.1:8501", "http://127.0.0.1:8501.evil.test", "http://[",
    )  # fmt: skip
    for origin in wrong:
        assert "corsAllowedOrigins" in str(guard.refusal("127.0.0.1:8501", origin)), origin
    options["server.corsAllowedOrigins"] = ["http://localhost:3000"]
    assert guard.refusal("127.0.0.1:8501", "http://localhost:3000") is None


def test_the_lists_of_a_shared_server_are_followed(options: dict[str, list[str]]) -> None:
    options["server.allowedHosts"] = ["*.audit.example", "Loupe.example"]
    assert guard.refusal("loupe.example", "https://loupe.example") is None
    assert guard.refusal("a.audit.example", None) is None
    for host in ("audit.example", "xaudit.example", "127.0.0.1", "loupe.example.evil.test"):
        assert guard.refusal(host, None), host
    for open_list in ([], ["*"]):
        options["server.allowedHosts"] = open_list
        assert guard.refusal("any.test", None) is None


def called(
    headers: list[tuple[bytes, bytes]], kind: str = "http", path: str = "/"
) -> tuple[list[dict[str, Any]], bool]:
    """What the guard sends for a request with these headers, and whether the app behind it was asked."""
    sent: list[dict[str, Any]] = []
    asked = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        asked.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"ALLOWALL")]})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": kind, "headers": headers, "method": "GET", "path": path}
    asyncio.run(guard.Guard(behind)(scope, receive, send))
    return sent, bool(asked)


def test_every_answer_carries_the_headers_also_a_refusal(options: dict[str, list[str]]) -> None:
    for host, passed in ((b"localhost", True), (b"evil.test", False)):
        sent, asked = called([(b"host", host)])
        assert asked is passed
        found = dict(sent[0]["headers"])
        assert found[b"x-frame-options"] == b"DENY" and found[b"x-content-type-options"] == b"nosniff"
        assert b"frame-ancestors 'none'" in found[b"content-security-policy"]
        assert sent[0]["status"] == (200 if passed else 403)
    assert called([(b"host", b"10.0.0.5")], path="/_stcore/health")[1]
    assert not called([(b"host", b"10.0.0.5")], "websocket", "/_stcore/health")[1]
    assert called([(b"host", b"localhost"), (b"origin", b"http://evil.test")], "websocket") == (
        [{"type": "websocket.close", "code": 1008, "reason": "This origin is not in server.corsAllowedOrigins."}],
        False,
    )


def test_only_scripts_of_the_start_page_are_allowed() -> None:
    made = guard.policy("<p></p><script>\r\n  let a = 1\r\n</script><script src='x.js'></script>")
    # openssl dgst -sha256 -binary | base64, over "\n  let a = 1\n"
    assert made.count("'sha256-") == 1 and "'unsafe-inline'" not in made.partition("style-src")[0]
    assert "'sha256-Cx4O+IadEsAjQ8qwm6BS4yBJmS8VtjUrAgabyTk27KQ='" in made
    assert "'sha256-" in guard.policy(guard._start_page()) and "sha256" not in guard.policy("")
