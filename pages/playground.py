"""Playground: one image, a few texts and methods; maps within seconds, without an audit."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.audit.playground import Question
from core.audit.playground.question import MOST_TEXTS, quick_options
from core.audit.preview import state_of
from core.characters import printable
from core.content.words import plural
from core.datasets import Dataset, DatasetImage, read_texts
from core.errors import InputError
from core.extents import EXTENTS
from core.methods import METHODS
from core.models.listing import embedded_models
from core.runs import ModelSpec
from core.settings import LIMITS
from pages.parts import (
    address,
    entry,
    maps,
    methods,
    model_choice,
    playground_box,
    playground_image,
    playground_maps,
    state,
)
from pages.parts.words import plain, problems_shown

PAGE = "pages/playground.py"
USUAL_TEXTS = ("a colourful bird", "green leaves")
MOST_METHODS = 8
QUICK = 4
ON = "playground_on"


def playground() -> None:
    """The whole page."""
    left, right = st.columns((2, 3), gap="large")
    with left, problems_shown():
        picked = playground_image.choose()
        if picked is not None:
            maps.stored(picked[0].root, picked[1])
            st.caption(playground_image.about(*picked))
    with right:
        model, capabilities, waiting = choose_model()
        texts = choose_texts()
        chosen = choose_methods(capabilities)
    waiting = waiting or lacking(picked, texts, chosen)
    look = buttons(waiting)
    if picked is None or waiting:
        return
    if not st.session_state.get(ON):
        nothing_yet()
        return
    shown = playground_maps.Shown(*picked, texts, chosen, look)
    question = Question(model, picked[0].root, picked[1].id, texts, state_of(model))
    above = st.container()
    with st.container(border=True):
        st.subheader("How the model labels a box", anchor=False)
        box = playground_box.choose(*picked)
        answer = st.empty()
    keep(picked[0], texts)
    with above:
        board = playground_maps.Board(shown)
    request = playground_maps.ask(question, chosen, box)
    board.follow(request)
    region, scores = request.answer.regions.get(box) if box else None, request.answer.scores
    if region is not None and scores is not None:
        with answer.container():
            playground_box.show(region, scores, texts)


def keep(dataset: Dataset, texts: Sequence[str]) -> None:
    """Go on with an audit: its form has the dataset of the image, the texts and the model."""
    with st.container(border=True):
        st.subheader("Keep it", anchor=False)
        st.markdown(
            "Opens the form of a new audit with the dataset of this image, these texts as prompts, and this model. An "
            "image that belongs to no dataset is stored as a dataset of its own."
        )
        if not st.button("Plan an audit with it", icon=":material/arrow_forward:"):
            return
        stored = playground_image.keep(dataset)
        before = str(st.session_state.get(f"prompts-{stored.id}", "")).splitlines()
        lines = (line for line in (*before, *texts) if line.strip())
        st.session_state[f"prompts-{stored.id}"] = "\n".join(dict.fromkeys(lines))
        st.session_state["model_kind"] = st.session_state.get("playground_model_kind", "embedded")
        st.session_state["wanted_view"] = "new"
        state.show_dataset(stored.id)
        st.switch_page("pages/audit.py")


def choose_model() -> tuple[ModelSpec, tuple[str, ...] | None, str | None]:
    """The model, what it offers methods, and why it cannot be asked yet."""
    bundled = [model.name for model in embedded_models()]
    if bundled:
        address.enter("model", "model", bundled, bundled[0], str)
    model, capabilities, waiting = model_choice.choose(None, key="playground_model_kind")
    address.tell("model", [model.name] if model.name in bundled else [])
    return model, capabilities, waiting


def choose_texts() -> tuple[str, ...]:
    """The texts, one per line; empty while there is none that can be used."""
    key = "playground_texts"
    if key not in st.session_state:
        given = [printable(text) for text in st.query_params.get_all("prompt")[:MOST_TEXTS]]
        given = [text for text in given if 0 < len(text) <= LIMITS.text_characters]
        st.session_state[key] = "\n".join(given or USUAL_TEXTS)
        # A link that names texts shows their maps, as the page did that it was copied from.
        st.session_state.setdefault(ON, bool(given))
    typed = st.text_area(f"Texts, one per line, at most {MOST_TEXTS}", key=key, height=110, persist_state="session")
    try:
        found = tuple(text for text in map(printable, read_texts(typed or "")) if text)
    except InputError as error:
        st.error(plain(error), icon=":material/error:")
        return ()
    if len(found) > MOST_TEXTS:
        st.warning(f"The first {MOST_TEXTS} of {len(found)} texts are used.")
    found = found[:MOST_TEXTS]
    address.tell("prompt", found)
    return found


def choose_methods(capabilities: Sequence[str] | None) -> tuple[str, ...]:
    """The methods whose maps are asked for; those that cannot run are named with the reason."""
    with_maps = {name: info for name, info in METHODS.items() if "image" in info.sides}
    blocked = {
        name: reason
        for name, info in with_maps.items()
        if capabilities is not None and (reason := info.reasons(capabilities)["image"])
    }
    usable = [name for name in with_maps if name not in blocked]
    key = "playground_methods"
    address.enter_all(key, "method", usable, usual_methods(usable), str)
    st.session_state[key] = [name for name in st.session_state[key] if name in usable]
    picked = st.multiselect(
        f"Methods, at most {MOST_METHODS}",
        usable,
        format_func=_priced,
        key=key,
        max_selections=MOST_METHODS,
        persist_state="session",
        help="The number after a method is its cost in image forward passes for one image and one text. Methods that "
        "sample run with the options of the quick effort.",
    )
    if not picked and st.button("The quick methods", icon=":material/bolt:", on_click=_pick, args=(key, usable)):
        st.rerun()
    if blocked:
        with st.expander(f"{plural(len(blocked), 'method')} cannot run on this model"):
            reasons: dict[str, list[str]] = {}
            for name, reason in blocked.items():
                reasons.setdefault(reason, []).append(METHODS[name].title)
            st.markdown("\n".join(f"- {plain('; '.join(names))}: it {plain(why)}" for why, names in reasons.items()))
    for info in (METHODS[name] for name in picked):
        if info.notice:
            st.caption(f":material/gavel: {plain(info.title)}: {plain(info.notice)}")
    address.tell("method", picked)
    return tuple(picked)


def usual_methods(usable: Sequence[str]) -> list[str]:
    """A few quick methods whose maps depend on the text, one of each family."""
    families: dict[str, str] = {}
    for name in EXTENTS["quick"].methods(usable):
        if not METHODS[name].text_free:
            families.setdefault(METHODS[name].family, name)
    return list(families.values())[:QUICK]


def _pick(key: str, usable: Sequence[str]) -> None:
    st.session_state[key] = usual_methods(usable)


def _priced(name: str) -> str:
    cost = METHODS[name].cost(quick_options(METHODS[name])).total(1, 1)
    return f"{METHODS[name].title} · {methods.count(cost)} {'pass' if cost == 1 else 'passes'}"


def lacking(picked: tuple[Dataset, DatasetImage] | None, texts: Sequence[str], chosen: Sequence[str]) -> str | None:
    """What is missing before maps can be computed."""
    if picked is None:
        return "choose an image"
    if not texts:
        return "enter a text"
    return None if chosen else "choose a method"


def buttons(waiting: str | None) -> maps.Look:
    """Start and stop, and how maps are drawn."""
    start, stop, opacity, cells = st.columns((3, 2, 4, 3), vertical_alignment="bottom")
    start.button(
        "Compute maps",
        type="primary",
        icon=":material/play_arrow:",
        disabled=waiting is not None,
        on_click=_switch,
        args=(True,),
        width="stretch",
    )
    stop.button(
        "Stop",
        icon=":material/stop:",
        disabled=not st.session_state.get(ON),
        on_click=_switch,
        args=(False,),
        width="stretch",
    )
    look = maps.choose_look(opacity, cells)
    if waiting:
        st.info(plain(f"Before maps can be computed: {waiting}."), icon=":material/edit:")
    return look


def _switch(on: bool) -> None:
    st.session_state[ON] = on
    if on:
        playground_maps.DESK.forget(playground_maps.asker())
    else:
        playground_maps.DESK.cancel(playground_maps.asker())


def nothing_yet() -> None:
    """The empty state."""
    with st.container(border=True):
        st.markdown(
            "**No map yet.** *Compute maps* shows, for every text, where each method finds the evidence in this image. "
            "The first maps take longer, because the model has to be loaded; afterwards every change is followed."
        )


entry.through_app(PAGE)
st.title("Playground")
st.markdown(
    "Ask a model about a single image: how well do texts fit, and which parts of the image does each method hold "
    "responsible? Nothing here enters a report."
)
with problems_shown():
    playground()
