"""Reading what the PDF of a report carries as its evidence, in a child process with limits on time and memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.errors import Refused
from core.reporting.inspection import failure_text
from core.sandbox import Allowance, Failure, call
from core.sandbox.files import opened
from core.settings import LIMITS

ATTACHED = "evidence.json"


def read_attached(path: Path) -> dict[str, Any]:
    """What the PDF at `path` carries as its evidence: the hashes of the bundle and of report.html, findings, plan.

    Raises `Refused` if it is no PDF of a report; the text continues its name.
    """
    allowance = Allowance(answer=LIMITS.bundle_part_bytes)
    try:
        with opened(path):
            pass
        data = call(take_attached, str(path.absolute()), allowance=allowance).data
        content = json.loads(data)
    except Failure as failure:
        if failure.kind == "error":
            raise Refused("is not a readable PDF") from failure
        raise Refused(failure_text(failure, allowance, "read")) from failure
    except (ValueError, RecursionError) as error:
        raise Refused(f"carries an {ATTACHED} that is not valid JSON") from error
    if not isinstance(content, dict) or not isinstance(content.get("evidence"), dict):
        raise Refused(f"carries an {ATTACHED} of another form")
    return content


def take_attached(data: bytes, path: str) -> tuple[Any, bytes]:
    """The task of `read_attached`, in a child: the bytes of the attachment."""
    import pikepdf

    with opened(path) as (handle, _), open(handle, "rb", closefd=False) as stream, pikepdf.open(stream) as pdf:
        if list(pdf.attachments) != [ATTACHED]:
            raise Refused(f"is not the PDF of a report: it does not carry exactly {ATTACHED}")
        return None, pdf.attachments[ATTACHED].get_file().read_bytes()
