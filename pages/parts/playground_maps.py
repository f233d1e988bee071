"""The maps of the playground, drawn one by one as they come from the warm process."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from core.audit.playground import Answer, Box, Desk, Map, Question, Request
from core.content.words import percent, plural
from core.datasets import Dataset, DatasetImage
from core.methods import METHODS
from pages.parts import maps
from pages.parts.words import number, plain

ACROSS = 4
DIFFERENCE = -1  # in the place of the number of a text
LOOK_SECONDS = 0.25  # between two looks at a request in which nothing changes
DESK = Desk()
STAGES = {
    "starting": "Starting the process that computes maps …",
    "model": "Loading the model …",
    "box": "Scoring the box …",
}


@dataclass(frozen=True)
class Shown:
    """What is drawn: an image of a dataset, the texts and methods, and how."""

    dataset: Dataset
    image: DatasetImage
    texts: tuple[str, ...]
    methods: tuple[str, ...]
    look: maps.Look


def choose_pair(texts: Sequence[str]) -> tuple[int, int] | None:
    """Which two texts are compared; None for a single one."""
    if len(texts) < 2:
        return None
    if len(texts) == 2:
        return 0, 1
    left, right = st.columns(2)
    first = left.selectbox("Difference: maps of", range(len(texts)), 0, format_func=texts.__getitem__)
    second = right.selectbox("minus maps of", range(len(texts)), 1, format_func=texts.__getitem__)
    return None if first is None or second is None or first == second else (first, second)


def asker() -> str:
    """Who asks: this session."""
    found: str = st.session_state.setdefault("playground_asker", secrets.token_hex(8))
    return found


class Board:
    """A place on the page for every score and map, filled as they come."""

    def __init__(self, shown: Shown) -> None:
        self.shown = shown
        self.status = st.empty()
        self.notes = st.empty()
        self._scores: list[Any] = []
        self._cells: dict[tuple[int, str], Any] = {}
        self._drawn: set[str] = set()
        for at, text in enumerate(shown.texts):
            with st.container(border=True):
                st.subheader(plain(text), anchor=False)
                self._scores.append(st.empty())
                for begin in range(0, len(shown.methods), ACROSS):
                    part = shown.methods[begin : begin + ACROSS]
                    for column, name in zip(st.columns(ACROSS), part, strict=False):
                        with column:
                            st.markdown(f"**{plain(maps.title(name))}**")
                            self._cells[at, name] = st.empty()
        self._pair = choose_pair(shown.texts)
        if self._pair is not None:
            with st.container(border=True):
                first, second = (shown.texts[at] for at in self._pair)
                st.subheader("Difference of the maps", anchor=False)
                st.markdown(
                    f"**{plain(first)}** minus **{plain(second)}**. Red: more for the first text; blue: more for the "
                    "second. The scale has the unit of the method, with 0 in its middle."
                )
                for begin in range(0, len(shown.methods), ACROSS):
                    part = shown.methods[begin : begin + ACROSS]
                    for column, name in zip(st.columns(ACROSS), part, strict=False):
                        with column:
                            st.markdown(f"**{plain(maps.title(name))}**")
                            self._cells[DIFFERENCE, name] = st.empty()

    def follow(self, request: Request) -> None:
        """Draw what is known, and what comes, until nothing more will come."""
        seen = 0
        while True:
            over = request.over
            self.draw(request.answer)
            if over:
                break
            # Each line that is written is also where a run of the page that is no longer wanted ends.
            self.status.caption(f":material/hourglass_top: {plain(_stage(request.stage))}")
            seen = DESK.wait(request, seen, LOOK_SECONDS)
        if request.error:
            self.status.error(plain(f"{request.error[:1].upper()}{request.error[1:]}"), icon=":material/error:")
        else:
            self.status.caption(_told(request.answer, self.shown.methods))

    def draw(self, answer: Answer) -> None:
        """Fill the places of what is known and not drawn yet."""
        scores = answer.scores
        if scores is None:
            return
        if "scores" not in self._drawn:
            self._drawn.add("scores")
            for at, place in enumerate(self._scores):
                share = f" · probability among these texts **{percent(scores.shares[at])}**" if scores.shares else ""
                place.markdown(f"Cosine similarity of image and text **{plain(number(scores.cosines[at]))}**{share}")
            if scores.unread:
                cut = ", ".join(f"“{text[:40]}”" for text in scores.unread)
                self.notes.warning(
                    plain(
                        f"This model reads at most {scores.context} tokens; the end of "
                        f"{plural(len(scores.unread), 'text')} has no effect: {cut}"
                    )
                )
        for name in self.shown.methods:
            found = answer.maps.get(name)
            if found is None or name in self._drawn:
                continue
            self._drawn.add(name)
            for at in range(len(self.shown.texts)):
                with self._cells[at, name].container():
                    self._card(name, found, at, scores.preprocessing)
            if self._pair is not None:
                with self._cells[DIFFERENCE, name].container():
                    self._difference(name, found, self._pair, scores.preprocessing)

    def _difference(self, name: str, found: Map, pair: tuple[int, int], preprocessing: dict[str, Any]) -> None:
        shown, info = self.shown, METHODS[name]
        why = "its map is the same for every text" if info.text_free else info.own_scale
        if found.values is None or why:
            st.caption(plain(f"No difference: {why or found.problem}."))
            return
        values = found.values[pair[0]] - found.values[pair[1]]
        first, second = (shown.texts[at] for at in pair)
        about = f"Difference of the {info.title} maps of {shown.image.name} for the texts {first} and {second}"
        maps.laid(shown.dataset.root, shown.image, values, preprocessing, shown.look, signed=True, alt=about)
        maps.scale(values, signed=True, unit=f"difference; unit of the maps: {info.unit}")

    def _card(self, name: str, found: Map, at: int, preprocessing: dict[str, Any]) -> None:
        shown = self.shown
        if found.values is None:
            st.warning(plain(f"Not computed: {found.problem}"))
            return
        values, signed = found.values[at], maps.is_signed(name)
        about = f"{maps.title(name)} map of {shown.image.name} for the text {shown.texts[at]}"
        maps.laid(shown.dataset.root, shown.image, values, preprocessing, shown.look, signed=signed, alt=about)
        maps.scale(values, signed=signed, unit=METHODS[name].unit)
        st.caption(f"{values.shape[0]} × {values.shape[1]} cells")


def ask(question: Question, methods: Sequence[str], box: Box | None = None) -> Request:
    """What this session asks now; what it asked before is given up."""
    return DESK.ask(asker(), question, methods, box)


def _stage(stage: str) -> str:
    if stage in METHODS:
        return f"Computing {METHODS[stage].title} …"
    return STAGES.get(stage, "Working …")


def _told(answer: Answer, methods: Sequence[str]) -> str:
    found = [answer.maps[name] for name in methods if name in answer.maps]
    seconds = sum(each.seconds for each in found)
    title = answer.scores.title if answer.scores is not None else ""
    return plain(f"{title} · {plural(len(found), 'method')}, computed in {seconds:.1f} s")
