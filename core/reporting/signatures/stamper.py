"""A time stamp (RFC 3161) from the one server that was named: no redirect, no proxy, a bounded answer."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any

from pyhanko.sign.timestamps import TimeStamper, TimestampRequestError

from core.errors import InputError

# A token with its certificates has a few kilobytes.
MOST, SECONDS = 2**18, 30.0
_REPLY = "application/timestamp-reply"


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: another server was not named."""

    def redirect_request(self, *_: Any) -> None:
        """Nothing, so that the answer counts as an error."""


class NamedServer(TimeStamper):
    """Asks the server at `url`. Raises `InputError` for an address that is not http or https.

    What it answers is a time stamp of the digest that was sent, or a `TimestampRequestError`.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(("https://", "http://")):
            raise InputError(f"--timestamp-url {url} is not the address of a server (https://, http://)")
        super().__init__()
        self.url = url

    async def async_request_tsa_response(self, req: Any) -> Any:
        """The answer of the server to a request."""
        from asn1crypto import tsp

        return tsp.TimeStampResp.load(await asyncio.to_thread(self._post, req.dump()))

    async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> Any:
        """The token for a digest."""
        try:
            token = await super().async_timestamp(message_digest, md_algorithm)
            stamped = token["content"]["encap_content_info"]["content"].parsed["message_imprint"]
            fits = stamped["hashed_message"].native == message_digest
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise TimestampRequestError("the answer is not a time stamp of this request") from error
        if not fits:
            raise TimestampRequestError("the answer is a time stamp of something else")
        return token

    def _post(self, data: bytes) -> bytes:
        headers = {"Content-Type": "application/timestamp-query", "Accept": _REPLY}
        request = urllib.request.Request(self.url, data, headers)  # noqa: S310 - http and https only
        opener = urllib.request.build_opener(_Stay(), urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                if answer.headers.get_content_type() != _REPLY:
                    raise TimestampRequestError(f"the server answered with {answer.headers.get_content_type()[:60]}")
                content: bytes = answer.read(MOST + 1)
        except urllib.error.HTTPError as error:
            raise TimestampRequestError(f"the server answered with status {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            if isinstance(error, TimestampRequestError):
                raise
            raise TimestampRequestError(f"the server cannot be reached ({type(error).__name__})") from error
        if len(content) > MOST:
            raise TimestampRequestError("the answer is too long for a time stamp")
        return content
