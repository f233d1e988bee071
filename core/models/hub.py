"""Asking a hub for weights without a minute of retries and forty lines of warnings when there is no network."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlparse


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Inside: libraries' logging is off, and a hub that has no address is not asked (what is cached is still found)."""
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        constants.HF_HUB_OFFLINE = before or not _reachable()
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
        logging.disable(level)


def _reachable() -> bool:
    # A proxy resolves names itself, so that a missing address here says nothing.
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    host = urlparse(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname or "huggingface.co"
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True
