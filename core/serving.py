"""The commands `app` and `docs`: the dashboard and the documentation, served on this machine."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from core.errors import InputError
from core.run_commands import Answer
from core.settings import ROOT

PORT, DOCS_PORT = 8501, 8502
# Where `make docs` builds the documentation.
SITE = ROOT / "out" / "docs"


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


def docs_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `docs`."""
    parser.add_argument("--port", type=int, default=DOCS_PORT, help=f"port on this machine (default: {DOCS_PORT})")
    parser.add_argument("--site", type=Path, default=SITE, help="folder of the built documentation")


def docs(chosen: argparse.Namespace) -> Answer:
    """Serve the built documentation on the loopback interface until it is interrupted.

    Raises `InputError` in one line where it was not built.
    """
    if not (chosen.site / "index.html").is_file():
        raise InputError(f"{chosen.site} has no documentation; build it by `make docs` in a checkout of Loupe")
    handler = partial(SimpleHTTPRequestHandler, directory=str(chosen.site))
    with ThreadingHTTPServer(("127.0.0.1", chosen.port), handler) as server:
        sys.stderr.write(f"http://127.0.0.1:{server.server_port}/\n")
        server.serve_forever()
    return {"text": "", "data": {}}, 0
