"""The log of a run in the language of a report; `log.csv` has it in English, as it was written."""

from __future__ import annotations

import re
from functools import cache

from core.languages import say

KINDS = (
    "adopted",
    "analysis done",
    "analysis left out",
    "application failed",
    "begun",
    "cancelled",
    "done",
    "failed",
    "packed",
    "plug-in not used",
    "rebuilt",
    "requeued",
    "seal",
    "worker ended",
)  # messages
# Beside the titles of analyses. What has a name of a file or the text of an error is printed as it is.
LINES = (
    "{left} of {all} groups of images to compute, {planned} analyses planned",
    "{done} units done, {failed} failed",
    "{back} units are recomputed",
    "{found} units were complete but not recorded",
    "the results of {count} units lie in {files} files",
    "on request",
    "interrupted",
)  # messages


def event_words(kind: str) -> str:
    """The kind of a line of the log; one that is not known is printed as it is."""
    return say(kind) if kind in KINDS else kind


def line_words(line: str) -> str:
    """A line of the log: the title of an analysis or one of `LINES` in words, any other as it is."""
    for template in LINES:
        if found := _form(template).fullmatch(line):
            return say(template, **found.groupdict())
    return say(line)


@cache
def _form(template: str) -> re.Pattern[str]:
    """What a line must look like to be the template, filled with numbers."""
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[\\d,]+)", re.escape(template)))
