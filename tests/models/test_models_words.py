"""Words of texts by the marks of every kind of tokenizer, and embeddings of texts with words left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.support.tiny import Zoo, fresh
from core.models.model import Model
from core.models.trunk import TextTrunk
from core.models.word_pool import WordPool
from core.models.words import sum_words, text_words, word_groups

TEXT = "two people walk along the grey shore"


def named(model: Model, text: str) -> list[str]:
    return [word for word, _ in word_groups(model.text, model.text.tokenize([text])[0])]


@pytest.mark.parametrize("text", ["a photo of antidisestablishmentarianism on xylophones", "Two people walk, along it"])
def test_the_words_of_byte_pairs_are_those_of_the_text(zoo: Zoo, text: str) -> None:
    model = zoo("vit")
    ids = model.text.tokenize([text])[0]
    found = word_groups(model.text, ids)
    assert [word for word, _ in found] == text.lower().replace(",", " ,").split()
    positions, pieces = model.text.content(ids)
    assert [place for _, places in found for place in places] == positions
    assert any(len(places) > 1 for _, places in found) == (len(pieces) > len(found))
    if "xylo" in text:
        assert len(pieces) > len(found)


def test_a_contraction_and_letters_of_several_bytes_stay_whole(zoo: Zoo) -> None:
    assert named(zoo("vit"), "the dog's café isn't 雪国") == ["the", "dog's", "café", "isn't", "雪国"]
    assert named(zoo("vit"), "") == []


def test_pieces_of_bert_join_what_they_continue(zoo: Zoo) -> None:
    model = zoo("bert_mean")
    ids = model.text.tokenize(["two dogs, a cat"])[0]
    found = word_groups(model.text, ids)
    assert [word for word, _ in found] == ["two", "dogs", ",", "a", "cat"]
    assert [len(places) for _, places in found] == [1, 2, 1, 1, 1]


class Marked:
    """A tokenizer whose vocabulary marks the start of words."""

    def __init__(self, mark: str, pieces: list[str]) -> None:
        self.mark, self.pieces = mark, pieces

    def get_vocab(self) -> dict[str, int]:
        return {piece: at for at, piece in enumerate([*self.pieces, self.mark + "z"])}

    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]:
        return [self.pieces[at] for at in ids]

    def convert_tokens_to_string(self, pieces: list[str]) -> str:
        return "".join(pieces).replace(self.mark, " ")


@pytest.mark.parametrize("mark", ["\u2581", "\u0120"])
@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["_sand", "piper", "_on", "_the", "_shore", "."], ["sandpiper", "on", "the", "shore", "."]),
        (["sand", "piper"], ["sandpiper"]),
        (["_well", "-", "known", "_don", "'", "t"], ["well", "-", "known", "don't"]),
    ],
)
def test_marks_of_starts(mark: str, pieces: list[str], words: list[str]) -> None:
    inner = Marked(mark, [piece.replace("_", mark) for piece in pieces])
    tower: Any = SimpleNamespace(
        tokenizer=SimpleNamespace(tokenizer=inner), content=lambda ids: (list(range(1, len(pieces) + 1)), pieces)
    )
    found = word_groups(tower, torch.tensor([0, *range(len(pieces))]))
    assert [word for word, _ in found] == words
    assert [place for _, places in found for place in places] == list(range(1, len(pieces) + 1))


def test_values_of_tokens_sum_to_words(zoo: Zoo) -> None:
    texts = TextTrunk(zoo("bert_mean"), ["two dogs walk", "a cat"])
    words = text_words(texts)
    assert words[0] == [("two", (0,)), ("dogs", (1, 2)), ("walk", (3,))]
    assert words[1] == [("a", (0,)), ("cat", (1,))]
    values = np.array([[[1.0, 2, 4, 8]]])
    assert sum_words(values, words[0]).tolist() == [[[1, 6, 8]]]
    assert sum_words(values[..., ::-1], words[0]).tolist() != [[[1, 6, 8]]]


@pytest.mark.parametrize("family", ["vit", "timm_cls", "registers", "coca", "bert_mean", "bert_first", "mt5", "nllb"])
def test_a_text_without_some_words_is_the_shorter_text(zoo: Zoo, family: str) -> None:
    model = fresh(zoo(family))
    pool = WordPool(model, TEXT)
    assert [word for word, _ in pool.words] == TEXT.split()
    kept = torch.rand(6, 7, generator=torch.Generator().manual_seed(1)) < 0.5
    kept = torch.cat([kept, torch.zeros(1, 7).bool(), torch.ones(1, 7).bool(), kept[:2]])
    with model.meter.measuring() as spent:
        got = pool.embeddings(kept)
    assert spent.text == len(pool) == len(torch.unique(kept, dim=0))
    with torch.no_grad():
        strings = [" ".join(word for word, stays in zip(TEXT.split(), row, strict=True) if stays) for row in kept]
        expected = model.embed_texts(strings)
    assert torch.allclose(got, expected, atol=1e-5)
    assert not torch.allclose(got[:6], expected[:6].roll(1, 0), atol=1e-3)
    with model.meter.measuring() as again:
        assert torch.equal(pool.embeddings(kept.flip(0)), got.flip(0))
    assert again.text == 0
