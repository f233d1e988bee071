"""A timer of the page that was just left fires before the browser has heard of the next page; nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.datasets import ingest
from core.request import AuditRequest, begin, methods_at
from tests.browser.conftest import FINISHED, STEP_MS, served
from tests.browser.test_app import SAMPLE, open_page, settled

pytestmark = pytest.mark.browser


class SlowWay:
    """Holds back what the server says from the next click on, until a timer has fired after a change of page."""

    def __init__(self) -> None:
        self.armed = self.holds = False
        self.shown = ""
        self.fired = 0
        self._kept: list[str | bytes] = []
        self._changed = False

    def pass_through(self, browser: WebSocketRoute) -> None:
        """Connect the browser with the server by this way."""
        server = browser.connect_to_server()

        def ask(message: str | bytes) -> None:
            server.send(message)
            asked = BackMsg.FromString(message).rerun_script if isinstance(message, bytes) else ClientState()
            if self.armed and not asked.fragment_id:
                self.armed, self.holds, self.shown = False, True, asked.page_script_hash
            elif self.holds and self._changed and asked.fragment_id and asked.page_script_hash == self.shown:
                self.holds = False
                self.fired += 1
                for kept in self._kept:
                    browser.send(kept)

        def tell(message: str | bytes) -> None:
            if not self.holds:
                browser.send(message)
                return
            self._kept.append(message)
            told = ForwardMsg.FromString(message) if isinstance(message, bytes) else ForwardMsg()
            if told.WhichOneof("type") == "new_session":
                self._changed = told.new_session.page_script_hash != self.shown

        browser.on_message(ask)
        server.on_message(tell)


def test_a_timer_of_the_page_before_does_not_empty_the_next_one(page: Page, tmp_path: Path) -> None:
    dataset = ingest([SAMPLE / "images"], store=tmp_path / "datasets", name="Mine")
    # Planned, not started: its state is looked at every second, on every page.
    begin(
        AuditRequest.build(
            out=tmp_path / "runs" / FINISHED,
            dataset=dataset.root,
            texts={"prompts": ("a dog",)},
            methods=methods_at("quick", ("raw",), {}),
        )
    )
    way = SlowWay()
    page.route_web_socket(re.compile("_stcore/stream"), way.pass_through)
    with served(tmp_path) as server:
        open_page(page, server, "All audits", f"?run={FINISHED}")
        way.armed = True
        page.get_by_role("button", name="Edit and run again").click()
        expect(page.get_by_text(re.compile("^Planned from"))).to_be_visible(timeout=STEP_MS)
        assert way.fired == 1
        settled(page, "Audit")
        expect(page.get_by_role("button", name="Start the audit")).to_be_visible()
