"""What there is a row per in the tables of `reliance`, and their columns. No torch."""

from __future__ import annotations

from typing import Annotated

from core.runs.rows import (
    Flag,
    ImageId,
    ImageName,
    Number,
    Numbers,
    OptionalNumber,
    OptionalText,
    OptionalTexts,
    OptionalWhole,
    Row,
    Text,
    Whole,
    Wholes,
)


class ImageRow(Row):
    """One row per image."""

    image: ImageId
    image_name: ImageName
    best: Annotated[Text, "text with the highest score"]
    score: Annotated[Number, "its cosine"]
    confidence: Annotated[Number, "its softmax probability among the texts"]
    spread: Annotated[Number, "standard deviation of the texts' cosines"]
    own: Annotated[OptionalNumber, "mean score of the image's captions"]
    light: Annotated[Number, "mean luminance of the model's input, 0 to 1"]
    contrast: Annotated[Number, "standard deviation of the luminance"]
    colour: Annotated[Number, "mean range of the channels"]
    detail: Annotated[Number, "mean step between neighbouring pixels"]
    embedding: Annotated[Numbers, "unit embedding"]


class RegionRow(Row):
    """One row per image, text and region."""

    image: ImageId
    image_name: ImageName
    text: Annotated[Text, "the text"]
    text_kind: Annotated[Text, "caption, prompt or class"]
    region: Annotated[Whole, "number of the region in its image"]
    kind: Annotated[Whole, "cluster of regions that look alike over all images"]
    concept: Annotated[Text, "name of the cluster, whether or not the name is confirmed"]
    nearest: Annotated[Text, "candidate concept nearest to this region"]
    related: Annotated[Number, "rank of the concept among all candidates by nearness to the text, 0 to 1"]
    kin: Annotated[Flag, "whether WordNet relates the concept to a word of the text"]
    area: Annotated[Number, "share of the image that the region covers"]
    share: Annotated[OptionalNumber, "share of positive attribution inside the region"]
    share_method: Annotated[OptionalText, "method of that attribution"]
    fall: Annotated[Number, "fall of the score when it is hidden"]
    control: Annotated[OptionalNumber, "mean fall when the same shape is hidden elsewhere"]
    only: Annotated[Number, "score of the region alone beyond that of an empty image"]
    total: Annotated[Number, "score of the whole image beyond that of an empty one"]
    rows: Annotated[Whole, "rows of `cells`"]
    columns: Annotated[Whole, "columns of `cells`"]
    cells: Annotated[Wholes, "the region: 1 inside, row by row"]


class PlaceRow(Row):
    """One row per image, text and fixed part of the image."""

    image: ImageId
    image_name: ImageName
    text: Annotated[Text, "the text"]
    text_kind: Annotated[Text, "caption, prompt or class"]
    place: Annotated[Text, "border, a corner, foreground or background"]
    area: Annotated[Number, "share of the image that it covers"]
    inside: Annotated[OptionalNumber, "share of it that lies in the foreground"]
    fall: Annotated[Number, "fall of the score when it is hidden"]
    control: Annotated[OptionalNumber, "mean fall when the same shape is hidden elsewhere"]
    total: Annotated[Number, "score of the whole image beyond that of an empty one"]


class StickerRow(Row):
    """One row per image with a word printed on it."""

    image: ImageId
    image_name: ImageName
    own: Annotated[Text, "class of the image"]
    pasted: Annotated[Text, "class that was printed on it"]
    letters: Annotated[Text, "random letters that were printed instead, as a control"]
    row: Annotated[Number, "centre of the print from the top, 0 to 1"]
    column: Annotated[Number, "centre of the print from the left, 0 to 1"]
    margin: Annotated[Number, "cosine of the own class less that of the printed one, on the clean image"]
    with_word: Annotated[Number, "the same with the word"]
    with_letters: Annotated[Number, "the same with the letters"]
    spread: Annotated[Number, "standard deviation of the texts' cosines"]
    best_with_word: Annotated[Text, "text with the highest score with the word"]
    best_with_letters: Annotated[Text, "text with the highest score with the letters"]


