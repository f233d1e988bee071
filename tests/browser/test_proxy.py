"""The nginx example in front of the app: login, headers, every page, uploads and downloads. Needs nginx."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.runs import open_run
from core.runs.review import REVIEW, load_review
from core.settings import ROOT
from tests.browser.conftest import FINISHED, STEP_MS, Server, found_program, free_port, served, watched
from tests.browser.test_app import drawn, open_page, sample_zip
from tests.browser.test_doors import answer_to

pytestmark = pytest.mark.browser

USER, PASSWORD = "auditor", "only-for-this-test"
OTHER, SECRET = "approver", "a-secret-only-for-this-test-of-the-proxy"
ROLES = f"""
version = "1"
[people]
{USER} = "reviewer"
{OTHER} = "approver"
[header]
name = "X-Loupe-User"
secret = "{SECRET}"
"""


@dataclass(frozen=True)
class Proxy(Server):
    """A running nginx in front of an app."""

    port: int
    behind: str


@pytest.fixture(scope="module")
def proxy(home_with_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """`deploy/nginx.conf` with this test's paths, ports, host name and certificate."""
    nginx = found_program("nginx", "/usr/sbin/nginx")
    folder = tmp_path_factory.mktemp("nginx")
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names, *files], check=True, capture_output=True
    )
    hashed = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True, capture_output=True, text=True)
    (folder / "passwords").write_text(f"{USER}:{hashed.stdout}{OTHER}:{hashed.stdout}")
    (folder / "roles.toml").write_text(ROLES)
    port, plain = free_port(), free_port()
    roles = str(folder / "roles.toml")
    with served(home_with_run, "--server.allowedHosts", "localhost", LOUPE_ROLES=roles) as app:
        text = (ROOT / "deploy" / "nginx.conf").read_text()
        for old, new in {
            "127.0.0.1:8501": app.url.removeprefix("http://"), "listen 443": f"listen 127.0.0.1:{port}",
            "listen 80": f"listen 127.0.0.1:{plain}", "loupe.example": "localhost",
            "/etc/ssl/loupe/fullchain.pem": str(folder / "cert.pem"),
            "/etc/ssl/loupe/privkey.pem": str(folder / "key.pem"),
            "/etc/nginx/loupe.htpasswd": str(folder / "passwords"),
            "CHANGE-THIS-SECRET": SECRET,
            "/run/nginx-loupe.pid": str(folder / "pid"), "/var/log/nginx/": f"{folder}/",
        }.items():  # fmt: skip
            assert old in text, old
            text = text.replace(old, new)
        (folder / "nginx.conf").write_text(text)
        command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]
        # Workers of a nginx that root starts belong to somebody else, who may not read this test's folder.
        user = " user root;" if os.geteuid() == 0 else ""
        with (folder / "start.log").open("wb") as log:
            process = subprocess.Popen([*command, "-g", f"daemon off;{user}"], stderr=log)
        try:
            _listens(plain, process)
            yield Proxy(f"https://localhost:{port}", home_with_run, plain, app.url)
        finally:
            process.terminate()
            process.wait(20)


def _listens(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until nginx has opened the port, or has ended."""
    while process.poll() is None:
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nginx ended with {process.returncode}")


def asked(url: str, *, login: bool = True, **headers: str) -> tuple[int, Message, bytes]:
    """Status, headers and body of an answer; no redirection is followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *arguments: object) -> None:
            return None

    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    passwords.add_password(None, url, USER, PASSWORD, is_authenticated=True)
    trust = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    handlers = [trust, Stay(), *([urllib.request.HTTPBasicAuthHandler(passwords)] if login else [])]
    request = urllib.request.Request(url, headers={name.replace("_", "-"): value for name, value in headers.items()})
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def test_nobody_passes_without_the_login(proxy: Proxy) -> None:
    for path in ("/", "/_stcore/health", "/_stcore/stream", "/static/index.html"):
        status, headers, _ = asked(proxy.url + path, login=False)
        assert status == 401 and headers["WWW-Authenticate"] == 'Basic realm="Loupe"', path
        assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    status, headers, _ = asked(f"http://localhost:{proxy.port}/explore?run=1")
    assert status == 308 and headers["Location"] == "https://localhost/explore?run=1"


def test_each_header_is_sent_once(proxy: Proxy) -> None:
    status, headers, body = asked(proxy.url + "/")
    assert status == 200 and b"<script" in body
    for name, told in {
        "Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff", "Strict-Transport-Security": "max-age=31536000",
        "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
    }.items():  # fmt: skip
        found = headers.get_all(name) or []
        assert len(found) == 1 and told in found[0], (name, found)
    assert headers["Server"] == "nginx"


