"""The section that sets the audited model beside others that explained the same pictures."""

from __future__ import annotations

from core.evaluation.comparison import Comparison, load_comparisons
from core.reporting.charts import method_title, shorten
from core.reporting.content import Column, Section, Table
from core.reporting.words import measured, number
from core.runs import Run

LONGEST_NAME = 34
KINDS = {"caption": "Captions", "prompt": "Prompts", "class": "Classes"}


def comparisons(run: Run) -> tuple[Section, ...]:
    """One section a compared run; empty if none was asked for."""
    told = [_section(one) for one in load_comparisons(run)]
    problems = tuple(run.manifest.get("comparison_problems", ()))
    if problems:
        told.append(Section("Comparisons that could not be made", sentences=problems))
    return tuple(told)


def _section(one: Comparison) -> Section:
    sentences = [
        f"This report is about {one.own}; the other model is {one.other}.",
        f"Both models explained the same {one.pictures} pictures; every comparison is paired by picture and text. The "
        f"other run is {one.other_run}.",
        "That two models' maps agree does not make them right; that they differ shows that what an explanation says "
        "belongs to the model, not only to the picture.",
    ]
    if one.only_one:
        for model in dict.fromkeys(model for _, model in one.only_one):
            alone = ", ".join(method_title(method) for method, where in one.only_one if where == model)
            sentences.append(f"Only on {model}, and not compared: {alone}.")
    tables = tuple(table for table in (_scores(one), _trust(one), _maps(one)) if table.rows)
    title = f"{shorten(one.own, LONGEST_NAME)} beside {shorten(one.other, LONGEST_NAME)}"
    return Section(title, sentences=tuple(sentences), tables=tables)


def _trust(one: Comparison) -> Table:
    rows = []
    for row in one.trust.itertuples():
        clear = row.low == row.low and row.low is not None and row.p_adjusted < 0.05 and (row.low > 0 or row.high < 0)
        verdict = "no difference shown" if not clear else "higher here" if row.value > 0 else "lower here"
        rows.append(
            (
                method_title(row.method),
                number(row.own, 2),
                number(row.theirs, 2),
                measured(row.value, row.low, row.high, int(row.n)),
                "n/a" if row.p_adjusted != row.p_adjusted else number(row.p_adjusted, 3),
                verdict,
            )
        )
    columns = (
        Column("Method", share=25),
        Column("Here", "number", 9),
        Column("Other", "number", 9),
        Column("Paired difference", "number", 28),
        Column("p, Holm", "number", 10),
        Column("Verdict", share=19),
    )
    return Table("Faithfulness of each method on the two models, with 95 % interval", columns, tuple(rows))


def _maps(one: Comparison) -> Table:
    rows = tuple(
        (method_title(row.method), measured(row.value, row.low, row.high, int(row.n)), number(row.overlap, 2))
        for row in one.maps.sort_values("value").itertuples()
    )
    columns = (
        Column("Method", share=40),
        Column("Rank correlation", "number", 36),
        Column("Overlap of best 20 %", "number", 24),
    )
    return Table("Agreement of the two models' maps by the same method, least first", columns, rows)


def _scores(one: Comparison) -> Table:
    rows = tuple(
        (
            KINDS.get(row.text_kind, row.text_kind),
            str(int(row.texts)),
            measured(row.value, row.low, row.high, int(row.n)),
            f"{100 * row.same_best:.0f} %",
        )
        for row in one.scores.itertuples()
    )
    columns = (
        Column("Texts", share=22),
        Column("Number", "number", 14),
        Column("Rank correlation of scores", "number", 40),
        Column("Same best text", "number", 24),
    )
    return Table("Agreement of the scores over the texts of a picture (three texts or more)", columns, rows)
