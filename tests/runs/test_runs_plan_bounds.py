"""What a stranger's plan may hold: texts, numbers and files within bounds, each refusal in one short line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError, RunError
from core.runs import load_plan, make_plan
from core.settings import LIMITS

BASE: dict[str, Any] = {
    "dataset": "0123456789abcdef",
    "dataset_root": "dataset/0123456789abcdef",
    "images": ("a", "b", "c"),
    "methods": ({"name": "rise"},),
}


def stored(path: Path, **changes: Any) -> Path:
    body = make_plan(**BASE).model_dump(mode="json") | changes
    path.write_text(json.dumps(body))
    return path


def test_texts_are_cleaned_however_they_come(tmp_path: Path) -> None:
    title, clean = "\u202eQuarterly\x0baudit\ud800\uffff", "Quarterly audit"
    made = make_plan(
        **BASE, declared={"title": title, "purpose": title, "reviewer": title},
        texts={"prompts": (title,), "classes": (title,), "templates": (f"{title} {{}}",)},
    )  # fmt: skip
    read = load_plan(stored(tmp_path / "plan.json", declared={"title": title}, texts={"prompts": [title]}))
    assert {made.declared.title, made.declared.purpose, made.declared.reviewer, read.declared.title} == {clean}
    assert made.texts.prompts == made.texts.classes == read.texts.prompts == (clean,)
    assert made.texts.templates == (f"{clean}   {{}}",)
    made.save(tmp_path / "again.json")
    assert load_plan(tmp_path / "again.json") == made


def test_a_title_of_nothing_is_the_usual_one() -> None:
    assert make_plan(**BASE, declared={"title": "\x0b \u200f"}).declared.title == "Audit of a vision-language model"


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"declared": {"title": "x" * 201}}, "declared.title"),
        ({"declared": {"title": "x" * 10**6}}, "declared.title"),
        ({"declared": {"purpose": "x" * 2001}}, "declared.purpose"),
        ({"texts": {"prompts": ["x" * 2000] * 1001}}, "texts.prompts"),
        ({"texts": {"templates": ["{}"] * 201}}, "texts.templates"),
        ({"texts": {"templates": []}}, "texts.templates"),
        ({"texts": {"prompts": ["\x0b"]}}, "texts.prompts"),
        ({"methods": [{"name": "rise", "options": {"masks": 10**12}}]}, "methods.0.options"),
        ({"methods": [{"name": "rise", "options": {"masks": 10**399}}]}, "methods.0.options"),
        ({"methods": [{"name": "rise", "options": {"keep": [[[[1]]]]}}]}, "methods.0.options"),
        ({"methods": [{"name": "x" * 10**6}]}, "methods.0.name"),
        ({"methods": [{"name": "raw"}] * 201}, "methods"),
        ({"images": ["a"] * 2}, "images"),
        ({"images": ["x" * 65]}, "images.0"),
        ({"images": [str(at) for at in range(LIMITS.files + 1)]}, "images"),
        ({"seed": 2**53}, "seed"),
        ({"seed": 10**399}, "seed"),
        ({"seed": []}, "seed"),
        ({"thresholds": "x"}, "thresholds"),
        ({"files": {"a": "b"}}, "files.a"),
        ({"model": {"name": "x" * 4097}}, "model.name"),
        ({"trust": {"coalitions": 10**12}}, "trust.coalitions"),
        ({"x\x1b[31m\n": 1}, "x"),
    ],
)
def test_what_is_out_of_bounds_is_one_short_line(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    with pytest.raises(RunError, match="is damaged or from another version") as caught:
        load_plan(stored(tmp_path / "plan.json", **changes))
    told = str(caught.value).split("another version: ")[1]
    assert told.startswith(where)
    assert len(told) < 500 and "\n" not in told and "\x1b" not in told
    with pytest.raises(InputError):
        make_plan(**{**BASE, **changes})


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"seed": 1' + "0" * 5000 + "}", "not valid JSON"),
        ('{"seed": NaN}', "NaN is not a number"),
        ('{"seed": Infinity}', "Infinity is not a number"),
        ('{"seed": 1, "seed": 2}', "'seed' appears twice in it"),
        ('{"seed": "\\ud800"}', "dataset"),
        ("7", "valid dictionary"),
        ("\x00", "not valid JSON"),
        ("", "not valid JSON"),
    ],
)
def test_a_file_that_is_no_plan_is_one_short_line(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(RunError, match=what) as caught:
        load_plan(tmp_path / "plan.json")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_a_plan_that_is_too_large_or_no_file_is_refused_at_once(tmp_path: Path) -> None:
    with (tmp_path / "plan.json").open("wb") as file:
        file.truncate(LIMITS.plan_bytes + 1)
    with pytest.raises(RunError, match="larger than 32 MiB"):
        load_plan(tmp_path / "plan.json")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(RunError, match="not a regular file"):
            load_plan(path)


def test_a_number_of_words_that_is_within_all_bounds_is_taken() -> None:
    plan = make_plan(**BASE, texts={"prompts": ("x" * 2000,) * 1000}, declared={"title": "x" * 200}, seed=2**53 - 1)
    assert len(plan.texts.prompts) == 1000 and len(plan.declared.title) == 200
