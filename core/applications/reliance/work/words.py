"""Words: leaving them out of a text, sharing its score among them, and trying them in other sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from core.applications.reliance.work.names import is_kin
from core.applications.reliance.work.texts import Bank
from core.attribution.contract import Work
from core.attribution.shapley import coalitions_for, shapley_values
from core.concepts.english import FRAMES, content_words, is_function
from core.models.model import Model
from core.models.word_pool import WordPool

BUDGET = 40
CARRIERS = (
    "a photo of a {}.",
    "this is a {}.",
    "there is a {} on the left.",
    "the {} is big.",
    "someone looks at the {}.",
    "a small {} and a house.",
    "a {} in the background.",
    "a drawing of one {}.",
)
KERNEL_SHAP = "kernel_shap"
Row = dict[str, Any]


def counts(word: str) -> bool:
    """Whether it is a word at all; signs of punctuation are not."""
    return any(letter.isalnum() for letter in word)


def function_share(words: Sequence[str], values: Sequence[float]) -> float | None:
    """The share of the positive attribution of words that lies on function words; None if nothing is positive.

    Signs of punctuation count on neither side.
    """
    pairs = [(word, max(float(value), 0.0)) for word, value in zip(words, values, strict=True) if counts(word)]
    total = sum(value for _, value in pairs)
    return sum(value for word, value in pairs if is_function(word)) / total if total > 0 else None


class TextGame:
    """One text with its words left out one by one, and in coalitions; embedded once for all images."""

    def __init__(self, model: Model, text: str, kind: str, sentence: str, work: Work) -> None:
        self.text, self.kind, self.sentence = text, kind, sentence
        pool = WordPool(model, sentence)
        self.words = [word for word, _ in pool.words]
        count = len(self.words)
        self.ready = count > 1
        if not self.ready:
            return
        self.coalitions = coalitions_for(
            count, max(BUDGET, count + 2), work.generator("reliance words", sentence, BUDGET)
        )
        function = torch.tensor([counts(word) and is_function(word) for word in self.words])
        self.function = function.tolist()
        ends = torch.stack([torch.ones(count), torch.zeros(count)]).bool()
        rows = torch.cat([ends, ~torch.eye(count, dtype=torch.bool), ~function[None], self.coalitions.rows])
        found = pool.embeddings(rows).double()
        self.full, self.empty = found[0], found[1]
        self.without, self.bare = found[2 : 2 + count], found[2 + count]
        self.drawn = found[3 + count :]
        self.change = (1 - self.without @ self.full).cpu().tolist()
        self._falls: list[Tensor] = []

    def row_of(
        self, image: Tensor, about: Mapping[str, Any], stored: Mapping[str, tuple[list[str], list[float]]]
    ) -> list[Row]:
        """The rows of the table `texts` for one image `(embedding,)`, one a method; `stored` holds words and values.

        Nothing for a text without function words or without others.
        """
        if not self.ready:
            return []
        image = image.double()
        self._falls.append((self.full - self.without) @ image)
        real = [word for word in self.words if counts(word)]
        functions = sum(is_function(word) for word in real)
        if not 0 < functions < len(real):
            return []
        values = shapley_values(self.coalitions, (self.drawn @ image).cpu()[:, None])[:, 0].tolist()
        shares = {KERNEL_SHAP: function_share(self.words, values)}
        shares |= {method: function_share(*pair) for method, pair in stored.items() if method != KERNEL_SHAP}
        common = {
            **about,
            "text": self.text,
            "text_kind": self.kind,
            "words": len(real),
            "function": functions,
            "fall": float((self.full - self.bare) @ image),
            "total": float((self.full - self.empty) @ image),
        }
        return [{**common, "method": method, "share": share} for method, share in shares.items()]

    def word_rows(self) -> list[Row]:
        """The rows of the table `words`, over the images that `row_of` was asked for."""
        if not self.ready or not self._falls:
            return []
        falls = torch.stack(self._falls).mean(dim=0).cpu().tolist()
        return [
            {
                "text": self.text,
                "text_kind": self.kind,
                "at": at,
                "word": word,
                "function": is_function(word),
                "change": self.change[at],
                "fall": falls[at],
                "images": len(self._falls),
            }
            for at, word in enumerate(self.words)
        ]


def frequent_words(texts: Sequence[str], most: int) -> list[str]:
    """The content words of the texts, those of most texts first, at most `most`."""
    found = Counter(word for text in texts for word in content_words(text) if word not in FRAMES)
    return [word for word, _ in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))][:most]


def in_sentences(model: Model, words: Sequence[str]) -> Tensor:
    """Unit embeddings `(words, sentences, embedding)` of each word in each of `CARRIERS`, float64."""
    if not words:
        return torch.empty(0, len(CARRIERS), 0, dtype=torch.float64)
    found = model.embed_texts([carrier.format(word) for word in words for carrier in CARRIERS])
    return found.double().unflatten(0, (len(words), len(CARRIERS)))


def carrier_rows(model: Model, words: Sequence[str], spoken: Tensor) -> list[Row]:
    """The rows of the table `carriers`: each word in each sentence against the sentence without it.

    `spoken` is what `in_sentences` gives. The last sentences hold another of the words beside it: a word that the model
    supposes where none is given changes nothing alone, and much beside another.
    """
    if not words:
        return []
    more = [beside(words, at) for at in range(len(words))]
    pairs = [(word, sentence) for word, own in zip(words, more, strict=True) for sentence in own]
    if pairs:
        found = model.embed_texts([sentence.format(word) for word, sentence in pairs]).double()
        spoken = torch.cat([spoken, found.unflatten(0, (len(words), len(more[0])))], dim=1)
    sentences = [[*CARRIERS, *own] for own in more]
    # The fixed sentences are the same for every word once it is left out.
    bare = {sentence: " ".join(sentence.replace("{}", "").split()) for own in sentences for sentence in own}
    place = {text: at for at, text in enumerate(dict.fromkeys(bare.values()))}
    without = model.embed_texts(list(place)).double()
    at_bare = torch.tensor([[place[bare[sentence]] for sentence in own] for own in sentences])
    change = (1 - (spoken * without[at_bare]).sum(dim=-1)).cpu()
    typical = change.median(dim=0).values.tolist()
    return [
        {"word": word, "carrier": sentence, "change": float(change[at, of]), "typical": typical[of]}
        for at, (word, own) in enumerate(zip(words, sentences, strict=True))
        for of, sentence in enumerate(own)
    ]


def beside(words: Sequence[str], at: int) -> list[str]:
    """Two sentences for the word at this place, each with one of the words that follow it."""
    if len(words) < 3:
        return []
    first, second = (words[(at + step) % len(words)] for step in (1, 2))
    return [f"a {{}} and a {first}", f"a {second} and a {{}}"]


def twin_rows(words: Sequence[str], spoken: Tensor) -> list[Row]:
    """The rows of the table `twins`: each word and the other that it can be told from least, in each sentence.

    `spoken` is what `in_sentences` gives.
    """
    if len(words) < 2:
        return []
    every = spoken.transpose(0, 1)
    far = (1 - every @ every.mT).clamp(min=0.0).cpu()
    above = torch.triu_indices(len(words), len(words), offset=1)
    typical = far[:, above[0], above[1]].median(dim=1).values.tolist()
    worst = far.amax(dim=0).fill_diagonal_(torch.inf)
    return [
        {"word": word, "other": words[other], "kin": is_kin(word, words[other]), "carrier": carrier}
        | {"distance": float(far[of, at, other]), "typical": typical[of]}
        for at, (word, other) in enumerate(zip(words, worst.argmin(dim=1).tolist(), strict=True))
        for of, carrier in enumerate(CARRIERS)
    ]


def template_rows(
    bank: Bank, templates: Sequence[str], images: Tensor, about: Sequence[Mapping[str, Any]], best: Sequence[int]
) -> list[Row]:
    """The rows of the table `templates` for images `(images, embedding)` whose best class of the plan is `best`."""
    if len(bank.classes) < 2:
        return []
    rows: list[Row] = []
    for template in dict.fromkeys([*bank.templates, *templates]):
        cosines = (images @ bank.model.embed_texts(bank.classes, [template]).T).double().cpu()
        spread = cosines.std(dim=1, unbiased=False).tolist()
        for at, part in enumerate(about):
            first = int(cosines[at].argmax())
            scores = {"own": float(cosines[at, best[at]]), "score": float(cosines[at, first]), "spread": spread[at]}
            rows.append({**part, "template": template, "best": bank.classes[first], **scores})
    return rows
