"""Report: preview it, download it, regenerate it."""

from __future__ import annotations

import html
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pandas as pd
import streamlit as st
from babel import Locale

from core.characters import brief
from core.content.house_style import house_style
from core.content.words import plural, size
from core.languages import offered
from core.reporting.evidence import TABLES
from core.reporting.legibility import font_warning
from core.reporting.report import SHORT
from core.reporting.report_log import BUNDLE, entries_since
from core.reporting.versions import number_of
from core.runs import STOPPED, Run
from core.runs.opened import is_opened
from core.runs.results import file_sha256
from core.runs.review import REVIEW
from core.settings import ROOT
from core.storage import without_folders
from pages.parts import entry, identity, sign_off, signature, state
from pages.parts.words import LONGEST, empty, plain, problems_shown

MOST_ROWS = 2_000
TABLE_TITLES = {
    "trust": "Tests of the maps",
    "versus": "Methods against controls",
    "agreement": "Agreement of the methods",
    "pair_agreement": "Agreement by pair of methods",
    "scores": "Scores",
    "texts": "Texts",
    "failures": "Failures",
}
PREVIEW_BYTES = 60 * 2**20
HEIGHT = 860
# File of the report, its title, the end of its name when it is downloaded, its type and icon.
DOWNLOADS = (
    ("report.pdf", "PDF", ".pdf", "application/pdf", ":material/download:"),
    (SHORT, "stakeholder edition", "-stakeholder.pdf", "application/pdf", ":material/summarize:"),
    ("evidence.zip", "evidence ZIP", "-evidence.zip", "application/zip", ":material/folder_zip:"),
)
# The same for other programs.
EXPORTED = (
    ("report.json", "JSON", ".json", "application/json", ":material/data_object:"),
    ("junit.xml", "JUnit", "-junit.xml", "application/xml", ":material/checklist:"),
    ("findings.sarif", "SARIF", ".sarif", "application/sarif+json", ":material/rule:"),
    ("oscal-assessment-results.json", "OSCAL", "-oscal.json", "application/json", ":material/verified:"),
    ("bom.cdx.json", "CycloneDX", ".cdx.json", "application/vnd.cyclonedx+json", ":material/inventory_2:"),
)
PREFIX = "loupe: "  # begins the error message of the command line

QUESTION = "What can be handed over: a PDF that can be signed, and a bundle of evidence that others can verify."


