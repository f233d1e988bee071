"""The state that a run is left in after an error: whether it is sealed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.audit.hold import Hold
from core.audit.outcome import settle
from core.errors import RunError
from core.runs import break_seal
from core.runs.seal import SEAL, seal
from tests.support.made_run import made_run


@pytest.mark.parametrize("changed", [False, True])
def test_what_was_changed_under_a_seal_is_not_sealed_again_by_a_failure(tmp_path: Path, changed: bool) -> None:
    run = made_run(tmp_path / "run", images=2, methods=("raw",))
    seal(run)
    if changed:
        (run.folder / "findings.json").write_text("[]")
    held = Hold(run, "somebody")
    held.changed = bool(break_seal(run))
    settle(held, "done", True, RunError("the report cannot be made"))
    assert run.store.get("state") == "done"
    assert (run.folder / SEAL).exists() != changed
