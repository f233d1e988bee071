"""Asking a hub: no retries without an address, nothing changed afterwards."""

import logging
import socket

import pytest
from huggingface_hub import constants

from core.models.hub import quiet_hub


def refuse(*arguments: object, **named: object) -> None:
    raise socket.gaierror("no address")


def test_a_hub_without_an_address_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with quiet_hub():
        assert constants.HF_HUB_OFFLINE is True
    assert constants.HF_HUB_OFFLINE is False


def test_a_hub_with_an_address_or_behind_a_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments: [])
    with quiet_hub():
        assert constants.HF_HUB_OFFLINE is False
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with quiet_hub():
        assert constants.HF_HUB_OFFLINE is False


def test_logging_and_mode_come_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    before = logging.root.manager.disable
    with pytest.raises(RuntimeError, match="broken"), quiet_hub():
        assert logging.root.manager.disable == logging.CRITICAL
        raise RuntimeError("broken")
    assert logging.root.manager.disable == before
    assert constants.HF_HUB_OFFLINE is False
