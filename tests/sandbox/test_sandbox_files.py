from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core.errors import InputError, Refused
from core.sandbox import files, named_file, read_file


def refused(path: Path | str, most: int = 2**20, **options: bool) -> str:
    with pytest.raises(Refused) as caught:
        read_file(path, most, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_ordinary_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert read_file(path, 3_000_000) == b"x" * 3_000_000
    assert refused(path, 2_999_999) == "is larger than 2.861 MiB; give a smaller file"
    with pytest.raises(InputError, match=r"^the list is larger than 10 bytes; give a smaller file$"):
        named_file(path, 10, "the list")
    with pytest.raises(InputError, match=r"^/nowhere/x cannot be read \(No such file or directory\); check that it ex"):
        named_file("/nowhere/x", 10)


def test_what_is_no_ordinary_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == "is not a regular file; give the file itself"
    assert refused("/dev/zero") == refused("/dev/null") == refused("/dev/tty") == refused(tmp_path / "pipe")
    assert refused(tmp_path) == "is a folder; give a file"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert refused(tmp_path / "socket") == refused(tmp_path / "pipe")
    assert "no path of this system" in refused("a\0b")
    assert "File name too long" in refused("a" * 5000)


def test_links_are_followed_only_where_a_person_named_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    assert read_file(tmp_path / "link", 10) == b"1"
    assert refused(tmp_path / "link", links=False) == "is a link, and links are not followed; give the file itself"
    assert "cannot be read" in refused(tmp_path / "loop")


def test_a_file_that_another_process_still_writes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    read = os.read
    pieces = [b"12345", b"6", b""]
    monkeypatch.setattr(files.os, "read", lambda handle, count: pieces.pop(0))
    assert refused(path) == "does not hold the 5 bytes that it says; try again when nothing writes to it"
    pieces = [b"1234", b""]
    assert "does not hold the 5 bytes" in refused(path)
    monkeypatch.setattr(files.os, "read", read)
    assert read_file(path, 10) == b"12345"


def test_a_bad_sector_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")

    def broken(handle: int, count: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(files.os, "read", broken)
    assert refused(path) == "cannot be read to its end (Input/output error); copy it to another disk"


@pytest.mark.skipif(not os.path.exists("/proc/self/mem"), reason="no /proc here")
@pytest.mark.parametrize("name", ["mem", "environ", "maps", "stat", "fd", "cwd", "attr/current", "pagemap"])
def test_nothing_of_proc_is_read(name: str) -> None:
    assert refused(f"/proc/self/{name}")
