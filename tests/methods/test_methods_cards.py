"""The catalogue: every card is complete, its options validate, its cost grows, and its code is there."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest
from pydantic_core import PydanticUndefined

from core.applications.registry import APPLICATIONS
from core.attribution.registry import method_module
from core.errors import InputError
from core.languages import say, speaking, voice_of
from core.methods import CAPABILITIES, METHODS, MethodInfo, method_info, reason_missing
from core.methods.capability import reason_told
from core.methods.presets import EFFORTS
from core.settings import ROOT

CARDS = pytest.mark.parametrize("info", METHODS.values(), ids=METHODS.keys())
SUPPORT = {
    "__init__",
    "context",
    "contract",
    "explain",
    "gradients",
    "regions",
    "registry",
    "shapley",
    "channels",
    "pixels",
    "relevance",
    "self_attention",
    "readout",
    "decomposition",
    "draws",
    "kept",
    "surrogate",
    "mask_inversion",
    "meta_game",
    "word_games",
}
WORDS = ("title", "paper", "family", "idea", "assumes", "fails", "differs", "unit")


@CARDS
def test_a_card_says_everything(info: MethodInfo) -> None:
    for name in WORDS:
        text = getattr(info, name)
        assert text.strip() == text != "", name
        assert "\n" not in text
    for name in ("idea", "assumes", "fails", "differs"):
        assert getattr(info, name).endswith(".")
    assert 2010 <= info.year <= 2100
    assert METHODS[info.name] is info
    assert info.sides
    assert set(info.sides) <= {"image", "text"}


@CARDS
def test_a_method_needs_only_capabilities_that_exist(info: MethodInfo) -> None:
    assert info.needs
    assert info.needs <= set(CAPABILITIES)
    assert all(info.sides.values())


@CARDS
def test_every_option_has_a_default_a_kind_and_a_description(info: MethodInfo) -> None:
    parsed = info.parse()
    assert set(parsed.model_dump()) == set(info.options)
    for name, option in info.options.items():
        assert option.default is not PydanticUndefined, f"{name} has no default"
        assert getattr(parsed, name) == option.default
        assert option.kind
        assert len(option.description) > 10
        assert option.description[0].islower()
    assert info.paper_exact == ("paper_exact" in info.options)


@CARDS
def test_the_code_serves_exactly_the_sides_of_the_card(info: MethodInfo) -> None:
    card, module = method_module(info.name)
    assert card is info
    assert {side for side in ("image", "text") if hasattr(module, f"attribute_{side}")} == set(info.sides)
    for side in info.sides:
        function = getattr(module, f"attribute_{side}")
        assert list(inspect.signature(function).parameters) == ["work", "options"]
        assert function.__doc__


def test_there_is_no_method_without_a_card_and_no_card_without_a_page() -> None:
    files = {path.stem for path in (ROOT / "core" / "attribution").glob("*.py")} - SUPPORT
    assert files == set(METHODS)
    for name in SUPPORT:
        module = import_module(f"core.attribution.{name}" if name != "__init__" else "core.attribution")
        assert not hasattr(module, "attribute_image")
    pages = {path.stem for path in (ROOT / "docs" / "methods").glob("*.md")} - {"README"}
    assert pages == set(METHODS)


@CARDS
def test_a_page_names_its_options_with_their_defaults(info: MethodInfo) -> None:
    page = (ROOT / "docs" / "methods" / f"{info.name}.md").read_text()
    index = (ROOT / "docs" / "methods" / "README.md").read_text()
    assert page.startswith(f"# {info.title}")
    assert f"({info.name}.md)" in index
    assert 40 <= len(page.splitlines()) <= 90
    for name, option in info.options.items():
        rows = [line for line in page.splitlines() if line.startswith(f"| `{name}` | ")]
        assert len(rows) == 1, f"{name} has no row in the table of options"
        default = "none" if option.default is None else str(option.default).lower()
        assert rows[0].split("|")[2].strip() == f"`{default}`"


@CARDS
def test_cost_is_positive_and_linear_in_images(info: MethodInfo) -> None:
    cost = info.cost()
    assert all(value >= 0 for value in vars(cost).values())
    assert cost.total(1, 1) > 0
    assert cost.total(4, 3) == pytest.approx(4 * cost.total(1, 3))
    assert cost.total(1, 9) >= cost.total(1, 1)
    assert cost.total_text(2, 3) >= 3
    assert (cost.text_pair > 0) == ("text" in info.sides and not info.text_free)


@pytest.mark.parametrize(
    ("method", "less", "more"),
    [
        ("rise", {"masks": 10}, {"masks": 20}),
        ("m2ib", {"steps": 2}, {"steps": 4}),
        ("m2ib", {"samples": 2}, {"samples": 4}),
        ("m2ib", {"layer": 8}, {"layer": 2}),
        ("m2ib", {"layer": -3}, {"layer": -9}),
        ("gae", {"start_layer": "last"}, {"start_layer": "all"}),
        ("legrad", {"layers": 1}, {"layers": 3}),
        ("clip_surgery", {"depth": 2}, {"depth": 6}),
    ],
)
def test_cost_grows_with_what_makes_more_work(method: str, less: dict[str, Any], more: dict[str, Any]) -> None:
    info = METHODS[method]
    assert info.cost(less).total(1, 2) < info.cost(more).total(1, 2)
    assert info.cost(less).total(1, 2) == info.cost(dict(less)).total(1, 2)


@CARDS
@pytest.mark.parametrize("depth", [1, 2, 3, 24])
def test_cost_is_sound_on_towers_of_any_depth(info: MethodInfo, depth: int) -> None:
    assert info.cost(None, depth).total(1, 1) > 0
    assert all(value >= 0 for value in vars(info.cost(None, depth)).values())


def test_the_bottleneck_costs_the_same_with_its_default_layer_named() -> None:
    info = METHODS["m2ib"]
    assert info.cost({}, 12) == info.cost({"layer": 9}, 12) == info.cost({"layer": -3}, 12)
    assert info.cost({}, 2) == info.cost({"layer": 0}, 2)


@pytest.mark.parametrize(
    ("method", "options", "what"),
    [
        ("rise", {"masks": "many"}, "rise: option 'masks'"),
        ("rise", {"keep": 1.0}, "rise: option 'keep'"),
        ("rise", {"removal": "white"}, "'black', 'mean' or 'blur'"),
        ("m2ib", {"beta": -1}, "greater than or equal to 0"),
        ("m2ib", {"beta": float("nan")}, "m2ib: option 'beta'"),
        ("m2ib", {"var": 1}, "its options: layer, text_layer, beta"),
        ("legrad", {"layers": 0}, "legrad: option 'layers'"),
        ("clip_surgery", {"temperature": 0}, "greater than 0"),
        ("gradcam", {"weighting": "both"}, "'channel' or 'element'"),
        ("raw", {"depth": 3}, "its options: negate"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(method: str, options: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError) as caught:
        METHODS[method].parse(options)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_method_is_told_with_the_nearest() -> None:
    assert method_info("rise") is METHODS["rise"]
    with pytest.raises(InputError, match="did you mean gradcam"):
        method_info("grad_cam")
    with pytest.raises(InputError, match="known: raw, clip_surgery"):
        method_info("zzzz")


def test_what_is_missing_is_named_in_words() -> None:
    assert reason_missing(("places",), ("places", "embeddings")) is None
    assert reason_missing((), ()) is None
    both = reason_missing(("places", "image_attention"), ("embeddings",))
    assert both == f"needs a model that {CAPABILITIES['places']} and {CAPABILITIES['image_attention']}"
    reasons = METHODS["m2ib"].reasons({"text_layers"})
    assert reasons["text"] is None
    assert CAPABILITIES["image_layers"] in str(reasons["image"])


def test_efforts_set_options_that_exist_and_never_cost_more_than_thorough() -> None:
    assert set(EFFORTS) == {"quick", "standard", "thorough"}
    for info in METHODS.values():
        assert set(info.efforts) <= set(EFFORTS)
        for options in (*info.efforts.values(), info.coarse):
            info.parse(options)
    steps = [EFFORTS[effort].steps for effort in ("quick", "standard", "thorough")]
    assert steps == sorted(steps)
    # The coalitions that maps are compared with cost nothing beside those of RISE.
    for effort in EFFORTS.values():
        rise = METHODS["rise"].parse(effort.of("rise")).model_dump()
        assert effort.coalitions <= rise["masks"]
    for method, info in METHODS.items():
        totals = [info.cost(EFFORTS[effort].of(method)).total(1, 1) for effort in ("quick", "standard", "thorough")]
        assert totals == sorted(totals)
    for application in APPLICATIONS.values():
        parsed = [
            application.card.parse(application.card.preset(effort)) for effort in ("quick", "standard", "thorough")
        ]
        spent = [application.card.cost_model(options) for options in parsed]
        assert spent == sorted(spent)
    assert EFFORTS["thorough"].of("rise") == EFFORTS["quick"].of("raw") == {}


def test_a_recorded_reason_is_told_in_the_language_of_a_report() -> None:
    needs = ("image_attention", "gradients", "embeddings")
    several = reason_missing(needs, ())
    assert several is not None and reason_told(several) == several
    with speaking(voice_of("de")):
        told = [say(CAPABILITIES[need]) for need in needs]
        assert not {*told} & {*CAPABILITIES.values()}
        assert reason_told(several) == f"benötigt ein Modell, das {' und '.join(told)}"
        # What has another form stays as it was recorded.
        for other in ("needs a model that sings", "is not installed", f"{several} and sings"):
            assert reason_told(other) == other
