"""Write docs/schema/report-1.2.json, the schema of report.json: `PYTHONPATH=. python benchmarks/report_schema.py`."""

from __future__ import annotations

from core.reporting.exports.record import SCHEMA_VERSION, schema_json
from core.settings import ROOT

FILE = ROOT / "docs" / "schema" / f"report-{SCHEMA_VERSION}.json"


def main() -> None:
    """Write the file anew."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(schema_json())


if __name__ == "__main__":
    main()
