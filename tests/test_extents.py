"""The starting points of an audit: they grow, name nothing, and what an application lacks is said in words."""

from __future__ import annotations

import pytest

from core.applications.registry import APPLICATIONS
from core.extents import EXTENTS
from core.methods import METHODS

ALL = {"images": 99, "captions": 99, "prompts": 9, "classes": 9, "metadata": 2, "maps": 5}
NONE = dict.fromkeys(ALL, 0)


def test_each_covers_what_the_one_before_covers() -> None:
    quick, standard, everything = EXTENTS.values()
    for smaller, larger in ((quick, standard), (standard, everything)):
        assert set(smaller.methods(METHODS)) < set(larger.methods(METHODS))
        assert set(smaller.applications(100)) < set(larger.applications(100))
        assert smaller.count(1000) < larger.count(1000)
    assert set(everything.applications(100)) == set(APPLICATIONS)
    assert everything.count(7) == quick.count(7) == 7


def test_every_application_runs_on_all_inputs_and_says_what_it_lacks_without() -> None:
    for application in APPLICATIONS.values():
        card = application.card
        assert card.lacks(ALL) is None
        assert (card.lacks(NONE) is None) == (not card.inputs)


@pytest.mark.parametrize(
    ("name", "given", "options", "reason"),
    [
        ("segmentation", {}, {}, "it needs a class, a prompt or the option labels"),
        ("segmentation", {}, {"labels": ["sky"]}, None),
        ("segmentation", {"prompts": 1}, {}, None),
        ("knowledge", {"classes": 1}, {}, "it needs 2 classes"),
        ("pairs", {"captions": 7}, {}, "it needs captions of 8 images"),
        ("mosaic", {"captions": 9}, {}, "it needs a selected method that makes image maps"),
    ],
)
def test_what_an_application_lacks(name: str, given: dict[str, int], options: dict[str, object], reason: str) -> None:
    assert APPLICATIONS[name].card.lacks({**NONE, **given}, options) == reason
