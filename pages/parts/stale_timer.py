"""A timer of a page that was left must not bring that page back.

The browser names a timer's page as the one that it shows. Between a change of page and the moment at which it hears of
it, that is still the page before. Streamlit then runs the part behind the timer under that page: the browser clears
the new page, receives this part alone, and stays empty.
"""

from __future__ import annotations

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData

_run = ScriptRunner._run_script


def leave_out() -> None:
    """From now on, no session of this server runs a part of a page other than the one that it shows."""
    ScriptRunner._run_script = _run_unless_stale  # type: ignore[method-assign]


def _run_unless_stale(self: ScriptRunner, rerun_data: RerunData) -> None:
    shown = self._pages_manager.current_page_script_hash
    if rerun_data.fragment_id_queue and rerun_data.page_script_hash != shown:
        return
    _run(self, rerun_data)
