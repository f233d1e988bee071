"""The sanity checks of the methods, in the report. No torch."""

from __future__ import annotations

from core.applications.sanity_record import EVERY, SanityRecord, of_run
from core.evaluation.sanity import sanity_table
from core.findings import load_thresholds, run_thresholds
from core.findings.sanity_verdicts import JUDGED, TESTS, Verdict, verdicts
from core.reporting.assets import Assets
from core.reporting.charts import method_title, to_svg
from core.reporting.content import Chart, Column, Fact, Section, Table
from core.reporting.sanity_tables import REPORTED, TITLES, cascade_chart, told
from core.reporting.words import bounded
from core.runs import Run

MOST_PROBLEMS = 20
HOW = (
    "Each method explained the first pictures again: with the image tower\u2019s weights drawn anew from the last "
    "block down, with the text tower\u2019s drawn anew, with texts of other pictures, with other seeds, mirrored, and "
    "with the text reworded. The numbers are mean rank correlations with the method\u2019s own map. Under weights the "
    "first is of the whole image tower, the second of the text tower.",
    "A method that fails is left out of this report\u2019s conclusions. Passing says that a map depends on what it "
    "should; whether it points at the right places is for the comparison with controls: a map with its sign turned "
    "passes here and loses there.",
)


def sanity_sections(run: Run, assets: Assets) -> tuple[Section, ...]:
    """What the application `sanity` found in this run; nothing if it was not computed."""
    record = of_run(run)
    if record is None:
        return ()
    thresholds = load_thresholds(run_thresholds(run))
    judged = verdicts(run, thresholds, record)
    rule = "; ".join(
        f"{TITLES[test.check]}: {'at most' if test.highest else 'at least'} {float(thresholds[test.threshold]):g}"
        + (" (text tower)" if test.variant == "text_tower" else "")
        for test in TESTS
    )
    sentences = (*HOW, f"Passes: {rule}. At least {thresholds['sanity.least_images']} pictures are needed.")
    table = Table("Methods and checks: the word, then the mean rank correlation", _columns(), _rows(record, judged))
    parts = (
        Section(
            "Sanity checks of the methods",
            facts=_facts(record),
            sentences=sentences,
            charts=_charts(record, assets),
            tables=(table,),
        ),
        _reported(run, record),
        _problems(record),
    )
    return tuple(part for part in parts if not part.empty)


def _facts(record: SanityRecord) -> tuple[Fact, ...]:
    about, options = record.about, record.about["options"]
    left_out = f"; {about['pictures_left_out']} of the audit left out" if about["pictures_left_out"] else ""
    own = {"captions": "its first caption", "the only text": "the only text of the audit"}
    dear = [method_title(name) for name, one in about["methods"].items() if not one["all"]]
    settings = "those of the audit" if options["effort"] == "planned" else "cheap ones (quick effort or coarser)"
    return (
        Fact("Pictures", f"{about['pictures']}{left_out}"),
        Fact("Own text", own.get(about["own"], "the prompt or class that the model ranks first")),
        Fact("Other texts", f"{options['wrong']} of other pictures" if about["wrong_texts"] else "none differ"),
        Fact("Seeds", ", ".join(str(seed) for seed in about["seeds"])),
        Fact("Settings of the methods", settings),
        Fact("Forwards", f"{about['image_forwards']:,.0f} of the image tower"),
        *(
            (
                Fact(
                    "Judged checks only",
                    f"{', '.join(dear)}: all checks would cost more than {options['budget']:g} image forwards",
                ),
            )
            if dear
            else ()
        ),
    )


def _columns() -> tuple[Column, ...]:
    return (Column("Method", share=25), *(Column(TITLES[check]) for check in JUDGED), Column("n", "number", 6))


def _rows(record: SanityRecord, judged: tuple[Verdict, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            method_title(method),
            *(told(judged, method, check) for check in JUDGED),
            str(record.about["methods"][method]["pictures"]),
        )
        for method in record.methods
    )


def _charts(record: SanityRecord, assets: Assets) -> tuple[Chart, ...]:
    rows = record.of_check("model", "last_block")
    if rows.empty:
        return ()
    title = "Rank correlation of maps while weights are drawn anew"
    caption = (
        "Each line is a method: the mean rank correlation of its maps with the model\u2019s own while the image tower "
        f"is drawn anew from the last block down, n = {record.about['pictures']} pictures at most."
    )
    return (Chart(assets.chart(to_svg(cascade_chart(record), title)), title, caption),)


def _reported(run: Run, record: SanityRecord) -> Section:
    frame = sanity_table(record)
    frame = frame[(frame["variant"] == EVERY) & frame["check"].isin(list(REPORTED))]
    rows = []
    for method in record.methods:
        by = {row.check: row for row in frame[frame["method"] == method].itertuples()}
        if by:
            cells = (bounded(by[c].value, by[c].low, by[c].high) if c in by else "not measured" for c in REPORTED)
            count = str(max(int(row.n) for row in by.values()))
            rows.append((method_title(method), *cells, count))
    columns = (
        Column("Method", share=22),
        *(Column(title, "number") for title in REPORTED.values()),
        Column("n", "number", 6),
    )
    table = Table("Measured and not judged, means with 95 % interval over pictures", columns, tuple(rows))
    return Section(
        "What else changes a map",
        sentences=(
            "Empty text: rank correlation with the map for no words at all. Spread on noise: that of the map of a "
            "picture of noise, relative to the picture\u2019s own. Shifted picture: rank correlation once shifted "
            "back. Largest change: of the map, relative to its size, when each colour is disturbed by at most "
            f"{record.about['options']['noise']:g} of its range; a method that draws also draws anew then. Score, "
            "reworded: mean change of the cosine.",
        )
        if rows
        else (),
        tables=(table,) if rows else (),
    )


def _problems(record: SanityRecord) -> Section:
    problems = record.about["problems"]
    rows = tuple((method_title(name), image, state, reason) for name, image, state, reason in problems[:MOST_PROBLEMS])
    columns = (Column("Method", share=22), Column("Picture", share=22), Column("State", share=14), Column("Reason"))
    more = f"{len(problems) - MOST_PROBLEMS} more." if len(problems) > MOST_PROBLEMS else ""
    table = Table("Explanations that failed; they are part of no number", columns, rows, more)
    return Section("Sanity checks that could not be run", tables=(table,) if rows else ())
