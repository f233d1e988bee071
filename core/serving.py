"""The command `app`: the dashboard, started from wherever Loupe lies, with its own configuration and guard."""

from __future__ import annotations

import argparse
import os
import sys

from core.run_commands import Answer
from core.settings import ROOT

PORT = 8501


def app_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `app`."""
    parser.add_argument("--port", type=int, default=PORT, help=f"port on this machine (default: {PORT})")
    parser.add_argument(
        "streamlit",
        nargs="*",
        metavar="OPTION",
        help="after `--`: options for the server of Streamlit, such as --server.allowedHosts loupe.example",
    )


def app(chosen: argparse.Namespace) -> Answer:
    """Become the server. It ends as any server does, so that nothing is answered here."""
    options = ["--server.port", str(chosen.port), *chosen.streamlit]
    # Streamlit reads the configuration of the folder it is started in, and the app names its pages from there.
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", "app.py", *options])  # noqa: S606
