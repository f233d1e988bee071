"""Report: look at it, take it away, have it written anew."""

from __future__ import annotations

import html
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import streamlit as st

from core.characters import brief
from core.runs import STOPPED, Run
from core.runs.results import file_sha256
from core.settings import ROOT
from core.storage import without_folders
from pages.parts import entry, state
from pages.parts.words import LONGEST, empty, plain, problems_shown, size

PREVIEW_BYTES = 60 * 2**20
HEIGHT = 860
SAID = "loupe: "  # how the command line begins its one line


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("The report appears here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    progress = state.progress_of(run)
    pdf = run.report / "report.pdf"
    if progress.state not in STOPPED:
        empty(f"This audit is {state.state_of(progress)[0]}.", "pages/audit.py", "See its progress")
        return
    st.caption(f"{plain(run.plan.declared.title)} · {plain(run.plan.model.title)} · {plain(run.id)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if pdf.is_file():
            downloads(run)
        job = rebuild(run, pdf.is_file(), has_results=progress.done > 0)
    if job is not None:
        busy = job.poll() is None
        st.fragment(wait, run_every=1.0 if busy else None)(run, job, busy)
    if not pdf.is_file():
        st.info("This audit has no report yet. Have it written with the button above.")
        return
    st.caption("SHA-256 of the PDF")
    st.code(_digest(str(pdf), pdf.stat().st_mtime_ns), language=None)
    preview(run.report / "report.html")


def downloads(run: Run) -> None:
    """The PDF and the evidence."""
    pdf, evidence = run.report / "report.pdf", run.report / "evidence.zip"
    st.download_button(
        f"Download PDF ({size(pdf.stat().st_size)})",
        pdf.read_bytes,
        file_name=f"loupe-{run.id}.pdf",
        mime="application/pdf",
        type="primary",
        icon=":material/download:",
        on_click="ignore",
    )
    if evidence.is_file():
        st.download_button(
            f"Download evidence ZIP ({size(evidence.stat().st_size)})",
            evidence.read_bytes,
            file_name=f"loupe-{run.id}-evidence.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )


def rebuild(run: Run, exists: bool, *, has_results: bool) -> subprocess.Popen[bytes] | None:
    """The button that has the report written by a process of its own; that process, if this session asked for one."""
    job: subprocess.Popen[bytes] | None = st.session_state.get(f"report-job-{run.id}")
    busy = job is not None and job.poll() is None
    label = "Write the report anew" if exists else "Write the report"
    if st.button(label, icon=":material/refresh:", disabled=busy or not has_results):
        with (run.folder / "report.log").open("wb") as log:
            st.session_state[f"report-job-{run.id}"] = subprocess.Popen(
                [sys.executable, "-m", "core", "report", str(run.folder)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        st.rerun()
    return job


def wait(run: Run, job: subprocess.Popen[bytes], was_busy: bool) -> None:
    """Tell how the writing stands."""
    code = job.poll()
    if code is None:
        st.info("The report is being written …", icon=":material/hourglass_top:")
    elif was_busy:
        st.rerun()
    elif code == 0:
        st.success("The report was written anew.")
    else:
        st.error(plain(f"The report could not be written: {reason(run)}"), icon=":material/error:")


def reason(run: Run) -> str:
    """Why the command could not write the report: its one line. Anything longer stays in the log on the server."""
    with suppress(OSError):
        with (run.folder / "report.log").open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - 4096))
            lines = log.read().decode("utf-8", "replace").splitlines()
        told = next((line for line in reversed(lines) if line.strip()), "")
        if told.startswith(SAID) and not any(line.startswith("Traceback") for line in lines):
            return brief(without_folders(told.removeprefix(SAID)), LONGEST)
    return "Loupe has a defect; report.log in the folder of this audit says where it failed."


def preview(path: Path) -> None:
    """The report's HTML where it can do nothing: no script, no form, no request, no access to this page."""
    st.subheader("Preview", anchor=False)
    if not path.is_file() or path.stat().st_size > PREVIEW_BYTES:
        st.info("No preview of this report; download the PDF.")
        return
    st.iframe(isolated(path.read_text(encoding="utf-8", errors="replace")), height=HEIGHT, alt="Preview of the report")


def isolated(document: str) -> str:
    """A page that holds `document` in a frame without any permission."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
    guarded = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{document}'
    return (
        f'<!doctype html><html lang="en"><title>Report</title><style>html, body {{ margin: 0; height: 100% }}'
        " iframe { border: 0; width: 100%; height: 100%; background: #fff }</style>"
        f'<iframe sandbox="" title="Report" srcdoc="{html.escape(guarded, quote=True)}"></iframe></html>'
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _digest(path: str, changed: int) -> str:
    return file_sha256(Path(path))


entry.through_app("pages/report.py")
st.title("Report")
with problems_shown():
    page()
