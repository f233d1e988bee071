"""Plans: each wrong part is told in one line, and the digest covers everything that determines a result."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.applications.registry import planned
from core.characters import printable
from core.errors import InputError, RunError
from core.runs import ApplicationPlan, Declared, MethodPlan, ModelSpec, Plan, TextPlan, TrustPlan, load_plan, make_plan
from core.runs.parts import PluginPlan
from core.runs.plan import canonical
from core.settings import LIMITS

BASE: dict[str, Any] = {
    "dataset": "0123456789abcdef",
    "dataset_root": "dataset/0123456789abcdef",
    "images": ("a", "b", "c"),
    "methods": ({"name": "raw"},),
}


@pytest.mark.parametrize(
    ("part", "value", "where", "what"),
    [
        ("images", (), "images", "at least 1 item"),
        ("methods", (), "methods", "neither a method nor an application"),
        ("methods", ({"name": "ras"},), "methods", "no method is called 'ras'"),
        ("methods", ({"name": "raw"}, {"name": "raw"}), "methods", "twice in the plan"),
        ("methods", ({"name": "rise", "options": {"masks": 0}},), "methods", "greater than or equal to 8"),
        ("methods", ({"name": "rise", "options": {"mask": 9}},), "methods", "rise: option 'mask'"),
        ("seed", -1, "seed", "greater than or equal to 0"),
        ("shard", 0, "shard", "greater than or equal to 1"),
        ("shard", 65, "shard", "less than or equal to 64"),
        ("version", 2, "version", "1"),
        ("texts", {"prompts": ("  ",)}, "texts.prompts", "empty text"),
        ("texts", {"classes": ("x" * (LIMITS.text_characters + 1),)}, "texts.classes", "characters"),
        ("texts", {"prompts": ("x",) * (LIMITS.texts + 1)}, "texts.prompts", "at most"),
        ("texts", {"templates": ("a photo",)}, "texts.templates", "exactly one {}"),
        ("texts", {"templates": ("{} and {}",)}, "texts.templates", "exactly one {}"),
        ("texts", {"captions_each": 0}, "texts.captions_each", "greater than or equal to 1"),
        ("texts", {"top_classes": 21}, "texts.top_classes", "less than or equal to 20"),
        ("trust", {"steps": 1}, "trust.steps", "greater than or equal to 2"),
        ("trust", {"removal": "white"}, "trust.removal", "'black', 'mean' or 'blur'"),
        ("trust", {"resamples": 99}, "trust.resamples", "greater than or equal to 100"),
        ("model", {"nme": "demo"}, "model.nme", "not permitted"),
        ("declared", {"titel": "x"}, "declared.titel", "not permitted"),
        ("colour", "red", "colour", "not permitted"),
        ("dataset", 7, "dataset", "string"),
    ],
)
def test_a_wrong_part_is_named_in_one_line(part: str, value: Any, where: str, what: str) -> None:
    make_plan(**BASE)
    with pytest.raises(InputError) as caught:
        make_plan(**{**BASE, part: value})
    told = str(caught.value)
    assert told.startswith(f"plan: {where}")
    assert what in told
    assert "\n" not in told


def test_a_missing_part_is_named() -> None:
    with pytest.raises(InputError, match="plan: dataset: Field required"):
        make_plan(**{name: value for name, value in BASE.items() if name != "dataset"})


CHANGES: dict[str, Any] = {
    "dataset": "fedcba9876543210",
    "images": ("a", "c", "b"),
    "model": ModelSpec(name="ViT-B-32"),
    "texts": TextPlan(prompts=("x",)),
    "methods": (MethodPlan(name="raw", options={"negate": True}),),
    "applications": (ApplicationPlan(name="segmentation"),),
    "trust": TrustPlan(steps=17),
    "seed": 1,
    "shard": 3,
    "thresholds": "0" * 64,
    "files": {"segmentation.truth": "0" * 64},
    "plugins": (PluginPlan(distribution="loupe-brightness", version="0.3.0"),),
}
FREE: dict[str, Any] = {"declared": Declared(title="another"), "dataset_root": "elsewhere"}


def test_every_field_is_either_covered_by_the_digest_or_declared_free() -> None:
    assert set(Plan.model_fields) == {*CHANGES, *FREE, "version"}


@settings(deadline=None, max_examples=40)
@given(covered=st.sets(st.sampled_from(sorted(CHANGES))), free=st.sets(st.sampled_from(sorted(FREE))))
def test_the_digest_changes_with_what_determines_results_and_nothing_else(covered: set[str], free: set[str]) -> None:
    plan = make_plan(**BASE)
    other = plan.model_copy(update={name: {**CHANGES, **FREE}[name] for name in covered | free})
    assert (other.digest == plan.digest) == (not covered)


_PARTS = {"model": ModelSpec, "texts": TextPlan, "trust": TrustPlan}
_VALUES: dict[tuple[str, str], Any] = {
    ("model", "name"): "x", ("model", "pretrained"): "x", ("model", "weights"): "x", ("model", "device"): "cpu",
    ("texts", "captions"): False, ("texts", "captions_each"): 2, ("texts", "prompts"): ("x",),
    ("texts", "classes"): ("x",), ("texts", "templates"): ("{}",), ("texts", "top_classes"): 0,
    ("trust", "curves"): False, ("trust", "steps"): 9, ("trust", "removal"): "blur", ("trust", "resamples"): 101,
    ("trust", "coalitions"): 7, ("trust", "confidence"): False, ("trust", "words"): False,
    ("trust", "again"): ("road",), ("trust", "again_steps"): 5,
}  # fmt: skip


def test_the_digest_covers_every_field_of_every_part() -> None:
    assert set(_VALUES) == {(name, field) for name, kind in _PARTS.items() for field in kind.model_fields}
    plain = make_plan(**BASE).digest
    digests = {make_plan(**BASE, **{name: {field: value}}).digest for (name, field), value in _VALUES.items()}
    assert len(digests) == len(_VALUES)
    assert plain not in digests


@settings(deadline=None, max_examples=40)
@given(
    title=st.text(max_size=40), prompts=st.lists(st.text(min_size=1, max_size=20).filter(printable), max_size=4),
    seed=st.integers(0, 2**40), beta=st.floats(0, 10),
)  # fmt: skip
def test_a_plan_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, title: str, prompts: list[str], seed: int, beta: float
) -> None:
    plan = make_plan(
        **{**BASE, "methods": ({"name": "m2ib", "options": {"beta": beta}},)},
        seed=seed, texts={"prompts": tuple(prompts)}, declared={"title": title},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    plan.save(path)
    again = load_plan(path)
    assert again == plan
    assert again.digest == plan.digest


def test_a_plan_can_not_be_changed() -> None:
    plan = make_plan(**BASE)
    with pytest.raises(ValueError, match="frozen"):
        plan.seed = 3  # type: ignore[misc]


@settings(deadline=None, max_examples=40)
@given(images=st.integers(1, 40), shard=st.integers(1, 64))
def test_shards_hold_every_image_once_in_order(images: int, shard: int) -> None:
    names = tuple(f"{index:02d}" for index in range(images))
    shards = make_plan(**{**BASE, "images": names}, shard=shard).shards()
    assert tuple(name for part in shards for name in part) == names
    assert all(len(part) == shard for part in shards[:-1])
    assert 1 <= len(shards[-1]) <= shard


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe\x00", b'{"version": 2}', b'{"version": 1}'])
def test_a_damaged_plan_is_told_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(data)
    with pytest.raises(RunError, match=r"plan\.json") as caught:
        load_plan(path)
    assert "\n" not in str(caught.value)


def test_a_missing_plan_says_that_this_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run directory"):
        load_plan(tmp_path / "plan.json")
    (tmp_path / "plan.json").mkdir()
    with pytest.raises(RunError, match="is a folder"):
        load_plan(tmp_path / "plan.json")


def test_a_plan_with_an_unknown_field_is_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    make_plan(**BASE).save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), "later": 1}))
    with pytest.raises(RunError, match="damaged or from another version"):
        load_plan(path)


@pytest.mark.parametrize(
    ("spec", "title"),
    [
        (ModelSpec(), "demo"),
        (ModelSpec(name="ViT-B-32", pretrained="openai"), "ViT-B-32 (openai)"),
        (ModelSpec(name="a/config.json", weights="b/w.safetensors"), "config.json with w.safetensors"),
    ],
)
def test_a_model_is_named_as_a_person_would(spec: ModelSpec, title: str) -> None:
    assert spec.title == title


def local(folder: Path, truth: Path) -> Plan:
    """A plan of the same audit whose files lie in `folder`."""
    return planned(
        **{**BASE, "dataset_root": str(folder / "data")},
        model=ModelSpec(name=str(folder / "config.json"), weights=str(folder / "w.safetensors")),
        applications=(ApplicationPlan(name="segmentation", options={"truth": str(truth)}),),
    )


def test_a_public_plan_holds_nothing_of_the_machine_and_has_the_same_digest(tmp_path: Path) -> None:
    plans = []
    for name in ("secretive-one", "secretive-two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "truth.json").write_text("{}")
        plans.append(local(folder, folder / "truth.json"))
    one, two = plans
    assert one != two and one.digest == two.digest == one.public().digest
    assert one.public() == two.public()
    told = one.public().model_dump_json()
    assert "secretive" not in told and "/" not in told
    assert one.public().model.title == one.model.title == "config.json with w.safetensors"
    # The companion: the same names with another content are another plan.
    (tmp_path / "secretive-two" / "truth.json").write_text("{} ")
    assert local(tmp_path / "secretive-two", tmp_path / "secretive-two" / "truth.json").digest != one.digest


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (ModelSpec(name="hf-hub:owner/model"), "hf-hub:owner/model"),
        (ModelSpec(name="/home/jane/model/"), "model"),
        (ModelSpec(name="C:\\Users\\jane\\model"), "model"),
        (ModelSpec(name="local-dir:/home/jane/model"), "model"),
        (ModelSpec(name="ViT-B-32", pretrained="/home/jane/w.pt"), "ViT-B-32"),
    ],
)
def test_a_public_model_keeps_names_only(spec: ModelSpec, name: str) -> None:
    assert spec.public().name == name
    assert "jane" not in spec.public().model_dump_json() and "jane" not in spec.title


def test_a_file_that_is_not_the_planned_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text("{}")
    plan = local(tmp_path, tmp_path / "truth.json")
    (tmp_path / "truth.json").write_text("[]")
    parts = {name: getattr(plan, name) for name in Plan.model_fields}
    with pytest.raises(InputError, match=r"truth\.json \(segmentation\.truth\) is not the file"):
        planned(**parts)


def test_a_plan_without_files_keeps_the_digest_of_older_versions() -> None:
    body = make_plan(**BASE).model_dump(mode="json", exclude={"declared", "dataset_root", "files", "plugins"})
    assert make_plan(**BASE).digest == hashlib.sha256(canonical(body)).hexdigest()
    assert load_plan_of(body).digest == make_plan(**BASE).digest


def load_plan_of(body: dict[str, Any]) -> Plan:
    return Plan.model_validate({**body, "dataset_root": "/old/absolute/root"})
