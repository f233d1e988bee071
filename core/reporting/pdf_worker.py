"""The process that renders: `python -m core.reporting.pdf_worker <job.json>`. Reads nothing but the job's folder."""

from __future__ import annotations

import json
import logging
import resource
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from core.reporting.assets import SCHEME
from core.reporting.pdf import MISSING, REFUSED

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
    """Render the job beside its file as `report.pdf`; returns the exit status."""
    folder = job_file.parent
    job: dict[str, Any] = json.loads(job_file.read_text())
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = job["memory"] if most == resource.RLIM_INFINITY else min(job["memory"], most)
    try:
        # Before the limit: a library that finds no room would look like one that is not installed.
        import weasyprint  # noqa: F401
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    # macOS accepts no such limit; there the time limit of the parent has to do.
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (allowed, most))
    data, refused = render(folder, job)
    if refused:
        sys.stderr.write("; ".join(refused) + "\n")
        return REFUSED
    (folder / "report.pdf").write_bytes(data)
    return 0


def render(folder: Path, job: dict[str, Any]) -> tuple[bytes, list[str]]:
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
    fetcher = ClosedFetcher(allow_redirects=False)
    created = datetime.fromisoformat(job["created"])
    page = HTML(
        string=(folder / "page.html").read_text(encoding="utf-8"), url_fetcher=fetcher, base_url=f"{SCHEME}://page"
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
    data = document.write_pdf(pdf_variant="pdf/a-3a", pdf_tags=True, pdf_identifier=bytes.fromhex(job["identifier"]))
    refused += [line for line in complaints if "Failed to load" in line or "disallowed" in line]
    return data, refused


def _claim_ua(metadata: Any) -> None:
    plain = metadata.generate_rdf_metadata

    def with_ua(*arguments: Any) -> bytes:
        rdf = ElementTree.fromstring(plain(*arguments))
        ElementTree.register_namespace("pdfuaid", _UA)
        ElementTree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": "", f"{{{_UA}}}part": "1"})
        rdf.append(ElementTree.fromstring(_EXTENSION))
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
    sys.exit(main(Path(sys.argv[1])))
