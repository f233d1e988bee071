"""Arguments of the command line that nobody types by accident."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tests.hostile.item import ERROR, Item, item, writes

LONG = "n" * 100_000
PATH = "/".join(["d" * 200] * 30)
DIGITS = "9" * 5000
DEEP = "[" * 100_000
SURROGATE = "\udcff\udcfe"
ESCAPES = "\x1b[2Jloupe: sound\n"

_AUDIT = ["audit", "--images", "{good}", "--texts", "{texts}", "--out", "{out}"]
_EXPLAIN = ["explain", "{image}", "--text", "a dog", "--method", "raw", "--out", "{out}"]


def items() -> Iterator[Item]:
    """Every odd argument of every command; each ends in one line and exit code 2."""
    for name, arguments in _made().items():
        yield item(
            f"arguments/{name}", "arguments", "arguments.json", writes("arguments.json", _told(arguments)), ERROR
        )


def _told(arguments: list[str]) -> bytes:
    return json.dumps(arguments).encode()


def _made() -> dict[str, list[str]]:
    made: dict[str, list[str]] = {}
    texts = {"long": LONG, "path": PATH, "surrogate": SURROGATE, "escapes": ESCAPES, "empty": ""}
    for word, text in texts.items():
        for flag in ("--model", "--weights", "--table", "--annotations", "--thresholds", "--classes", "--methods",
                     "--applications", "--device", "--option", "--pretrained", "--plan", "--compare-with"):  # fmt: skip
            if flag == "--pretrained" or (word == "empty" and flag in ("--methods", "--applications")):
                continue
            made[f"audit{flag}-{word}"] = [*_AUDIT, flag, text, *([] if flag == "--model" else ["--model", "none"])]
        made[f"audit-images-{word}"] = ["audit", "--images", text, "--texts", "{texts}", "--out", "{out}"]
        made[f"explain-image-{word}"] = ["explain", text, *_EXPLAIN[2:]]
        made[f"explain-method-{word}"] = [*_EXPLAIN, "--method", text]
        made[f"explain-model-{word}"] = [*_EXPLAIN, "--model", text]
        made[f"explain-text-{word}"] = [*_EXPLAIN, "--text", text, "--model", "none"]
        for command in ("resume", "report", "verify", "cancel", "worker"):
            made[f"{command}-{word}"] = [command, text]
        if word != "empty":
            made[f"status-{word}"] = ["status", text]
            made[f"methods-model-{word}"] = ["methods", "--model", text]
    values = {
        "digits": DIGITS, "deep": DEEP, "number": "1e999", "nan": "NaN", "infinity": "-Infinity", "object": '{"a": 1}',
        "surrogate": SURROGATE, "negative": "-5", "10-to-12": str(10**12),
    }  # fmt: skip
    for word, value in values.items():
        made[f"option-{word}"] = [*_AUDIT, "--option", f"rise.masks={value}", "--model", "none"]
        made[f"option-explain-{word}"] = [*_EXPLAIN, "--method", "rise", "--option", f"rise.masks={value}"]
        for flag in ("--seed", "--limit", "--top-classes"):
            made[f"audit{flag}-{word}"] = [*_AUDIT, f"{flag}={value}", "--model", "none"]
    made["title-long"] = [*_AUDIT, "--title", LONG]
    made["title-megabyte-of-lines"] = [*_AUDIT, "--title", "a\n" * 60_000]
    made["out-long"] = [*_AUDIT[:-1], "{out}/" + "n" * 300]
    made["out-path"] = [*_AUDIT[:-1], "{out}/" + PATH]
    made["out-device"] = [*_AUDIT[:-1], "/dev/null"]
    made["out-below-file"] = [*_AUDIT[:-1], "{image}/x"]
    made["out-proc"] = [*_AUDIT[:-1], "/proc/self/x"]
    made["explain-out-proc"] = [*_EXPLAIN[:-1], "/proc/self/x"]
    made["explain-out-device"] = [*_EXPLAIN[:-1], "/dev/null"]
    made["explain-out-below-file"] = [*_EXPLAIN[:-1], "{image}/x"]
    made["sha256-long"] = ["verify", "{good}", "--sha256", LONG]
    made["pdf-device"] = ["verify", "{image}", "--pdf", "/dev/zero"]
    made["template-attribute"] = [*_AUDIT, "--template", "{0.__class__}", "--model", "none"]
    made["template-width"] = [*_AUDIT, "--template", "{:>1000000000}", "--model", "none"]
    made["explain-template-width"] = [*_EXPLAIN, "--template", "{:>1000000000}"]
    made["explain-template-attribute"] = [*_EXPLAIN, "--template", "{0.__class__.__mro__}"]
    return made
