"""Lists of texts, decoding, and CSV files that no spreadsheet runs."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import escape_cell, read_texts, write_csv
from core.errors import InputError
from core.settings import Limits


def test_strips_blanks_comments_and_repetitions() -> None:
    assert read_texts("  a cat \n\n# no\na dog, sitting\r\na cat\n\t#x\n") == ("a cat", "a dog, sitting")


def test_an_empty_list() -> None:
    assert read_texts("") == read_texts(b"# only this\n") == ()


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("a cat, asleep\na dog\n", encoding="utf-8")
    assert read_texts(path) == ("a cat, asleep", "a dog")
    with pytest.raises(InputError, match=r"nowhere\.txt cannot be read \(No such file"):
        read_texts(tmp_path / "nowhere.txt")


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('prompt,other\na cat,1\n"a dog, asleep",2\n', ("a cat", "a dog, asleep")),
        ("Classes\ncat\ndog\n", ("cat", "dog")),
        ("cat,1\ndog,2\n", ("cat", "dog")),
        ("\ufeffClass Name\ncat\n# dog\ncat\n", ("cat",)),
    ],
)
def test_first_column_of_a_table(tmp_path: Path, content: str, texts: tuple[str, ...]) -> None:
    path = tmp_path / "texts.csv"
    path.write_text(content, encoding="utf-8")
    assert read_texts(path) == texts
    assert read_texts(content.encode(), name="texts.CSV") == texts
    # Companion: without the ending it is a list of lines.
    assert read_texts(content.encode()) != texts or "," not in content


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings(encoding: str) -> None:
    assert read_texts("ein Käfer\nun été".encode(encoding)) == ("ein Käfer", "un été")


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"a\0b", b"\xff\xfea", b"caf\x81"])
def test_not_text(data: bytes) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        read_texts(data)


def test_control_characters_and_surrogates() -> None:
    for text in ("a\x00b", "a\ud800b"):
        with pytest.raises(InputError, match="control characters"):
            read_texts(text)


def test_broken_quotes() -> None:
    with pytest.raises(InputError, match=r"t\.csv cannot be read as a table at line 2"):
        read_texts(b'text\n"a cat\n', name="t.csv")


def test_limits() -> None:
    limits = Limits(texts=2, text_characters=5, file_bytes=20)
    assert read_texts("a\nb\na", limits=limits) == ("a", "b")
    with pytest.raises(InputError, match="contains 3 texts; at most 2"):
        read_texts("a\nb\nc", limits=limits)
    assert read_texts("12345", limits=limits) == ("12345",)
    with pytest.raises(InputError, match="of 6 characters"):
        read_texts("123456", limits=limits)


def test_file_limit(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("a\n" * 10)
    assert read_texts(path, limits=Limits(file_bytes=20)) == ("a",)
    with pytest.raises(InputError, match="larger than 19 bytes"):
        read_texts(path, limits=Limits(file_bytes=19))


@given(st.text())
def test_any_text_gives_a_clean_list_or_a_clear_line(text: str) -> None:
    try:
        texts = read_texts(text)
    except InputError as error:
        assert "\n" not in str(error)
        return
    assert len(set(texts)) == len(texts)
    assert all(line and line == line.strip() and not line.startswith("#") for line in texts)
    assert read_texts("\n".join(texts)) == texts
    assert all(line in text for line in texts)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["t.txt", "t.csv", "t.tsv"]))
def test_any_bytes_give_a_list_or_a_clear_line(data: bytes, name: str) -> None:
    try:
        texts = read_texts(data, name=name)
    except InputError as error:
        assert str(error).startswith(name)
    else:
        assert all(line == line.strip() and line for line in texts)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_formulas_are_escaped(text: str) -> None:
    assert escape_cell(text) == "'" + text
    assert escape_cell("a" + text) == "a" + text


@pytest.mark.parametrize("value", [-1, -1.5, 0, True, None, 1e300])
def test_numbers_stay_numbers(value: object) -> None:
    assert escape_cell(value) is value


@given(st.text())
def test_escaping(text: str) -> None:
    cell = escape_cell(text)
    assert isinstance(cell, str)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell in (text, "'" + text)
    assert escape_cell(cell) == cell


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), st.integers())))
def test_written_tables_read_back(rows: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.csv"
        write_csv(
            path, [{"text": text, "number": number, "more": 1} for text, number in rows], ["text", "number", "=x"]
        )
        with path.open(encoding="utf-8", newline="") as stream:
            header, *back = list(csv.reader(stream))
        assert header == ["text", "number", "'=x"]
        assert back == [[escape_cell(text), str(number), ""] for text, number in rows]


def test_a_failing_write_leaves_nothing(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, int]]:
        yield {"a": 1}
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_csv(tmp_path / "out.csv", rows(), ["a"])
    assert list(tmp_path.iterdir()) == []
    write_csv(tmp_path / "out.csv", [{"a": 1}], ["a"])
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
