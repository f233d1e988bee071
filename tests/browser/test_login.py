"""Login at an OpenID Connect provider: one that runs beside the app, with a page of its own and signed tokens."""

from __future__ import annotations

import html
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import FINISHED, STEP_MS, barriers, free_port, served, watched
from tests.browser.test_app import open_page, settled

pytestmark = pytest.mark.browser

CLIENT, SECRET = "loupe", "only-for-this-test"
# Whether the provider vouches for the address.
PEOPLE = {"ada@example.test": True, "eve@example.test": True, "ada@forged.test": False}
ROLES = """
version = "1"
default = "none"
unverified = "none"
[people]
"ada@example.test" = "reviewer"
"ada@forged.test" = "approver"
"""


class Provider(ThreadingHTTPServer):
    """A provider that lets everybody of `PEOPLE` in, at a click."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.key = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig", "alg": "RS256"})
        # The key that signs; another than the published one forges.
        self.signs = self.key
        self.codes: dict[str, dict[str, str]] = {}

    def token(self, code: str) -> dict[str, Any]:
        """What a code is exchanged for."""
        given, now = self.codes.pop(code), int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "sub": given["person"], "iat": now, "exp": now + 600,
            "nonce": given["nonce"], "email": given["person"], "email_verified": PEOPLE[given["person"]],
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signs)
        return {"access_token": secrets.token_hex(8), "token_type": "Bearer", "expires_in": 600, "id_token": signed}


class Answers(BaseHTTPRequestHandler):
    """The endpoints of the provider."""

    server: Provider

    def log_message(self, *_: object) -> None:
        """Nothing: the output belongs to the tests."""

    def do_GET(self) -> None:
        """Discovery, keys, the page where a person is chosen, and the way back."""
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        url = self.server.url
        if path == "/.well-known/openid-configuration":
            self.say({
                "issuer": url, "authorization_endpoint": f"{url}/authorize", "token_endpoint": f"{url}/token",
                "jwks_uri": f"{url}/keys", "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"],
            })  # fmt: skip
        elif path == "/keys":
            self.say({"keys": [self.server.key.as_dict(private=False)]})
        elif path == "/authorize" and "as" not in query:
            links = "".join(
                f'<p><a href="/authorize?{html.escape(urlencode({**{k: v[0] for k, v in query.items()}, "as": one}))}">'
                f"{one}</a></p>"
                for one in PEOPLE
            )
            self.say(f"<!doctype html><html lang=en><title>Who are you?</title>{links}</html>".encode(), "text/html")
        elif path == "/authorize":
            code = secrets.token_hex(8)
            self.server.codes[code] = {"person": query["as"][0], "nonce": query["nonce"][0]}
            back = urlencode({"code": code, "state": query["state"][0]})
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri'][0]}?{back}")
            self.end_headers()
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """The exchange of a code for a token."""
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.say(self.server.token(body["code"][0]))

    def say(self, what: object, kind: str = "application/json") -> None:
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A running provider."""
    server = Provider()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextmanager
def window(browser: Browser) -> Iterator[Page]:
    """A browser of somebody's own."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(STEP_MS)
    with watched(context):
        yield context.new_page()


def log_in(page: Page, url: str, person: str) -> None:
    """Go to the provider and back as this person."""
    page.goto(url)
    page.get_by_role("button", name="Log in", exact=True).click()
    page.get_by_role("link", name=person).click()
    expect(page.get_by_test_id("stApp")).to_be_visible(timeout=STEP_MS)


def test_a_login_names_the_person_and_gives_the_role(
    browser: Browser, provider: Provider, home_with_run: Path, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    secret = tmp_path / "secrets.toml"
    secret.write_text(
        f'[auth]\nredirect_uri = "{url}/oauth2callback"\ncookie_secret = "{secrets.token_hex(32)}"\n'
        f'client_id = "{CLIENT}"\nclient_secret = "{SECRET}"\n'
        f'server_metadata_url = "{provider.url}/.well-known/openid-configuration"\n'
    )
    roles = tmp_path / "roles.toml"
    roles.write_text(ROLES)
    with served(home_with_run, "--secrets.files", str(secret), port=port, LOUPE_ROLES=str(roles)) as server:
        # Known to the operator: the name and the role stand in the sidebar, and the way out.
        with window(browser) as page:
            page.goto(server.url)
            expect(page.get_by_text("Your account has no access")).to_be_visible()
            assert not barriers(page)
            log_in(page, server.url, "ada@example.test")
            expect(page.get_by_text(re.compile(r"^ada.?@example.test · reviewer$"))).to_be_visible()
            open_page(page, server, "Report", f"?run={FINISHED}")
            expect(page.get_by_text(re.compile("Entries are made as ada.?@example.test"))).to_be_visible()
            expect(page.get_by_role("textbox", name="Your name")).to_have_count(0)
            assert not barriers(page)
            page.get_by_role("button", name="Log out").click()
            expect(page.get_by_role("button", name="Log in", exact=True)).to_be_visible()
        # Logged in, but nobody the operator knows; and an address for which the provider does not vouch.
        for person in ("eve@example.test", "ada@forged.test"):
            with window(browser) as page:
                log_in(page, server.url, person)
                expect(page.get_by_text("Your account has no access")).to_be_visible()
                expect(page.get_by_test_id("stSidebar")).not_to_contain_text("approver")
        # A token that somebody else has signed.
        provider.signs = RSAKey.generate_key(2048, parameters={"kid": "one"})
        with window(browser) as page:
            log_in(page, server.url, "ada@example.test")
            page.goto(server.url)
            settled(page, "Loupe")
            expect(page.get_by_text("Your account has no access")).to_be_visible()
            expect(page.get_by_text(re.compile("ada.?@example"))).to_have_count(0)
