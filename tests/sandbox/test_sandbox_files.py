from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from core.errors import InputError, Refused
from core.sandbox import files, named_file, read_file
from core.verifying import is_pdf


def refused(path: Path | str, most: int = 2**20, **options: bool) -> str:
    with pytest.raises(Refused) as caught:
        read_file(path, most, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_ordinary_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 3_000_000)
    assert read_file(path, 3_000_000) == b"x" * 3_000_000
    assert refused(path, 2_999_999) == "is larger than 2.861 MiB; provide a smaller file"
    with pytest.raises(InputError, match=r"^the list is larger than 10 bytes; provide a smaller file$"):
        named_file(path, 10, "the list")
    with pytest.raises(InputError, match=r"^/nowhere/x cannot be read \(No such file or directory\); check that it ex"):
        named_file("/nowhere/x", 10)


def test_what_is_no_ordinary_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert refused(tmp_path / "pipe") == "is not a regular file; provide the file itself"
    assert refused("/dev/zero") == refused("/dev/null") == refused("/dev/tty") == refused(tmp_path / "pipe")
    assert refused(tmp_path) == "is a folder; provide a file"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert refused(tmp_path / "socket") == refused(tmp_path / "pipe")
    assert "not a valid path on this system" in refused("a\0b")
    assert "File name too long" in refused("a" * 5000)


def test_links_are_followed_only_where_a_person_named_them(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    assert read_file(tmp_path / "link", 10) == b"1"
    assert refused(tmp_path / "link", links=False) == "is a link, and links are not followed; provide the file itself"
    assert "cannot be read" in refused(tmp_path / "loop")


def test_a_file_that_another_process_still_writes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    read = os.read
    pieces = [b"12345", b"6", b""]
    monkeypatch.setattr(files.os, "read", lambda handle, count: pieces.pop(0))
    assert refused(path) == "does not contain the 5 bytes that it declares; try again when nothing writes to it"
    pieces = [b"1234", b""]
    assert "does not contain the 5 bytes" in refused(path)
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


def test_the_first_bytes_of_a_file_that_opens_but_cannot_be_read_are_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the system makes up may open for anyone and answer a read with an error (`/proc/kmsg`, `pagemap`)."""
    path = tmp_path / "a"
    path.write_bytes(b"%PDF-1.7")
    assert (files.head(path, 5), files.head(path, 100)) == (b"%PDF-", b"%PDF-1.7")
    for error in (BlockingIOError(11, "Resource temporarily unavailable"), OSError(22, "Invalid argument")):

        def broken(handle: int, count: int, error: OSError = error) -> bytes:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(files.os, "read", broken)
            with pytest.raises(Refused, match=rf"^cannot be read \({error.strerror}\); copy it to another disk$"):
                files.head(path, 5)
            assert not is_pdf(path), "the line then comes from the reader of bundles"
