"""Texts: batches, templates, tokens, truncation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from benchmarks.support.tiny import TEXTS, Zoo, fresh
from core.errors import InputError
from core.models.trunk import TextTrunk

FAMILIES = ("vit", "siglip", "registers", "bert_mean", "bert_cls")
LONG = "a dog walk along the shore of the grey shore " * 6


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_embeds_alike_in_every_batch(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    many = [*TEXTS, *(f"{text} {count}" for text in TEXTS for count in range(30)), "", LONG]
    together = model.embed_texts(many)
    for index in (0, 1, 2, 40, len(many) - 2, len(many) - 1):
        assert torch.allclose(together[index], model.embed_texts([many[index]])[0], atol=1e-6)
    assert torch.allclose(together.norm(dim=-1), torch.ones(len(many)), atol=1e-6)
    backwards = model.embed_texts(many[::-1])
    assert torch.allclose(backwards.flip(0), together, atol=1e-6)
    # Order matters, and it is kept: the batch backwards isn't the batch.
    assert not torch.allclose(backwards, together, atol=1e-3)


def test_templates_average_unit_embeddings(zoo: Zoo) -> None:
    model = zoo("vit")
    templates = ("a photo of a {}", "{} on the grey mat", "the {}.")
    got = model.embed_texts(TEXTS, templates)
    for index, text in enumerate(TEXTS):
        total, lengths = torch.zeros(32), torch.zeros(32)
        for template in templates:
            one = model.net.encode_text(model.text.tokenizer([template.replace("{}", text)]))[0]
            total, lengths = total + one / one.norm(), lengths + one
        assert torch.allclose(got[index], total / total.norm(), atol=1e-6)
        # Neither the mean of vectors with their lengths nor a mean that keeps its own.
        assert not torch.allclose(got[index], lengths / lengths.norm(), atol=1e-5)
        assert not torch.allclose(got[index], total / len(templates), atol=1e-4)
    assert not torch.allclose(got, model.embed_texts(TEXTS), atol=1e-3)
    assert torch.equal(model.embed_texts(TEXTS, ()), model.embed_texts(TEXTS))


def test_a_text_with_braces_goes_into_a_template(zoo: Zoo) -> None:
    model = zoo("vit")
    got = model.embed_texts(["a {red} bird"], ("see {}",))
    assert torch.allclose(got, model.embed_texts(["see a {red} bird"]), atol=1e-6)


@pytest.mark.parametrize("templates", [("a photo",), ("a {photo}",), ("a {} of {",)])
def test_a_template_without_one_place_for_the_text_is_refused(zoo: Zoo, templates: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="template") as caught:
        zoo("vit").embed_texts(TEXTS, templates)
    assert "\n" not in str(caught.value)


def test_one_template_given_as_a_string_is_one_template(zoo: Zoo) -> None:
    model = zoo("vit")
    assert torch.equal(model.embed_texts(TEXTS, "a {}"), model.embed_texts(TEXTS, ("a {}",)))
    assert TextTrunk(model, TEXTS, "a {}").templates == ("a {}",)


def test_no_texts_are_an_input_error(zoo: Zoo) -> None:
    with pytest.raises(InputError, match="no texts"):
        zoo("vit").embed_texts([])


@pytest.mark.parametrize("family", FAMILIES)
def test_content_names_the_words_and_leaves_special_tokens_out(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = TextTrunk(model, ["a red bird", "the dog"])
    (first, pieces), (second, others) = trunk.content
    assert [piece.strip() for piece in pieces] == ["a", "red", "bird"]
    assert [piece.strip() for piece in others] == ["the", "dog"]
    assert first == [1, 2, 3]
    assert second == [1, 2]


def test_pieces_outside_ascii_are_readable(zoo: Zoo) -> None:
    (positions, pieces) = TextTrunk(zoo("vit"), ["café"]).content[0]
    assert "".join(pieces) == "café"
    assert len(positions) == len(pieces)


@pytest.mark.parametrize("family", FAMILIES)
def test_truncation_is_told(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    assert model.text.truncated(LONG)
    assert not model.text.truncated("a red bird")
    assert TextTrunk(model, [LONG]).ids.shape[1] <= model.text.context


@pytest.mark.parametrize("family", FAMILIES)
def test_readout_weighs_what_the_tower_reads(zoo: Zoo, family: str) -> None:
    model = zoo(family)
    trunk = TextTrunk(model, TEXTS)
    weight = model.text.readout(trunk.ids)
    assert torch.allclose(weight.sum(dim=1), torch.ones(len(TEXTS)))
    state = trunk.entering(model.text.depth).clone()
    before = F.normalize(model.text.leave(state, trunk.ids), dim=-1)
    # Positions of no weight don't matter; those with weight do.
    garbage = torch.where((weight > 0)[..., None], state, torch.full_like(state, 3.0))
    assert torch.allclose(F.normalize(model.text.leave(garbage, trunk.ids), dim=-1), before, atol=1e-6)
    other = torch.where((weight > 0)[..., None], state.flip(-1), state)
    assert not torch.allclose(F.normalize(model.text.leave(other, trunk.ids), dim=-1), before, atol=1e-3)


def test_each_text_counts_once(zoo: Zoo) -> None:
    model = fresh(zoo("vit"))
    with model.meter.measuring() as spent:
        model.embed_texts(TEXTS)
    assert (spent.text, spent.image) == (len(TEXTS), 0)
    with model.meter.measuring() as spent:
        model.embed_texts(TEXTS, ("a {}", "the {}"))
    assert spent.text == 2 * len(TEXTS)
