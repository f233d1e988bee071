"""A hook of MkDocs: links to files of the repository that are no pages of the site become plain text."""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")
_OTHERS = ("examples/",)


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page, in which links out of the folder of the documentation keep their words alone."""
    folder = posixpath.dirname(page.file.src_uri)

    def told(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        return link[1] if target.startswith(("../", *_OTHERS)) else link[0]

    return _LINK.sub(told, markdown)
