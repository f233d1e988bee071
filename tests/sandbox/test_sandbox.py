from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import InputError, Refused
from core.sandbox import Allowance, Failure, Sandbox
from core.settings import ROOT
from tests.sandbox import tasks


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox()
    yield made
    made.close()


def failed(sandbox: Sandbox, *call: object, **options: object) -> Failure:
    with pytest.raises(Failure) as caught:
        sandbox.call(*call, **options)  # type: ignore[arg-type]
    # Whatever happened, the next file is read.
    assert sandbox.call(tasks.mirror, data=b"ab").data == b"ba"
    return caught.value


def test_a_value_and_bytes_come_back_with_what_they_cost(sandbox: Sandbox) -> None:
    answer = sandbox.call(tasks.mirror, "ä\udc80", [1, None], data=b"abc" * 100_000)
    assert (answer.value, answer.data) == (["ä\udc80", [1, None]], b"cba" * 100_000)
    assert 0 <= answer.seconds < 20 and 2**20 < answer.memory < 2**31


def test_each_call_has_a_process_of_its_own_from_one_server(sandbox: Sandbox) -> None:
    one, two = (sandbox.call(tasks.who).value for _ in range(2))
    assert one[0] != two[0] and one[1] == two[1] != os.getpid()


def test_processor_time_ends(sandbox: Sandbox) -> None:
    found = failed(sandbox, tasks.spin, allowance=Allowance(seconds=1))
    assert found.kind == "time"
    assert str(found) == "needs more than 1 s of processor time to be read; save it in a simpler form"


def test_waiting_ends(sandbox: Sandbox) -> None:
    assert failed(sandbox, tasks.wait, allowance=Allowance(wall=0.5)).kind == "time"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds address space")
def test_memory_ends(sandbox: Sandbox) -> None:
    assert failed(sandbox, tasks.fill, 3 * 10**9).kind == "memory"
    assert sandbox.call(tasks.fill, 10**8).value == 10**8


def test_an_answer_has_a_largest_size(sandbox: Sandbox) -> None:
    assert failed(sandbox, tasks.flood, 2**21, allowance=Allowance(answer=2**20)).kind == "size"
    assert len(sandbox.call(tasks.flood, 2**20, allowance=Allowance(answer=2**20)).data) == 2**20


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_dead_decoder_is_one_failure(sandbox: Sandbox, number: int) -> None:
    assert failed(sandbox, tasks.die, int(number)).kind == "crash"


def test_a_silent_end_and_a_forged_answer_are_failures(sandbox: Sandbox) -> None:
    assert failed(sandbox, tasks.leave).kind == "crash"
    assert failed(sandbox, tasks.forge).kind == "crash"
    assert failed(sandbox, tasks.linger).kind == "crash"


def test_an_unexpected_exception_names_its_type_alone(sandbox: Sandbox) -> None:
    found = failed(sandbox, tasks.stumble)
    assert (found.kind, str(found)) == ("error", "is damaged and cannot be read (IndexError); export it again")
    assert failed(sandbox, tasks.recurse).name == "RecursionError"
    assert 0 < found.seconds < 20 and found.memory > 2**20


def test_what_the_task_refuses_is_raised_here(sandbox: Sandbox) -> None:
    with pytest.raises(Refused, match=r"^is empty \(0 bytes\); export it again$"):
        sandbox.call(tasks.refuse)
    with pytest.raises(InputError, match=r"^the table has no rows$"):
        sandbox.call(tasks.object_to)


def test_files_are_written_only_within_the_allowance(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "made"
    assert failed(sandbox, tasks.write, str(path), data=b"1234").kind in ("size", "error")
    assert path.stat().st_size == 0
    sandbox.call(tasks.write, str(path), data=b"1234", allowance=Allowance(written=4))
    assert path.read_bytes() == b"1234"


def test_the_network_is_not_there(sandbox: Sandbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        # The test's own process reaches it, so that the check can fail.
        assert tasks.connect(b"", port) == ("connected", b"")
        try:
            reached = sandbox.call(tasks.connect, port).value
        except Failure as failure:
            reached = failure.kind
        if reached == "connected":
            pytest.skip("this kernel does not let a process leave the network")
        assert reached == "error"


def test_the_callers_secrets_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    sandbox = Sandbox()
    found = sandbox.call(tasks.environment).value
    sandbox.close()
    assert not {"HF_TOKEN", "HTTPS_PROXY", "HOME"} & set(found) and found["HF_HUB_OFFLINE"] == "1"


def test_a_server_that_was_killed_is_started_again() -> None:
    sandbox = Sandbox()
    first = sandbox.call(tasks.who).value[1]
    os.kill(first, signal.SIGKILL)
    # The call that finds the pipe closed is made once more: its file has done nothing.
    second = sandbox.call(tasks.who).value[1]
    sandbox.close()
    assert second != first


def test_a_file_that_ends_the_server_twice_is_a_failure(sandbox: Sandbox) -> None:
    assert failed(sandbox, tasks.end_server).kind == "crash"


def test_what_runs_can_be_stopped_from_another_thread() -> None:
    sandbox = Sandbox()
    before = sandbox.call(tasks.who).value[1]

    def stop() -> None:
        while not sandbox.busy:
            os.sched_yield()
        sandbox.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Failure):
        sandbox.call(tasks.wait)
    thread.join()
    assert sandbox.call(tasks.who).value[1] != before
    sandbox.close()


def test_threads_share_it(sandbox: Sandbox) -> None:
    found: dict[int, bytes] = {}

    def ask(number: int) -> None:
        found[number] = sandbox.call(tasks.mirror, data=b"%06d" % number).data

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: (b"%06d" % number)[::-1] for number in range(8)}


def test_a_forked_process_uses_a_server_of_its_own(sandbox: Sandbox) -> None:
    before = sandbox.call(tasks.who).value[1]
    child = os.fork()
    if child == 0:
        try:
            same = sandbox.call(tasks.who).value[1] == before
            sandbox.close()
        except BaseException:
            same = True
        os._exit(int(same))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sandbox.call(tasks.who).value[1] == before


def test_the_server_ends_with_its_client() -> None:
    code = (
        "from core.sandbox import call; from tests.sandbox import tasks; import os\n"
        "print(call(tasks.who).value[1], flush=True); os._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    server = int(done.stdout)
    for _ in range(200):
        try:
            os.kill(server, 0)
            state = Path(f"/proc/{server}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return
        if state == "Z":
            return
        os.sched_yield()
        threading.Event().wait(0.02)
    pytest.fail("the server outlived its client by four seconds")