class TemplateRow(Row):
    """One row per image and template."""

    image: ImageId
    image_name: ImageName
    template: Annotated[Text, "the prompt template"]
    best: Annotated[Text, "class with the highest score under this template alone"]
    own: Annotated[Number, "score of the class that is best under the templates of the plan"]
    score: Annotated[Number, "highest score under this template"]
    spread: Annotated[Number, "standard deviation of the classes' cosines"]


class TextRow(Row):
    """One row per image, text and text method."""

    image: ImageId
    image_name: ImageName
    text: Annotated[Text, "the text"]
    text_kind: Annotated[Text, "caption, prompt or class"]
    method: Annotated[Text, "method that explained the text"]
    words: Annotated[Whole, "number of words"]
    function: Annotated[Whole, "number of function words"]
    share: Annotated[OptionalNumber, "share of positive attribution on function words"]
    fall: Annotated[OptionalNumber, "fall of the score without any function word"]
    total: Annotated[Number, "score of the whole image beyond that of an empty one"]


class WordRow(Row):
    """One row per text and word."""

    text: Annotated[Text, "the text"]
    text_kind: Annotated[Text, "caption, prompt or class"]
    at: Annotated[Whole, "position of the word"]
    word: Annotated[Text, "the word"]
    function: Annotated[Flag, "whether it is a function word"]
    change: Annotated[Number, "1 minus cosine of the embeddings with and without the word"]
    fall: Annotated[OptionalNumber, "mean fall of the score over the images of the text"]
    images: Annotated[Whole, "number of those images"]


class CarrierRow(Row):
    """One row per content word and fixed sentence."""

    word: Annotated[Text, "the word"]
    carrier: Annotated[Text, "the sentence"]
    change: Annotated[Number, "1 minus cosine of the sentence's embeddings with and without the word"]
    typical: Annotated[Number, "median change over all words, or pairs of words, in that sentence"]


class TwinRow(Row):
    """One row per content word, its least distinguishable other word, and fixed sentence."""

    word: Annotated[Text, "the word"]
    other: Annotated[Text, "the word that it is hardest to distinguish from"]
    kin: Annotated[Flag, "whether WordNet relates the two"]
    carrier: Annotated[Text, "the sentence"]
    distance: Annotated[Number, "1 minus cosine of the sentence's embeddings with either word"]
    typical: Annotated[Number, "median change over all words, or pairs of words, in that sentence"]


class AloneRow(Row):
    """One row per image, class and border or corner."""

    image: ImageId
    image_name: ImageName
    text: Annotated[Text, "the class"]
    best: Annotated[Flag, "whether it is the image's best class"]
    place: Annotated[Text, "border or corner"]
    shown: Annotated[Number, "score of that part alone beyond that of an empty image"]
    total: Annotated[Number, "score of the whole image beyond that of an empty one"]


class NameRow(Row):
    """One row per kind of region."""

    kind: Annotated[Whole, "number of the kind"]
    name: Annotated[Text, "concept chosen on a third of the images, or the term for it and its rivals"]
    source: Annotated[Text, "where the name comes from: the audit's own words, common concepts, or a common term"]
    area: Annotated[OptionalNumber, "area under the ROC curve of the name's cosine on the others"]
    inside: Annotated[Whole, "images of the others with a region of the kind"]
    outside: Annotated[Whole, "images of the others with any other region"]
    near: Annotated[OptionalNumber, "share of the regions of the kind on the others with the name among the nearest 3"]
    rivals: Annotated[OptionalTexts, "names that are not shown to be farther from these regions"]
    lost: Annotated[OptionalWhole, "rank of the name by what whole images of the others lose without these regions"]


class DeclaredRow(Row):
    """One row per image, region and declared concept."""

    image: ImageId
    region: Annotated[Whole, "number of the region in its image"]
    concept: Annotated[Text, "declared concept"]
    score: Annotated[Number, "cosine of the region alone with the concept, less its mean over all regions"]
    rank: Annotated[Number, "share of the names that are less near to the region, 0 to 1"]
    whole: Annotated[Number, "share of the names that are less near to the whole image; 1 where a caption names it"]


class LookRow(Row):
    """One row per image."""

    image: ImageId
    rows: Annotated[Whole, "rows of the grid"]
    columns: Annotated[Whole, "columns of the grid"]
    values: Annotated[Numbers, "red, green, blue, contrast and detail of each cell of the model's input"]
