"""The renderer's process: it reads its assets and nothing else, and it is bounded in time and memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.content.assets import Assets
from core.errors import LoupeError, RunError
from core.reporting.pdf import Limits, render_pdf

PAGE = '<html lang="en"><head><title>t</title>{head}</head><body><h1>t</h1>{body}</body></html>'


def made(head: str = "", body: str = "", assets: Assets | None = None, limits: Limits | None = None) -> bytes:
    page = PAGE.format(head=head, body=body)
    return render_pdf(
        page, assets or Assets(), created="2026-01-15T09:41:30Z", attached=("a.json", b"{}"), limits=limits
    )


def test_known_asset_is_read_and_bytes_repeat() -> None:
    assets = Assets()
    name = assets.add(
        b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><title>x</title></svg>', "image/svg+xml", "svg"
    )
    body = f'<img src="{assets.address(name, standalone=False)}" alt="x">'
    first = made(body=body, assets=assets)
    assert first.startswith(b"%PDF-1.7") and first == made(body=body, assets=assets)


@pytest.mark.parametrize(
    ("head", "body"),
    [
        ("", '<img src="file:///etc/passwd" alt="x">'),
        ('<link rel="attachment" href="file:///etc/passwd">', ""),
        ("", '<a rel="attachment" href="file:///etc/hostname">x</a>'),
        ('<link rel="stylesheet" href="http://127.0.0.1:9/x.css">', ""),
        ("<style>@import url(http://169.254.169.254/latest);</style>", ""),
        ("<style>body { background: url(https://example.org/x.png) }</style>", ""),
        ("", '<img src="audit://unknown.png" alt="x">'),
        ("", '<img src="data:image/png;base64,iVBORw0KGgo=" alt="x">'),
        ("", '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="file:///etc/passwd"/></svg>'),
        ('<base href="file:///etc/">', '<img src="passwd" alt="x">'),
    ],
)
def test_everything_else_is_refused_and_fails_the_render(head: str, body: str) -> None:
    with pytest.raises(RunError, match="referred to an external resource"):
        made(head, body)


def test_time_limit() -> None:
    with pytest.raises(RunError, match=r"was not ready after 0\.05 s"):
        made(limits=Limits(seconds=0.05))


def test_memory_limit() -> None:
    with pytest.raises(RunError) as caught:
        made(body="<p>x</p>" * 20_000, limits=Limits(memory=220 * 2**20))
    assert "\n" not in str(caught.value)


def test_missing_native_libraries_name_the_packages(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A stand-in for weasyprint that fails as it does without Pango.
    (tmp_path / "weasyprint.py").write_text("raise OSError(\"cannot load library 'libpango-1.0-0'\")\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(LoupeError, match=r"lacks its native libraries; (run|install).*pango"):
        made()


def test_a_relative_folder_is_meant_from_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    page = PAGE.format(head="", body="")
    found = render_pdf(page, Assets(), created="2026-01-15T09:41:30Z", attached=("a.json", b"{}"), place=Path("runs"))
    assert found == made()
