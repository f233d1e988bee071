"""The digital signature of a report on a page: the command that signs it."""

from __future__ import annotations

import streamlit as st

from core.errors import missing
from core.runs import Run
from core.settings import as_typed
from pages.parts import commands
from pages.parts.words import plain, problems_shown, tab

# As `sign` takes them, in the order of the fields on the cover.
ROLES = {"preparer": "Preparer", "reviewer": "Reviewer", "approver": "Approver"}


def show(run: Run) -> None:
    """How the PDF of a run is signed: who signs in which field, with which command."""
    with problems_shown(), st.expander("Digital signature", expanded=True, icon=":material/signature:"):
        st.markdown(
            "A signature with a certificate, which PDF readers check (PAdES). It is made on the machine on which the "
            "audit lies, with this command:"
        )
        role = st.segmented_control(
            "Sign as", list(ROLES), format_func=lambda name: tab(ROLES[name]), required=True, key=f"sign-as-{run.id}",
            default="approver",
        )  # fmt: skip
        st.code(command(run, role or "approver"), language="bash", wrap_lines=True)
        st.caption(
            as_typed(
                "Replace KEY.p12 by the file with your key and certificate (.p12 or .pfx), and PASSPHRASE.txt by a "
                "file whose first line is its passphrase. For keys in PEM files, a token or a time stamp, see "
                "`python -m core sign --help`. Sign last: a report that has changed is generated without signatures."
            )
        )
        if lacks := missing("pyhanko", "sign"):
            st.caption(plain(f"On this machine, signing {lacks}."))


def command(run: Run, role: str) -> str:
    """The command with which somebody signs the report of a run in the field of a role."""
    return commands.with_run(
        f"python -m core sign RUN --as {role} --pkcs12 KEY.p12 --passphrase-file PASSPHRASE.txt", run
    )
