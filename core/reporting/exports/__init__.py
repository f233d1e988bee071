"""The report as data for other programs: own JSON, JUnit XML, SARIF, OSCAL results, CycloneDX. No torch."""
