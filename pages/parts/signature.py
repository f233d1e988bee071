"""The digital signatures of a report on a page: who signed it, and the command that does."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.errors import Refused, missing
from core.reporting.signatures.check import Signature, read_pdf
from core.reporting.signatures.field import ENTERED, ROLES
from core.runs import Run
from core.runs.review import load_review, standing
from core.settings import as_typed
from pages.parts import commands
from pages.parts.words import plain, problems_shown, tab

PROBLEMS = {
    "valid": "",
    "broken": " The signature does not fit what it covers.",
    "changed": " The PDF was changed after this signature.",
}


def show(run: Run) -> None:
    """Who signed the PDF of a run, and with which command somebody signs it in which field."""
    with problems_shown(), st.expander("Digital signature", expanded=True, icon=":material/signature:"):
        found, sound = _read(run)
        for line in found:
            icon = ":material/verified:" if sound else ":material/gpp_bad:"
            st.markdown(f"{icon} {plain(line)}")
        if not found:
            st.markdown("This PDF is not signed.")
        elif sound:
            st.caption(
                "Nothing was changed since. This command checks the certificates against those of their issuers:"
            )
            st.code(commands.with_run("python -m core verify RUN --roots CERTIFICATES.pem", run), language="bash")
        st.markdown(
            "A signature with a certificate, which PDF readers check (PAdES). It is made on the machine on which the "
            "audit lies, with this command:"
        )
        role = st.segmented_control(
            "Sign as",
            list(ROLES),
            format_func=lambda name: tab(name.capitalize()),
            required=True,
            key=f"sign-as-{run.id}",
            default=(due := _due(run)),
        )
        st.code(command(run, role or due), language="bash", wrap_lines=True)
        st.caption(
            as_typed(
                "Replace KEY.p12 by the file with your key and certificate (.p12 or .pfx), and PASSPHRASE.txt by a "
                "file whose first line is its passphrase. For keys in PEM files, a token or a time stamp, see "
                "`python -m core sign --help`. Sign last: a report that has changed is generated without signatures."
            )
        )
        if lacks := missing("pyhanko", "sign"):
            st.caption(plain(f"On this machine, signing {lacks}."))


def _due(run: Run) -> str:
    """The role whose signature belongs to the last step of the review log."""
    status = standing(load_review(run)).status
    return next((role for role, entered in ENTERED.items() if entered == status), "preparer")


def lines(run: Run) -> list[str]:
    """A line for each signature of the PDF of a run."""
    return _read(run)[0]


def _read(run: Run) -> tuple[list[str], bool]:
    pdf = run.report / "report.pdf"
    return _signed(str(pdf), pdf.stat().st_mtime_ns)


def line_of(signature: Signature) -> str:
    """Who signed in which role and when, and what is wrong with it."""
    role = f" as {signature.role}" if signature.role else ""
    clock = "" if signature.stamp == "trusted" else " by the clock of the signer"
    when = f", {signature.time}{clock}" if signature.time else ""
    return f"Signed by {signature.signer}{role}{when}.{PROBLEMS[signature.state]}"


@st.cache_data(max_entries=16, show_spinner="Reading the signatures …")
def _signed(path: str, changed: int) -> tuple[list[str], bool]:
    """A line for each signature of a PDF, and whether all of them are valid."""
    if b"/ByteRange" not in Path(path).read_bytes():
        return [], True
    try:
        found = read_pdf(Path(path)).signatures
    except Refused as refused:
        return [f"This PDF {refused}."], False
    return [line_of(each) for each in found], all(each.state == "valid" for each in found)


def command(run: Run, role: str) -> str:
    """The command with which somebody signs the report of a run in the field of a role."""
    return commands.with_run(
        f"python -m core sign RUN --as {role} --pkcs12 KEY.p12 --passphrase-file PASSPHRASE.txt", run
    )
