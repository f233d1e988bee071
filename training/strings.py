"""The strings a student text tower learns from: captions, class names in templates, WordNet lemmas and glosses."""

from __future__ import annotations

import random
import zipfile
from pathlib import Path

import nltk
from open_clip import IMAGENET_CLASSNAMES, OPENAI_IMAGENET_TEMPLATES

# What a person can point at. Other nouns ("justice") come as bare words only.
CONCRETE = {
    "noun.animal", "noun.artifact", "noun.body", "noun.food", "noun.object", "noun.person", "noun.phenomenon",
    "noun.plant", "noun.substance", "noun.shape", "noun.group", "noun.location",
}  # fmt: skip
SHORT_TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "the {}", "a {} in the image")


def captions(archive: Path, images: set[str]) -> list[str]:
    """Flickr8k captions of the named images only: those of held-out images stay unseen."""
    with zipfile.ZipFile(archive) as file:
        lines = file.read("Flickr8k.token.txt").decode().splitlines()
    rows = (line.split("\t") for line in lines if "\t" in line)
    return [text.strip() for name, text in rows if name.split("#")[0] in images]


def class_prompts(templates_each: int, chance: random.Random) -> list[str]:
    """Each ImageNet class name bare and in `templates_each` of the published templates."""
    found = list(IMAGENET_CLASSNAMES)
    for name in IMAGENET_CLASSNAMES:
        found += [template(name) for template in chance.sample(OPENAI_IMAGENET_TEMPLATES, templates_each)]
    return found


def wordnet_strings(wordnet: Path, glosses: int, chance: random.Random) -> list[str]:
    """Lemmas of concrete nouns (bare and in a template), common words of every kind, and `glosses` noun glosses."""
    # NLTK reads only below its own data path.
    nltk.data.path.insert(0, str(wordnet))
    reader = nltk.corpus.wordnet
    words: set[str] = set()
    explained: list[str] = []
    for synset in reader.all_synsets():
        lemmas = [lemma for lemma in synset.lemmas() if len(lemma.name().split("_")) <= 3]
        spelled = [lemma.name().replace("_", " ") for lemma in lemmas]
        if synset.lexname() in CONCRETE:
            words.update(spelled)
            explained.append(synset.definition())
        else:
            words.update(text for text, lemma in zip(spelled, lemmas, strict=True) if lemma.count() > 0)
    ordered = sorted(words)
    templated = [chance.choice(SHORT_TEMPLATES).format(word) for word in ordered]
    return [text for pair in zip(ordered, templated, strict=True) for text in chance.sample(pair, 1)] + chance.sample(
        sorted(set(explained)), glosses
    )


def corpus(captions_zip: Path, images: set[str], wordnet: Path, seed: int = 0) -> tuple[list[str], list[str]]:
    """Training strings and held-out strings (2 % of each kind), shuffled; the same seed gives the same lists."""
    chance = random.Random(seed)
    kinds = [
        captions(captions_zip, images),
        class_prompts(16, chance),
        wordnet_strings(wordnet, 30_000, chance),
    ]
    train: list[str] = []
    held_out: list[str] = []
    for kind in kinds:
        unique = sorted(set(kind))
        chance.shuffle(unique)
        cut = len(unique) // 50
        held_out += unique[:cut]
        train += unique[cut:]
    chance.shuffle(train)
    return train, held_out
