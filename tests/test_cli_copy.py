"""`copy`, and audits that keep a copy: to object storage, back from there, and what goes wrong on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core import copying
from core.cli import main
from core.errors import InputError
from core.runs import open_run
from core.runs.copies import INDEX, RunCopy
from tests.audit.small import CLASSES, draw_images, result_hashes, save_model, stub_report
from tests.support.buckets import bucket as bucket
from tests.support.made_run import made_run

URL = "s3://lake/audits/one"


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUPE_HOME", str(tmp_path / "home"))


def audit(tmp_path: Path, out: Path, *more: str) -> int:
    model = save_model(tmp_path / "model")
    (tmp_path / "classes.txt").write_text("\n".join(CLASSES))
    return main([
        "audit", "--images", str(draw_images(tmp_path / "drawn", 3)), "--model", str(model), "--device", "cpu",
        "--weights", str(model.parent / "weights.safetensors"), "--classes", str(tmp_path / "classes.txt"),
        "--methods", "raw", "--no-curves", "--applications", "none", "--out", str(out), *more,
    ])  # fmt: skip


def test_an_audit_keeps_a_copy_that_another_machine_goes_on_with(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    out, other = tmp_path / "run", tmp_path / "other" / "run"
    assert audit(tmp_path, out, "--copy-to", URL) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"a copy is kept at {URL}"
    assert main(["copy", URL, str(other)]) == 0
    assert result_hashes(open_run(other)) == result_hashes(open_run(out))
    assert main(["verify", str(other)]) == 0
    # A unit that the copy lacks is computed there, with the same bytes.
    lost = min((other / "results").glob("*.parquet"))
    lost.unlink()
    assert main(["resume", str(other), "--copy-to", URL]) == 0
    assert result_hashes(open_run(other)) == result_hashes(open_run(out))
    capsys.readouterr()
    assert main(["copy", str(other), URL]) == 0
    assert capsys.readouterr().out == f"{URL}: 0 files sent, nothing else had changed\n"


def test_a_url_that_cannot_be_written_is_told_before_the_work(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    assert audit(tmp_path, tmp_path / "run", "--copy-to", str(tmp_path / "copy")) == 2
    assert "--copy-to takes a URL, such as s3://bucket/run, not " in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert audit(tmp_path, tmp_path / "run", "--copy-to", "s3://absent/run") == 2
    assert "loupe: s3://absent/run cannot be written (" in capsys.readouterr().err
    assert not list((tmp_path / "run" / "results").glob("*.parquet"))


def test_what_fails_at_the_end_is_told_with_the_command_that_sends_the_rest(
    bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stub_report(monkeypatch)
    sent: list[int] = []
    send = RunCopy.send

    def failing(copy: RunCopy) -> int:
        if sent:
            raise InputError(f"{URL} cannot be written (the network is gone)")
        sent.append(send(copy))
        return sent[0]

    monkeypatch.setattr(RunCopy, "send", failing)
    assert audit(tmp_path, tmp_path / "run", "--copy-to", URL) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("done: ") and told[-1] == (
        f"the copy is not complete: {URL} cannot be written (the network is gone); "
        f"`python -m core copy {tmp_path / 'run'} {URL}` sends the rest"
    )
    monkeypatch.setattr(RunCopy, "send", send)
    assert main(["copy", str(tmp_path / "run"), URL]) == 0 and bucket.files.exists(f"lake/audits/one/{INDEX}")


def test_a_copy_grows_while_the_run_does(bucket: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run(tmp_path / "run", finished=False)
    grown: list[int] = []
    send = RunCopy.send

    class Turns:
        """The thread looks twice, then the work is over."""

        def wait(self, _: float) -> bool:
            return len(grown) > 2

        def set(self) -> None:
            return

    def counted(copy: RunCopy) -> int:
        # The second look fails: the next one sends what it left.
        grown.append(len(grown))
        if len(grown) == 2:
            raise InputError("the network is gone")
        return send(copy)

    monkeypatch.setattr(RunCopy, "send", counted)
    monkeypatch.setattr(copying, "Event", Turns)
    with copying.copied(run, URL) as told:
        run.update_manifest(note="later")
    assert len(grown) == 4
    assert told[0] == f"a copy is kept at {URL}" and "are not part of the copy" in told[1]


@pytest.mark.parametrize(("source", "target"), [("run", "other"), (URL, "s3://lake/two")])
def test_copy_takes_one_url(source: str, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["copy", source, target]) == 2
    assert copying.BOTH in capsys.readouterr().err
