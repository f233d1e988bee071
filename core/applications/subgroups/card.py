"""Card of the comparison of groups of images."""

from __future__ import annotations

from pydantic import Field

from core.applications.card import ApplicationInfo
from core.methods.info import Lines, Options


class GroupsOptions(Options):
    """Options of the comparison of groups."""

    words: Lines = Field((), description="words whose association with the groups is tested, one per entry")
    against: Lines = Field(
        (), description="words that the association is measured against; none: the texts of the audit"
    )


CARD = ApplicationInfo(
    name="subgroups",
    title="Groups of images",
    paper="Vargha and Delaney: A critique and improvement of the CL common language effect size statistics, 2000; "
    "association of words after Caliskan, Bryson and Narayanan: Semantics derived automatically from language "
    "corpora contain human-like biases, Science 2017, arXiv:1608.07187",
    year=2000,
    question="Does the model treat groups of images differently, and do their images differ?",
    idea="Every column of the metadata and every intersection of two makes groups. Each group is compared with the "
    "other images by every measure that the audit has of single images: scores, the lead of the best class, what other "
    "applications measured, and properties of the pixels. All comparisons are adjusted together.",
    assumes="The metadata are right, and images are independent.",
    fails="Groups that show different subjects differ in scores for that reason alone; a difference shows "
    "that the model is more often wrong there only where labels are known. Groups below the smallest size are not "
    "tested.",
    differs="The effect size is the probability that an image of the group has the higher value, which needs no unit; "
    "the association of words is the cosine with them beyond that with the texts of the audit, or with a second list; "
    "images are compared instead of target words.",
    needs=("stored",),
    inputs=({"metadata": 1},),
    schema=GroupsOptions,
    cost_model=lambda options: 0.0,
    embeds=True,
)
