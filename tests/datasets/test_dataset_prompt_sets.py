"""Prompt sets: each file is whole, one slot for a class, known by its content; chosen by name."""

from __future__ import annotations

import pytest

from core import cli
from core.arguments import text_plan
from core.datasets.prompt_sets import prompt_sets, sets_of, texts_of_sets
from core.errors import InputError
from core.runs.parts import TextPlan

SETS = prompt_sets()


@pytest.mark.parametrize("name", list(SETS))
def test_a_set_is_whole(name: str) -> None:
    each = SETS[name]
    assert all((each.version, each.title, each.domain, each.source, each.licence))
    assert bool(each.templates) != bool(each.pairs)
    texts = (*each.templates, *each.prompts)
    assert len(set(texts)) == len(texts) and all(text == text.strip() for text in texts)
    if each.templates:
        assert TextPlan(templates=each.templates).templates == each.templates  # exactly one {} each
    assert all("{" not in prompt for prompt in each.prompts)


def test_the_published_lists_have_their_length_and_contents() -> None:
    assert len(SETS["imagenet-80"].templates) == 80 and len(SETS["imagenet-7"].templates) == 7
    assert set(SETS["imagenet-7"].templates) < set(SETS["imagenet-80"].templates)


def test_pairs_differ_in_presence_alone() -> None:
    for present, absent in SETS["chest-x-ray-pairs"].pairs:
        assert absent == present.replace(" with ", " without ") != present


def test_a_digest_follows_the_texts() -> None:
    assert len({each.digest for each in SETS.values()}) == len(SETS)


def test_texts_of_several_sets_are_joined_and_a_wrong_name_lists_the_right_ones() -> None:
    templates, prompts = texts_of_sets(["imagenet-7", "imagenet-80", "chest-x-ray-pairs"])
    assert len(templates) == 80 and prompts == SETS["chest-x-ray-pairs"].prompts
    with pytest.raises(InputError, match=r"no prompt set 'x'; choose from .*imagenet-80"):
        texts_of_sets(["x"])


def test_a_set_is_recognised_by_its_texts() -> None:
    def names(*arguments: tuple[str, ...]) -> list[str]:
        return [each.name for each in sets_of(*arguments)]

    assert names(SETS["imagenet-80"].templates, ()) == ["imagenet-80"]  # not the smaller one inside
    assert names(SETS["imagenet-7"].templates, ()) == ["imagenet-7"]
    assert names(SETS["imagenet-7"].templates[:-1], ()) == []
    assert names(("{}",), ("a cat", *SETS["chest-x-ray-pairs"].prompts)) == ["chest-x-ray-pairs"]


def test_the_command_line_takes_sets_beside_own_texts() -> None:
    arguments = ["audit", "--images", "x", "--out", "y", "--template", "my {}", "--prompt-set", "remote-sensing"]
    plan = text_plan(cli._parser().parse_args([*arguments, "--prompt-set", "chest-x-ray-pairs"]))
    assert plan.templates == ("my {}", *SETS["remote-sensing"].templates)
    assert plan.prompts == SETS["chest-x-ray-pairs"].prompts
    assert text_plan(cli._parser().parse_args(arguments[:5])).templates == ("a photo of a {}.",)
