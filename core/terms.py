"""The terms of the glossary, with their definitions. No torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One term, its definition in full sentences, the terms to read beside it, and its short forms in headings."""

    term: str
    definition: str
    see: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()


ENTRIES = (
    Entry(
        "Adjusted p-value",
        "The p-value of a test after Holm's method has accounted for the number of tests in its family.",
        ("Family of tests", "Holm's method"),
        ("Adjusted p",),
    ),
    Entry(
        "Agreement",
        "Spearman's rank correlation of the maps of two methods for one image and text, on a common grid.",
        ("Rank correlation",),
    ),
    Entry(
        "Annotation",
        "An outline or box of an object, drawn by a person and supplied with the images. Annotations are optional; "
        "every statement that uses them names them.",
    ),
    Entry(
        "Application",
        "An analysis that runs over the whole dataset, such as concepts, sanity checks or segmentation. Each has a "
        "chapter in the report and a page in the app.",
    ),
    Entry(
        "Attribution",
        "A number for each region of an image, or each word of a text, that states how much the score depends on it, "
        "in the sense defined by the method.",
        ("Saliency map",),
    ),
    Entry(
        "Caption",
        "A text supplied with an image, which describes that image.",
        ("Prompt", "Class"),
    ),
    Entry(
        "Ceiling",
        "The share of the variance of a score over coalitions that any map with one value per cell can explain (R²). "
        "It estimates the upper limit for every heat map of that image and text, and is too low where the "
        "model was fitted to few coalitions.",
        ("R²", "Interaction"),
    ),
    Entry(
        "Cell",
        "One element of the grid on which parts of an image are hidden. A cell covers one or more patches.",
        ("Patch", "Native grid"),
    ),
    Entry(
        "Class",
        "A name for a kind of object, embedded through the prompt templates. The class with the highest score is the "
        "class that the model predicts; without labels nothing shows whether it is correct.",
        ("Prompt", "Template"),
    ),
    Entry(
        "Coalition",
        "A set of cells, regions or words that stay visible while the others are hidden. The score of a coalition is "
        "the cosine that the model gives for the masked input.",
        ("Removal", "Shapley value"),
    ),
    Entry(
        "Comprehensiveness",
        "The fall of the cosine when the words with the highest attribution are removed from the text. Higher is "
        "better.",
        ("Sufficiency",),
    ),
    Entry(
        "Concept",
        "A named idea that is searched for in images, such as a synset of WordNet or a descriptor like “has wings”.",
        ("Synset", "Gloss"),
    ),
    Entry(
        "Confidence interval",
        "A range computed so that, over repeated samples of images, it contains the true value in 95 % of cases. For "
        "means it is Student's t corrected for skewness, for shares Wilson's interval. The sampling unit is the "
        "image, never a text, pair or pixel.",
    ),
    Entry(
        "Control",
        "A map that does not depend on the model or on the text: random values, a Gaussian at the centre, image edges. "
        "A method that is not better than the controls gives no evidence on these images.",
    ),
    Entry(
        "Cosine",
        "The similarity of image and text in the joint embedding space of the model, from \u22121 to 1. Its absolute "
        "size cannot be compared across models.",
        ("Score",),
    ),
    Entry(
        "Counter-evidence",
        "Numbers and samples that contradict a finding. They are printed beside the evidence that supports it.",
        ("Evidence", "Finding"),
    ),
    Entry("Dataset", "The images of an audit with their names and, if supplied, captions, metadata and annotations."),
    Entry(
        "Deletion",
        "Area under the curve of the score while the cells with the highest attribution are removed, rescaled so that "
        "the whole image is 1 and the hidden image 0. Lower is better.",
        ("Faithfulness", "Insertion"),
    ),
    Entry(
        "Embedding map",
        "A layout of all images in two dimensions by their embeddings. It shows which images lie together; the "
        "distance between groups and their size have no meaning. The share of neighbours that it preserves is "
        "stated with it.",
        ("Trustworthiness",),
    ),
    Entry(
        "Evidence",
        "The measured values behind a finding, each with its interval, the number of observations and their unit.",
        ("Counter-evidence",),
    ),
    Entry(
        "Evidence bundle",
        "A ZIP file with the result rows, tables, thresholds and hashes of a run. A third party can recompute every "
        "table and finding from it, but no map: images are not in it.",
        ("Seal",),
    ),
    Entry(
        "Faithfulness",
        "Insertion minus deletion. On average a random order of the cells yields 0.",
        ("Deletion", "Insertion"),
    ),
    Entry(
        "Faithfulness correlation",
        "Over random coalitions, the correlation between the score and the sum of the map over the visible cells, "
        "controlling for the number of visible cells. Higher is better.",
        ("Coalition",),
    ),
    Entry(
        "Family of tests",
        "The tests over which p-values are adjusted jointly. Each family is named where its p-values are printed.",
        ("Adjusted p-value", "Holm's method"),
    ),
    Entry(
        "Finding",
        "The outcome of a rule that was met: a statement about the model, the data, the texts, the explanations or the "
        "run, with its criterion, evidence, severity and recommendation.",
        ("Severity", "Evidence"),
    ),
    Entry(
        "Forward-equivalent",
        "The work of one plain forward pass of an image through the model. A backward pass counts as two.",
    ),
    Entry("Gloss", "The definition of a synset in WordNet, used as the text that describes a concept.", ("Synset",)),
    Entry(
        "Holm's method",
        "A stepwise adjustment of p-values that limits the probability of any false rejection within a family of "
        "tests to the chosen level.",
        ("Adjusted p-value", "Family of tests"),
    ),
    Entry(
        "Infidelity",
        "The share of the squared falls of the score, over random coalitions, that the sums of the map over the hidden "
        "cells do not explain. Lower is better.",
        ("Sensitivity-n",),
    ),
    Entry(
        "Insertion",
        "Area under the curve of the score while the cells with the highest attribution are shown first, rescaled like "
        "deletion. Higher is better.",
        ("Deletion", "Faithfulness"),
    ),
    Entry(
        "Interaction",
        "The part of the effect of two or more cells or words together that is not the sum of their separate effects.",
        ("Ceiling", "Shapley value"),
    ),
    Entry(
        "Loss, drop or fall",
        "By how much a score or margin gets smaller: positive where it does, negative where it gets larger. A "
        "difference is the first-named value less the second, positive where the first is larger. Each effect has one "
        "of these forms, the same in findings, chapters and tables.",
        ("Score",),
        ("Loss of score", "Drop, map", "Drop, random"),
    ),
    Entry(
        "Nats",
        "Unit of information with natural logarithms; 1 nat is about 1.44 bits. Bottleneck methods give the "
        "information that they retain about each patch or word in nats.",
        ("Weight β",),
    ),
    Entry(
        "Native grid",
        "The rows and columns at which a method computes its map, before the map is enlarged for display.",
    ),
    Entry(
        "Patch",
        "One position of the image grid that the model works on, such as a token of a vision transformer or a position "
        "of a feature map.",
        ("Cell", "Region"),
    ),
    Entry("Prompt", "A text that is compared with every image of the dataset as it is typed.", ("Template", "Caption")),
    Entry(
        "R²",
        "The share of the variance of a score over coalitions that a model of it explains, computed on coalitions that "
        "were left out of the fit.",
        ("Ceiling",),
    ),
    Entry(
        "Rank correlation",
        "Spearman's correlation: the correlation of the ranks of two series of values, from \u22121 to 1. It is not "
        "defined where one of the two is constant.",
    ),
    Entry(
        "Region",
        "A connected or semantic part of an image that is treated as a whole, such as a superpixel or a group of "
        "patches with similar features.",
        ("Patch",),
    ),
    Entry(
        "Removal",
        "How a hidden part of the input is represented: its tokens are dropped, or its pixels become black, the mean "
        "colour or a blurred copy.",
        ("Coalition",),
    ),
    Entry(
        "Run",
        "One audit with its plan, results, findings and report, stored in one directory.",
        ("Unit", "Seal"),
    ),
    Entry(
        "Saliency map",
        "The attribution of one image for one text, one value per patch or cell. Displayed in colour, it is called a "
        "heat map.",
        ("Attribution", "Native grid"),
    ),
    Entry(
        "Saved view",
        "A selection of images of an audit under a name. It limits which images the pages list until it is removed, "
        "and it changes neither the audit nor its report.",
        ("Embedding map",),
    ),
    Entry(
        "Score",
        "The quantity that is explained: the cosine of the image embedding and the text embedding.",
        ("Cosine",),
    ),
    Entry(
        "Seal",
        "The file seal.json with the hashes of the files of a finished run, by which later changes are detected.",
        ("Evidence bundle",),
    ),
    Entry(
        "Sensitivity-n",
        "The correlation between the sum of the map over hidden cells and the fall of the score, for n hidden cells, "
        "averaged over several values of n. Higher is better.",
        ("Infidelity",),
    ),
    Entry(
        "Severity",
        "How serious a finding is: high, medium, low or note. The report states how it is derived.",
        ("Finding",),
    ),
    Entry(
        "Shapley value",
        "The mean contribution of a cell, region or word to the score over all orders in which the parts can be added. "
        "The values sum to the difference between the whole input and the empty input.",
        ("Coalition", "Interaction"),
    ),
    Entry(
        "Spread",
        "The standard deviation of a quantity. In standard deviations within groups, it puts differences of different "
        "quantities on one scale.",
    ),
    Entry(
        "Sufficiency",
        "The fall of the cosine when only the words with the highest attribution are kept. Lower is better.",
        ("Comprehensiveness",),
    ),
    Entry(
        "Synset",
        "An entry of WordNet: one sense of a noun together with its synonyms, such as dog.n.01.",
        ("Gloss", "Concept"),
    ),
    Entry(
        "Template",
        "A sentence with a placeholder, such as “a photo of a {}.”, into which class names are inserted. The "
        "embeddings of several templates are averaged.",
        ("Class",),
    ),
    Entry("Unit", "A small group of images that is computed and stored together, in one file with a SHA-256 hash."),
    Entry(
        "Trustworthiness",
        "Of a layout of images: 1 less a penalty for images that are near in the layout and not by their embeddings, "
        "after the rank that they have there (Venna and Kaski). It is 1 where all neighbours are right.",
        ("Embedding map",),
    ),
    Entry(
        "Weight β",
        "The weight of the information term relative to the similarity in a bottleneck method. With a large β the "
        "mask retains little information; with a small β it retains much.",
        ("Nats",),
    ),
)
