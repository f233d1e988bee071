"""The browser speaks of Loupe's server, not of the internet, when the server is gone."""

from __future__ import annotations

import gzip

from starlette.datastructures import Headers

from pages.parts import server_gone


def test_the_sentences_of_the_framework_are_replaced_in_the_file_that_has_them() -> None:
    name, plain, packed = server_gone._file()
    assert name.startswith("index.") and gzip.decompress(packed) == plain
    text = plain.decode()
    for sentence, own in server_gone.SENTENCES.items():
        assert sentence not in text and own in text
        assert not set("\\$") & set(own)
    answer = server_gone.script(f"/base/static/js/{name}", Headers({"accept-encoding": "br, gzip"}))
    assert answer is not None and answer.headers["content-encoding"] == "gzip" and answer.body == packed
    answer = server_gone.script(f"/static/js/{name}", Headers({}))
    assert answer is not None and answer.body == plain
    assert answer.headers["content-type"].startswith("text/javascript")


def test_any_other_file_is_left_to_the_framework() -> None:
    for path in ("/", "/static/js/other.js", "/static/js/../index.html"):
        assert server_gone.script(path, Headers({})) is None