def test_a_foreign_origin_or_host_is_refused_through_the_proxy(proxy: Proxy) -> None:
    status, _, body = asked(proxy.url + "/", Origin="https://evil.test")
    assert status == 403 and b"origin" in body
    with pytest.raises(urllib.error.URLError, match=r"(?i)unrecognized name|alert"):
        asked(proxy.url.replace("localhost", "127.0.0.1") + "/")


def test_the_app_works_behind_the_proxy(proxy: Proxy, browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(
        ignore_https_errors=True, http_credentials={"username": USER, "password": PASSWORD}, accept_downloads=True
    )
    with watched(context):
        page = context.new_page()
        # Images, charts, tables, a frame; that every page keeps the policy is tested without the proxy.
        for title in ("Explore", "Reliance", "Compare", "Report"):
            open_page(page, proxy, title, f"?run={FINISHED}")
            drawn(page)
            expect(page.get_by_test_id("stException")).to_have_count(0)
        with page.expect_download(timeout=STEP_MS) as downloading:
            page.get_by_role("button", name="Download PDF").click()
        downloading.value.save_as(tmp_path / "report.pdf")
        assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
        assert all(cookie["secure"] for cookie in context.cookies()) and context.cookies()
        open_page(page, proxy, "Dataset")
        page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(sample_zip(tmp_path / "two.zip", 2))
        expect(page.get_by_test_id("stMetric").first).to_contain_text("2", timeout=STEP_MS)


def signing_off(browser: Browser, server: Server, **options: Any) -> tuple[BrowserContext, Page]:
    """A context of its own that looks at the sign-off of the report."""
    context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 900}, **options)
    context.set_default_timeout(STEP_MS)
    page = context.new_page()
    open_page(page, server, "Report", f"?run={FINISHED}")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    return context, page


def test_a_session_acts_for_the_person_whom_the_proxy_names_and_for_nobody_else(proxy: Proxy, browser: Browser) -> None:
    run = open_run(proxy.home / "runs" / FINISHED)
    judged = run.folder / "findings.json"
    judged.write_bytes((run.report / "findings.json").read_bytes())
    forged = {"X-Loupe-User": OTHER, "X-Loupe-Proxy": "guessed"}
    # Both at once; the browser of the first says that it is the second.
    first, reviewing = signing_off(
        browser, proxy, http_credentials={"username": USER, "password": PASSWORD}, extra_http_headers=forged
    )
    second, approving = signing_off(browser, proxy, http_credentials={"username": OTHER, "password": PASSWORD})
    # Past the proxy, at the port of the app itself, nobody is who they say they are.
    third, outside = signing_off(
        browser, Server(proxy.behind.replace("127.0.0.1", "localhost"), proxy.home), extra_http_headers=forged
    )
    for page, name in ((reviewing, USER), (approving, OTHER)):
        expect(page.get_by_text(f"Entries are made as {name}.")).to_be_visible()
    expect(outside.get_by_role("textbox", name="Your name")).to_be_visible()
    for page, label in ((outside, "Review"), (outside, "Approve"), (reviewing, "Approve"), (approving, "Approve")):
        expect(page.get_by_role("button", name=label, exact=True)).to_be_disabled()
    reviewing.get_by_role("button", name="Review", exact=True).click()
    expect(reviewing.get_by_text(f"Reviewed by {USER}")).to_be_visible()
    expect(reviewing.get_by_role("button", name="Approve", exact=True)).to_be_disabled()
    approving.get_by_role("textbox", name="Reason or remark").fill("Read")
    approving.keyboard.press("Enter")
    approving.get_by_role("button", name="Approve", exact=True).click()
    expect(approving.get_by_text(f"Approved by {OTHER}")).to_be_visible()
    for context in (first, second, third):
        context.close()
    entries = [(entry.by, entry.verified, entry.kind) for entry in load_review(run).entries]
    # Other tests look at the same run.
    judged.unlink()
    (run.folder / REVIEW).unlink()
    assert entries == [(USER, True, "reviewed"), (OTHER, True, "approved")]


def test_the_app_itself_listens_on_loopback_only_and_knows_its_host(proxy: Proxy) -> None:
    text = (proxy.home / "server.log").read_text()
    url = next(word for word in text.split() if word.startswith("http://"))
    assert url.startswith("http://127.0.0.1:")
    assert " 403 " in answer_to(Server(url, proxy.home), None)
    assert " 101 " in answer_to(Server(url, proxy.home), None, host="localhost")
