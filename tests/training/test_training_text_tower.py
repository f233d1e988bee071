"""The text student: a bag of words that the transformer takes over exactly."""

from __future__ import annotations

import open_clip
import pytest
import torch
import torch.nn.functional as F

from training.strings import class_prompts
from training.text_tower import BagOfWords, Student, objective

CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 40, "width": 16, "heads": 2, "layers": 2},
}


@pytest.fixture
def clip() -> torch.nn.Module:
    torch.manual_seed(0)
    return open_clip.model.CLIP(**CONFIG)


@pytest.fixture
def ids() -> torch.Tensor:
    rows = torch.randint(1, 38, (5, 12), generator=torch.Generator().manual_seed(1))
    rows[:, 0] = 38
    for row, end in enumerate((4, 11, 2, 7, 9)):
        rows[row, end] = 39
        rows[row, end + 1 :] = 0
    return rows


def bag_of(clip: torch.nn.Module) -> BagOfWords:
    bag = BagOfWords(clip, torch.randn(40, 24, generator=torch.Generator().manual_seed(2)))
    with torch.no_grad():
        bag.vectors.weight[-2:] = torch.randn(2, 16, generator=torch.Generator().manual_seed(3))
    return bag


@torch.no_grad()
def test_the_transformer_takes_the_bag_of_words_over(clip: torch.nn.Module, ids: torch.Tensor) -> None:
    bag = bag_of(clip)
    bag.give_to(clip)
    assert torch.allclose(Student(clip)(ids), bag(ids), atol=1e-5)


@torch.no_grad()
def test_without_its_silent_start_the_transformer_says_something_else(clip: torch.nn.Module, ids: torch.Tensor) -> None:
    bag = bag_of(clip)
    bag.give_to(clip)
    clip.transformer.resblocks[1].mlp.c_proj.weight.normal_(generator=torch.Generator().manual_seed(4))
    assert not torch.allclose(Student(clip)(ids), bag(ids), atol=1e-2)


@torch.no_grad()
def test_trimmed_texts_embed_as_the_library_embeds_them(clip: torch.nn.Module, ids: torch.Tensor) -> None:
    theirs = F.normalize(clip.encode_text(ids), dim=-1)
    assert torch.allclose(Student(clip)(ids), theirs, atol=1e-5)
    for row, end in enumerate(ids.argmax(dim=1).tolist()):
        assert torch.allclose(Student(clip)(ids[row : row + 1, : end + 1]), theirs[row], atol=1e-5)


def test_a_perfect_student_has_no_loss_and_a_shuffled_one_has() -> None:
    wanted = F.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    loss, cosine = objective(wanted, wanted)
    assert (loss.item(), cosine) == (pytest.approx(0, abs=1e-5), pytest.approx(1))
    assert objective(wanted.roll(1, 0), wanted)[0].item() > 1


def test_class_prompts_are_the_same_for_the_same_seed() -> None:
    import random

    first = class_prompts(2, random.Random(0))
    assert first == class_prompts(2, random.Random(0))
    assert first != class_prompts(2, random.Random(1))
    assert len(first) == 3 * len(open_clip.IMAGENET_CLASSNAMES)
