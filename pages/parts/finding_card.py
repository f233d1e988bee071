"""A finding as a card: what was found and the image that shows it; evidence, samples and review once it is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.applications.registry import APPLICATIONS
from core.content.words import shorten
from core.findings import Finding, Number, Sample
from core.reporting.tables import EVIDENCE
from core.runs import Run
from core.runs.review import Review
from core.runs.shelf import shelf_id
from pages.parts import address, commands, maps, review, saved_views, state
from pages.parts.application_page import COLOURS
from pages.parts.image_values import IN, of_finding
from pages.parts.words import plain

PER_SAMPLE = 3
OPACITY = 0.55
ACROSS = 6
LEAD = 480  # characters of the condition on a closed card


def enter(run: Run, findings: Sequence[Finding]) -> None:
    """Open the cards that the address names."""
    address.enter_all(_key(run), "finding", [item.id for item in findings], [], str)


def tell(run: Run) -> None:
    """Write the open cards into the address."""
    address.tell("finding", st.session_state[_key(run)])


def card(run: Run, item: Finding, log: Review | None) -> None:
    """One finding of the register; `log` is its review log, or None where that is damaged."""
    opened = item.id in st.session_state[_key(run)]
    with st.container(border=True):
        shown = _picture(run, item)
        left, right = st.columns((1, 6), gap="medium") if shown else (None, st.container())
        if left is not None and shown is not None:
            with left:
                _draw(run, *shown)
        with right:
            badge = review.badge(log, item) if log is not None else ""
            severity = f":{COLOURS[item.severity]}-badge[{item.severity}]"
            st.subheader(f"{severity} {plain(item.title)} {badge}".rstrip(), anchor=False)
            st.markdown(plain(item.condition if opened else lead(item.condition)))
            for line in review.lines(item, log, whole=opened) if log is not None else ():
                st.markdown(plain(line))
            _actions(run, item, log, opened)
            if log is not None:
                review.form(run, item, log, review.FIRST)
        if opened:
            _details(run, item, log)


def _actions(run: Run, item: Finding, log: Review | None, opened: bool) -> None:
    """The buttons of a card: open or close it, its images, its page, how to reproduce it, and its review."""
    chosen = shelf_id(run)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Close" if opened else "Details",
            icon=":material/expand_less:" if opened else ":material/expand_more:",
            key=f"open-{item.id}",
            on_click=_toggle,
            args=(run, item),
        )
        if item.samples:
            st.page_link(
                "pages/explore.py",
                label="Sample images",
                icon=":material/photo_library:",
                query_params={"run": chosen, "by": of_finding(item), "value": IN},
            )
        page = _page_of(item)
        if page is not None:
            query = {"run": chosen} | ({"view": page[2]} if page[2] else {})
            st.page_link(page[0], label=page[1], icon=":material/insights:", query_params=query)
        if item.reproduce:
            with st.popover("Reproduce", icon=":material/terminal:"):
                st.code(commands.with_run(item.reproduce, run), language="bash", wrap_lines=True)
        if log is not None:
            review.buttons(run, item, log, review.FIRST)


def _details(run: Run, item: Finding, log: Review | None) -> None:
    st.caption(f"{plain(item.id)} · rule {plain(item.rule)}")
    left, right = st.columns((4, 3), gap="large")
    with left:
        for label, text in (
            ("Criterion", f"{item.criterion} ({item.threshold})" if item.threshold else item.criterion),
            ("Likely cause", item.cause),
            ("Effect", item.effect),
            ("Recommendation", item.recommendation),
        ):
            if text:
                st.markdown(f"**{label}.** {plain(text)}")
    with right:
        evidence(item.evidence)
        if item.grade:
            grade = item.grade
            st.caption(f"Severity {grade.value:.3f} = impact {grade.impact:.2f} × likelihood {grade.likelihood:.2f}")
    if item.samples:
        st.markdown("**Samples**")
        samples(run, item.samples)
        st.caption(plain(item.rule_of_samples))
    if item.counter or item.counter_note:
        st.markdown("**Counter-evidence**")
        samples(run, item.counter)
        st.caption(plain(item.counter_note))
    if log is not None:
        review.panel(run, item, log)


def lead(text: str, most: int = LEAD) -> str:
    """The first sentences of a text, as many as fit into `most` characters; the first one cut if it does not fit."""
    first, *others = re.split(r"(?<=[.;]) (?=\S)", text)
    told = shorten(first, most)
    for sentence in others:
        if len(told) + 1 + len(sentence) > most:
            break
        told = f"{told} {sentence}"
    # A list that goes on says so.
    return f"{told[:-1]} …" if told.endswith(";") else told


def evidence(numbers: tuple[Number, ...]) -> None:
    """Values with interval and n, one below the other: a table beside the text would cut them."""
    named = EVIDENCE.frame(numbers)
    for name, value in named.itertuples(index=False):
        st.markdown(f"{plain(name)}  \n**{plain(value)}**")
    if numbers:
        st.caption("Each with its 95 % interval, where there is one, and n.")


def samples(run: Run, chosen: tuple[Sample, ...]) -> None:
    """Images with the maps that the finding is about, several samples a row."""
    kept = _within(run, chosen)
    if len(kept) < len(chosen):
        saved_views.note()
        if not kept:
            st.caption("No image of the saved view is among these.")
    pairs = [(sample, image) for sample in kept if (image := maps.image_of(run, sample.image)) is not None]
    cells = 1 + max((min(len(sample.methods), PER_SAMPLE) for sample, _ in pairs), default=0)
    each = max(1, ACROSS // cells)
    for start in range(0, len(pairs), each):
        columns = iter(st.columns(each * cells))
        for sample, image in pairs[start : start + each]:
            rows = sample_rows(run, sample)
            for at in range(cells):
                with next(columns):
                    if at == 0:
                        st.markdown(f"**{plain(shorten(sample.image_name, 24))}**")
                        maps.original(run, image)
                        st.caption(plain(" · ".join(part for part in (sample.text, sample.note) if part)))
                    elif at <= len(rows):
                        row = next(rows.iloc[[at - 1]].itertuples())
                        maps.method_card(run, image, row, opacity=OPACITY, smooth=True)


def sample_rows(run: Run, sample: Sample) -> pd.DataFrame:
    """The result rows of the maps to show for a sample."""
    rows = state.rows_of(run, sample.image)
    rows = rows[(rows["kind"] == "method") & rows["method"].isin(sample.methods)]
    if sample.text is not None:
        rows = rows[rows["text"] == sample.text]
    return rows.drop_duplicates("method").head(PER_SAMPLE)


def _within(run: Run, chosen: Sequence[Sample]) -> list[Sample]:
    """The samples whose images the saved view contains."""
    kept = set(saved_views.within(saved_views.chosen(run), [sample.image for sample in chosen]))
    return [sample for sample in chosen if sample.image in kept]


def _picture(run: Run, item: Finding) -> tuple[Sample, Any] | None:
    """The first sample that the saved view contains, with its image; None where the finding shows no image."""
    for sample in _within(run, item.samples):
        if (image := maps.image_of(run, sample.image)) is not None:
            return sample, image
    return None


def _draw(run: Run, sample: Sample, image: Any) -> None:
    rows = sample_rows(run, sample) if sample.methods else None
    if rows is not None and len(rows):
        row = next(rows.iloc[[0]].itertuples())
        values = maps.native(row) if row.status == "ok" else None
        if values is not None:
            maps.method_heat(run, image, row, values, opacity=OPACITY, smooth=True)
            return
    maps.original(run, image)


def _page_of(item: Finding) -> tuple[str, str, str] | None:
    """The page of the application whose rule found it, its title, and the view that shows what was found (empty for
    the first one); None for the other rules.
    """
    for application in APPLICATIONS.values():
        if application.page is not None:
            for rule in application.rules():
                if rule.id == item.rule:
                    return f"pages/{application.name}.py", application.page.title, rule.view
    return None


def _toggle(run: Run, item: Finding) -> None:
    now = st.session_state[_key(run)]
    st.session_state[_key(run)] = [one for one in now if one != item.id] if item.id in now else [*now, item.id]


def _key(run: Run) -> str:
    return f"cards-{run.id}"
