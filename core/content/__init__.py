"""What a chapter of the report and a page are made of: sections, tables, charts, heat maps, words. No torch."""
