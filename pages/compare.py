"""Compare: what several models see and know about the same pictures, by their records of mutual knowledge."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from core.applications.knowledge_record import CONTROLS, MEASURES, PROXIES, KnowledgeRecord, of_run
from core.reporting import knowledge_tables as tables
from core.runs import Run
from pages.parts import charts, entry, maps, side_by_side, state
from pages.parts.words import empty, number, plain, problems_shown, short

FIRST_CONCEPTS = 5


def page() -> None:
    """The whole page: a choice of runs on the data set of the current one, curves, tables and single pictures."""
    current = state.current_run()
    if current is None:
        empty("Models are compared here once an audit has run.", "pages/audit.py", "Plan an audit")
        return
    side_by_side.show(current)
    runs = {run.id: run for run in side_by_side.audits_on(current, lambda run: of_run(run) is not None)}
    if not runs:
        empty(
            "No audit of this data set has computed mutual knowledge. Plan one with a list of classes and the "
            "application 'Mutual knowledge' switched on.",
            "pages/audit.py",
            "Plan an audit",
        )
        return
    chosen = st.multiselect(
        "Audits of this data set",
        list(runs),
        default=list(runs),
        format_func=lambda id: f"{runs[id].plan.model.title} · {state.run_label(runs[id])}",
    )
    if not chosen:
        st.info("Choose at least one audit.")
        return
    records = named({id: runs[id] for id in chosen})
    differences(records)
    curves(records)
    table = tables.model_table(records)
    measures(records, table)
    against_proxies(table)
    single({name: runs[id] for name, id in zip(records, chosen, strict=True)}, records)


def named(runs: Mapping[str, Run]) -> dict[str, KnowledgeRecord]:
    """The records under the names of their models; the run's id tells equal ones apart."""
    titles = [run.plan.model.title for run in runs.values()]
    found = {}
    for title, (id, run) in zip(titles, runs.items(), strict=True):
        record = of_run(run)
        assert record is not None
        found[title if titles.count(title) == 1 else f"{title} ({id})"] = record
    return found


def differences(records: Mapping[str, KnowledgeRecord]) -> None:
    """Say what makes the chosen records hard to compare, and how pictures were assigned to classes."""
    first, *others = records.items()
    for name, record in others:
        differing = first[1].comparable(record)
        if differing:
            st.warning(f"{plain(name)} and {plain(first[0])} differ in {' and '.join(differing)}: compare with care.")
    for name, record in records.items():
        st.caption(plain(f"{name}: each picture is grouped by {tables.assignment(record)}."))


def curves(records: Mapping[str, KnowledgeRecord]) -> None:
    """The removal curves of all records."""
    st.subheader("How deep does shared knowledge reach?", anchor=False)
    charts.show(tables.removal_chart(records), "Mean mutual-knowledge score of each model while concepts are removed")
    st.caption(
        "Mean score while the most relevant visual concepts are removed one by one. Dashed: the same against classes "
        "that the model didn't choose. Only the distance between the two says something about the class."
    )


def measures(records: Mapping[str, KnowledgeRecord], table: pd.DataFrame) -> None:
    """Every measure of every model with interval, and its distance to the control."""
    st.subheader("Measures", anchor=False)
    rows = []
    for (name, record), values in zip(records.items(), table.to_dict("records"), strict=True):
        for measure, better in MEASURES.items():
            ahead = tables.advantage(record, measure) if measure in CONTROLS else None
            rows.append(
                {
                    "Model": name,
                    "Measure": tables.TITLES[measure],
                    "Better": better,
                    "Value (95 % interval)": _cell(values, measure),
                    "Minus control": "no control" if ahead is None else number(ahead.value, ahead.low, ahead.high),
                    "Pictures": values[f"{measure}_n"],
                }
            )
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    for name, record in records.items():
        told = tables.seeds_told(record)
        if told:
            st.caption(plain(f"{name}, random in k-means: {told}."))
    st.subheader("Decisions through and without concepts", anchor=False)
    shown = [
        {
            "Model": values["model"],
            "Share of pictures": title,
            "Value (95 % interval)": _cell(values, name),
            "Pictures": n,
        }
        for values in table.to_dict("records")
        for name, title in tables.DECISIONS.items()
        if (n := values[f"{name}_n"])
    ]
    st.dataframe(pd.DataFrame(shown), hide_index=True)
    if not table["correct_n"].sum():
        st.caption("No labels were given, so accuracy can't be told.")


def against_proxies(table: pd.DataFrame) -> None:
    """The area under the curve against what can be known of a model without labels, and against accuracy."""
    st.subheader("Does it go with what else is known of the models?", anchor=False)
    choices = [*PROXIES, "modality_gap", "class_balance", *(["correct"] if table["correct"].notna().any() else [])]
    column = st.selectbox("Compare the area under the removal curve with", choices, format_func=_proxy_title)
    charts.show(tables.proxy_chart(table, column), f"Area under the removal curve against {_proxy_title(column)}")
    found = tables.rank_correlations(table)
    shown = pd.DataFrame(
        {
            "With": [_proxy_title(name) for name in found["with"]],
            "Rank correlation over models": [
                "cannot conclude" if pd.isna(value) else f"{value:.2f}" for value in found["value"]
            ],
            "Models": found["n"],
        }
    )
    st.dataframe(shown, hide_index=True)
    st.caption("A rank correlation needs at least four models; over a handful it is a hint at most.")


def single(runs: Mapping[str, Run], records: Mapping[str, KnowledgeRecord]) -> None:
    """One picture: its parts, visual concepts and shared concepts in every chosen run."""
    st.subheader("One picture", anchor=False)
    frame = next(iter(records.values())).images
    names = dict(zip(frame["image"], frame["image_name"], strict=True))
    image = st.selectbox("Picture", list(names), format_func=lambda id: short(names[id], 80))
    for name, record in records.items():
        run = runs[name]
        rows = record.pictures[record.pictures["image"] == image]
        picture = maps.picture_of(run, image)
        st.markdown(f"**{plain(name)}**")
        if rows.empty or picture is None:
            st.text("This picture is not part of that audit.")
            continue
        for row, place in zip(rows.itertuples(), st.columns(max(len(rows), 2)), strict=False):
            with place:
                opened = state.dataset_of(run).open(picture)
                made = tables.part_picture(run, picture, row, opened)
                st.image(np.asarray(made), width="stretch", alt=f"Parts of {picture.name} by {row.variant}")
                concepts = record.concepts[
                    (record.concepts["image"] == image) & (record.concepts["variant"] == row.variant)
                ].sort_values("rank")
                hits = concepts[concepts["class_rank"] >= 0]["descriptor"].tolist()
                st.caption(
                    plain(
                        f"Parts by {row.variant}; class {row.predicted}; score {row.score:.2f}, area {row.auc:.2f}, "
                        f"{row.shared} of {row.visual} concepts shared."
                    )
                )
                st.markdown(f"**Seen.** {plain(', '.join(concepts['descriptor'].head(FIRST_CONCEPTS)))}")
                st.markdown(f"**Shared with the class.** {plain(', '.join(hits) or 'nothing')}")


def _cell(values: dict[str, float], name: str) -> str:
    return number(values[name], values[f"{name}_low"], values[f"{name}_high"])


def _proxy_title(name: str) -> str:
    known = tables.PROXY_TITLES | tables.DECISIONS | {"modality_gap": "Modality gap", "class_balance": "Class balance"}
    return known[name]


entry.through_app("pages/compare.py")
st.title("Compare")
with problems_shown():
    page()
