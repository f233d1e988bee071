"""Running what touches a stranger's bytes in a process that may fail: forked for one file, with limits, then gone.

Nothing here knows what a file holds. Never imports torch.
"""

from __future__ import annotations

from core.sandbox.allowance import Allowance, Answer, Failure
from core.sandbox.client import Sandbox, call, stop
from core.sandbox.files import named_file, read_file

__all__ = ["Allowance", "Answer", "Failure", "Sandbox", "call", "named_file", "read_file", "stop"]
