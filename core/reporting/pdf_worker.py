"""The process that renders: `python -m core.reporting.pdf_worker <job.json>`. Reads nothing but the job's folder.

With `--check` in place of a job it only says by its exit code whether it could render.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import resource
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from core.content.assets import SCHEME
from core.reporting.chart_text import lay_out_whole
from core.reporting.page_references import write_references_once
from core.reporting.pdf import CHECK, MISSING, REFUSED
from core.reporting.pdf_structure import mended

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_UA = "http://www.aiim.org/pdfua/ns/id/"
# PDF/A wants every property outside its own list described: this is the description of PDF/UA's identifier.
_EXTENSION = f"""<rdf:Description xmlns:rdf="{_RDF}" rdf:about=""
 xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#"
 xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#"><pdfaExtension:schemas><rdf:Bag>
<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA identification</pdfaSchema:schema>
<pdfaSchema:namespaceURI>{_UA}</pdfaSchema:namespaceURI><pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>part of ISO 14289 the document follows</pdfaProperty:description></rdf:li></rdf:Seq>
</pdfaSchema:property></rdf:li></rdf:Bag></pdfaExtension:schemas></rdf:Description>"""


def main(job_file: Path) -> int:
    """Render each page of the job beside it, `0.html` as `0.pdf` and so on; returns the exit status."""
    # Before the limit of memory: a library that finds no room would look like one that is not installed.
    if not starts():
        return MISSING
    folder = job_file.parent
    job: dict[str, Any] = json.loads(job_file.read_text())
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = job["memory"] if most == resource.RLIM_INFINITY else min(job["memory"], most)
    # macOS accepts no such limit; there the time limit of the parent has to do.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (allowed, most))
    # The process ends with its pages: looking for garbage among the boxes of a long one takes a seventh of its time.
    gc.disable()
    for at, identifier in enumerate(job["identifiers"]):
        data, refused = render(folder, job, f"{at}.html", identifier)
        if refused:
            sys.stderr.write("; ".join(refused) + "\n")
            return REFUSED
        (folder / f"{at}.pdf").write_bytes(data)
    return 0


def starts() -> bool:
    """Whether the native libraries can be loaded; what is missing goes to stderr."""
    try:
        import weasyprint  # noqa: F401
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return False
    return True


def render(folder: Path, job: dict[str, Any], page_file: str, identifier: str) -> tuple[bytes, list[str]]:
    """The PDF's bytes, and every address the page asked for that isn't one of the job's assets."""
    from weasyprint import HTML, Attachment
    from weasyprint.text.fonts import FontConfiguration
    from weasyprint.urls import URLFetcher, URLFetcherResponse

    known = {
        f"{SCHEME}://{name}": (folder / "assets" / str(at), media) for at, (name, media) in enumerate(job["assets"])
    }
    refused: list[str] = []

    class ClosedFetcher(URLFetcher):  # type: ignore[misc]
        """Knows the job's assets and nothing else."""

        def fetch(self, url: str, headers: Any = None) -> Any:
            if url not in known:
                refused.append(f"refused {url[:200]}")
                raise ValueError(f"refused {url[:200]}")
            path, media = known[url]
            return URLFetcherResponse(url, path.read_bytes(), {"Content-Type": media})

    complaints = _complaints()
    lay_out_whole()
    write_references_once()
    fetcher = ClosedFetcher(allow_redirects=False)
    created = datetime.fromisoformat(job["created"])
    page = HTML(
        string=(folder / page_file).read_text(encoding="utf-8"), url_fetcher=fetcher, base_url=f"{SCHEME}://page"
    )
    document = page.render(font_config=FontConfiguration(), pdf_variant="pdf/a-3a", pdf_tags=True)
    # Attachments the page links to are kept, so that they are fetched when the file is written, and refused.
    document.metadata.attachments = [
        *document.metadata.attachments,
        Attachment(
            string=(folder / "attached").read_bytes(),
            name=job["attached"],
            description="Numbers and hashes behind the report",
            created=created,
            modified=created,
            relationship="Data",
            url_fetcher=fetcher,
        ),
    ]
    _claim_ua(document.metadata)
    # Streams are compressed once, when the mended file is saved.
    data = document.write_pdf(
        pdf_variant="pdf/a-3a", pdf_tags=True, pdf_identifier=bytes.fromhex(identifier), uncompressed_pdf=True
    )
    refused += [line for line in complaints if "Failed to load" in line or "disallowed" in line]
    # Complaints come first: what was refused is not worth completing.
    return (data if refused else mended(data)), refused


def _claim_ua(metadata: Any) -> None:
    plain = metadata.generate_rdf_metadata

    def with_ua(*arguments: Any) -> bytes:
        rdf = ElementTree.fromstring(plain(*arguments))  # noqa: S314 - made by WeasyPrint
        ElementTree.register_namespace("pdfuaid", _UA)
        ElementTree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": "", f"{{{_UA}}}part": "1"})
        rdf.append(ElementTree.fromstring(_EXTENSION))  # noqa: S314 - a constant
        return ElementTree.tostring(rdf, encoding="utf-8")

    metadata.generate_rdf_metadata = with_ua


def _complaints() -> list[str]:
    """What WeasyPrint logs from here on; it goes on after most problems, so they have to be read."""
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())
            sys.stderr.write(record.getMessage() + "\n")

    logger = logging.getLogger("weasyprint")
    logger.handlers = [Keep()]
    logger.setLevel(logging.WARNING)
    return lines


if __name__ == "__main__":
    argument = sys.argv[1]
    status = (0 if starts() else MISSING) if argument == CHECK else main(Path(argument))
    sys.stderr.flush()
    # Without taking the boxes of a long report apart one by one, which takes a tenth of its time. Every file is closed,
    # and what was unpacked goes with the job's folder.
    os._exit(status)
