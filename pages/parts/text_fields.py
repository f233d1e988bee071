"""The texts of a new audit: captions, prompts, classes and templates, typed or from files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.content.words import plural
from core.datasets import Dataset, read_texts
from core.datasets.prompt_sets import prompt_sets, texts_of_sets
from core.errors import InputError
from pages.parts import sample
from pages.parts.fields import Fields
from pages.parts.words import plain

UNFOLDED = "texts_unfolded_for"
TEMPLATE = "a photo of a {}."
CLASSES = "Class names, one per line (the best matches of each image are explained)"
FILES = ["txt", "csv", "tsv", "json", "yaml", "yml"]


def choose(dataset: Dataset, fields: Fields) -> dict[str, Any]:
    """The parts of a `TextPlan`. Raises `InputError` for texts that cannot be read."""
    with_captions = sum(bool(image.captions) for image in dataset.images)
    left, right = fields.columns(2)
    captions = fields.ask(
        "toggle",
        f"Explain the captions of each image ({with_captions} of {len(dataset.images)} images have one)",
        f"captions-{dataset.id}",
        with_captions > 0,
        where=left,
        wrap=True,
        disabled=with_captions == 0,
    )
    each = fields.ask("number_input", "Captions per image", "captions_each", 1, 1, 10, where=right)
    sets = fields.ask(
        "multiselect",
        "Prompt sets for a domain",
        "prompt_sets",
        [],
        list(prompt_sets()),
        format_func=lambda name: f"{prompt_sets()[name].title} ({name})",
        help="Templates for classes, or pairs of prompts for the presence and the absence of a finding.",
    )
    set_templates, set_prompts = texts_of_sets(sets)
    for name in sets:
        fields.caption(prompt_sets()[name].label)
    left, right = fields.columns(2)
    prompts = _list(dataset, fields, "prompts", "Prompts for every image, one per line", left)
    classes = _list(dataset, fields, "classes", CLASSES, right)
    left, right = fields.columns(2)
    templates = fields.ask(
        "text_area",
        "Templates for classes, one per line, with {} for the class",
        "-".join(("templates", *sets)),
        "\n".join(set_templates) or TEMPLATE,
        where=left,
        height=90,
    )
    top = fields.ask("number_input", "Top-ranked classes explained per image", "top_classes", 1, 0, 20, where=right)
    return {
        "captions": bool(captions) and with_captions > 0,
        "captions_each": each,
        "prompts": tuple(dict.fromkeys((*prompts, *set_prompts))),
        "classes": classes,
        "templates": read_texts(templates) or ("{}",),
        "top_classes": top,
    }


def has_text(texts: dict[str, Any]) -> bool:
    """Whether parts of a `TextPlan` name any text."""
    return bool(texts["captions"] or texts["prompts"] or texts["classes"])


def unfold_once(dataset: Dataset) -> None:
    """Open the section of texts, once for each dataset that brings none: no audit starts without."""
    brought = any(image.captions for image in dataset.images) or dataset.name == sample.NAME
    typed = any(st.session_state.get(f"{kind}-{dataset.id}") for kind in ("prompts", "classes"))
    if not brought and not typed and st.session_state.get(UNFOLDED) != dataset.id:
        st.session_state[UNFOLDED] = dataset.id
        st.session_state["section-texts"] = True


def from_file(
    fields: Fields, area: str, label: str, key: str, lines_of: Callable[[bytes, str], Any], **more: Any
) -> None:
    """An uploader whose file adds its lines to the text field `area`, once; the field is drawn after it."""
    if not fields.shown:
        return
    given = st.file_uploader(label, key=key, **more)
    if given is None or st.session_state.get(f"{key}-taken") == given.file_id:
        return
    st.session_state[f"{key}-taken"] = given.file_id
    try:
        found = lines_of(given.getvalue(), given.name)
    except InputError as error:
        st.error(plain(error), icon=":material/error:")
        return
    before = str(st.session_state.get(area, "")).splitlines()
    st.session_state[area] = "\n".join(dict.fromkeys((*(line for line in before if line.strip()), *found)))


def _list(dataset: Dataset, fields: Fields, kind: str, label: str, where: Any) -> tuple[str, ...]:
    brought = read_texts(dataset.class_names) if kind == "classes" and dataset.class_names is not None else ()
    suggested = "\n".join(sample.texts(kind) if dataset.name == sample.NAME else brought)
    key = f"{kind}-{dataset.id}"
    if fields.shown:
        st.session_state.setdefault(key, suggested)
        area, file = where.container(), where.container()
        with file:
            if brought:
                st.caption(f"{plural(len(brought), 'name')} came with the images; remove those that are not classes.")
            from_file(
                fields,
                key,
                f"or a file of {kind} (TXT, CSV, JSON, YAML)",
                f"{kind}-file",
                lambda data, name: read_texts(data, name=name),
                type=FILES,
                max_upload_size=5,
            )
    else:
        area = None
    return read_texts(fields.ask("text_area", label, key, suggested, where=area, height=140))