def page() -> None:
    """The whole page for the current run."""
    run = state.current_run()
    if run is None:
        empty("The report appears here once an audit has run.", "pages/audit.py", "Plan an audit", QUESTION)
        return
    if is_opened(run):
        from_bundle(run)
        return
    progress = state.progress_of(run)
    pdf = run.report / "report.pdf"
    if progress.state not in STOPPED:
        empty(f"This audit is {state.state_of(progress)[0]}.", "pages/audit.py", "See its progress")
        return
    st.caption(f"{plain(state.title_of(run))} · {plain(state.model_and_id(run))} · run {plain(run.id)}")
    lacks = _entries_since(str(run.folder), _changed(run)) if pdf.is_file() else 0
    if pdf.is_file():
        with st.container(horizontal=True, vertical_alignment="center"):
            downloads(run, DOWNLOADS)
    if lacks:
        st.warning(
            f"The PDF is older than the review log: it lacks {plural(lacks, 'entry', 'entries')}. "
            "Regenerate the report before it is handed over or signed.",
            icon=":material/update:",
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        job = rebuild(run, pdf.is_file(), has_results=progress.done > 0, urgent=bool(lacks))
    if job is not None:
        busy = job.poll() is None
        st.fragment(wait, run_every=1.0 if busy else None)(run, job, busy, lacks)
    if not pdf.is_file():
        st.info("This audit has no report yet. Generate it with the button above.")
        return
    illegible = _fonts(str(run.folder), pdf.stat().st_mtime_ns)
    if illegible:
        st.warning(plain(illegible), icon=":material/font_download_off:")
    st.caption(
        f"SHA-256 of the PDF. It is revision {number_of(run)}: a report that differs from the one before is the next "
        "revision. The version, in the approval record, is another number: it goes on where a superseded report is "
        "prepared again."
    )
    st.code(_digest(str(pdf), pdf.stat().st_mtime_ns), language=None)
    sign_off.show(run)
    signature.show(run)
    if any((run.report / name).is_file() for name, *_ in EXPORTED):
        with st.expander("For other programs"), st.container(horizontal=True):
            downloads(run, EXPORTED)
    preview(run.report / "report.html")


def from_bundle(run: Run) -> None:
    """What a bundle has of a report: the tables that it prints, the exports, and the bundle itself."""
    st.caption("A bundle has no PDF: these are the tables and exports of its report.")
    sign_off.show(run)
    with st.container(horizontal=True):
        downloads(run, (*DOWNLOADS, *EXPORTED))
    for name in TABLES:
        path = run.folder / "tables" / f"{name}.csv"
        table = pd.read_csv(path, keep_default_na=False) if path.is_file() else pd.DataFrame()
        with st.expander(f"{TABLE_TITLES[name]} ({plural(len(table), 'row')})"):
            if len(table):
                st.dataframe(table.head(MOST_ROWS), hide_index=True, alt=TABLE_TITLES[name])
            if len(table) > MOST_ROWS:
                st.caption(f"The first {MOST_ROWS:,} rows are shown; the bundle has all of them.")


def downloads(run: Run, files: Sequence[tuple[str, str, str, str, str]]) -> None:
    """A button for each of these files of the report that is there."""
    for name, title, ending, mime, icon in files:
        path = run.report / name
        if path.is_file():
            st.download_button(
                f"Download {title} ({size(path.stat().st_size)})",
                path.read_bytes,
                file_name=f"loupe-{run.id}{ending}",
                mime=mime,
                type="primary" if name == DOWNLOADS[0][0] else "secondary",
                icon=icon,
                on_click="ignore",
            )


def rebuild(run: Run, exists: bool, *, has_results: bool, urgent: bool) -> subprocess.Popen[bytes] | None:
    """The button that generates the report in a separate process; that process, if this session started one."""
    job: subprocess.Popen[bytes] | None = st.session_state.get(f"report-job-{run.id}")
    busy = job is not None and job.poll() is None
    label = "Regenerate the report" if exists else "Generate the report"
    usual = house_style(run).language
    languages = list(dict.fromkeys([usual, *offered()]))
    language = st.selectbox(
        "Language of the report", languages, format_func=language_name, key=f"language-{run.id}", width=220
    )
    asked = ["--language", language] if language != usual else []
    kind, off = "primary" if urgent else "secondary", busy or not has_results
    if identity.button(label, identity.REPORT, icon=":material/refresh:", type=kind, disabled=off):
        pdf = run.report / "report.pdf"
        st.session_state[_before(run)] = file_sha256(pdf) if pdf.is_file() else ""
        with (run.folder / "report.log").open("wb") as log:
            st.session_state[f"report-job-{run.id}"] = subprocess.Popen(
                [sys.executable, "-m", "core", "report", str(run.folder), *asked],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        st.rerun()
    return job


def language_name(code: str) -> str:
    """A language as it calls itself."""
    return (Locale.parse(code).get_display_name() or code).capitalize()


def wait(run: Run, job: subprocess.Popen[bytes], was_busy: bool, lacks: int) -> None:
    """The progress of the generation, and its end until the review log goes on."""
    code = job.poll()
    if code is None:
        st.info("The report is being generated …", icon=":material/hourglass_top:")
    elif was_busy:
        entry.run_again("pages/report.py")
    elif code == 0:
        if not lacks:
            st.success(_outcome(run))
    else:
        st.error(plain(f"The report could not be generated: {reason(run)}"), icon=":material/error:")


def _outcome(run: Run) -> str:
    """What the generation led to: another report, or the same one, whose signatures are kept."""
    if file_sha256(run.report / "report.pdf") != st.session_state.get(_before(run)):
        return "The report was regenerated."
    kept = "; the PDF and its signatures were kept" if signature.lines(run) else "; the PDF is the same"
    return f"The report has not changed{kept}."


def _before(run: Run) -> str:
    """Where a session keeps the digest of the PDF that a generation may replace."""
    return f"report-before-{run.id}"


def reason(run: Run) -> str:
    """The line in which the command states why it failed. Anything longer stays in the log on the server."""
    with suppress(OSError):
        with (run.folder / "report.log").open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - 4096))
            lines = log.read().decode("utf-8", "replace").splitlines()
        last = next((line for line in reversed(lines) if line.strip()), "")
        if last.startswith(PREFIX) and not any(line.startswith("Traceback") for line in lines):
            return brief(without_folders(last.removeprefix(PREFIX)), LONGEST)
    return "Loupe has a defect; see report.log in the folder of this audit."


def preview(path: Path) -> None:
    """The report as HTML in a sandbox: no script, no form, no request, no access to this page."""
    st.subheader("Preview", anchor=False)
    if not path.is_file() or path.stat().st_size > PREVIEW_BYTES:
        st.info("There is no preview of this report; download the PDF.")
        return
    st.iframe(isolated(path.read_text(encoding="utf-8", errors="replace")), height=HEIGHT, alt="Preview of the report")


def isolated(document: str) -> str:
    """A page that holds `document` in a frame without any permission."""
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
    guarded = f'<meta http-equiv="Content-Security-Policy" content="{policy}">{document}'
    return (
        '<!doctype html><html lang="en"><title>Report</title><style>html, body { margin: 0; height: 100%; '
        # The inner frame alone scrolls: as a line of text it would be taller than the outer one.
        "overflow: hidden } iframe { display: block; border: 0; width: 100%; height: 100%; background: #fff }</style>"
        f'<iframe sandbox="" title="Report" srcdoc="{html.escape(guarded, quote=True)}"></iframe></html>'
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _fonts(folder: str, changed: int) -> str:
    return font_warning(Run(Path(folder)))


def _changed(run: Run) -> tuple[int, ...]:
    """When the bundle and the review log of a run were written; 0 for what is not there."""
    files = (run.report / BUNDLE, run.folder / REVIEW)
    return tuple(file.stat().st_mtime_ns if file.is_file() else 0 for file in files)


@st.cache_data(max_entries=16, show_spinner=False)
def _entries_since(folder: str, changed: tuple[int, ...]) -> int:
    return entries_since(Run(Path(folder)))


@st.cache_data(max_entries=16, show_spinner=False)
def _digest(path: str, changed: int) -> str:
    return file_sha256(Path(path))


entry.through_app("pages/report.py")
st.title("Report")
with problems_shown():
    page()
