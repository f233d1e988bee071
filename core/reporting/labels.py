"""Which labels an audit used, and for what: what a report says about them follows from it."""

from __future__ import annotations

from core.applications.registry import APPLICATIONS
from core.languages import say
from core.rules.writing import in_words
from core.runs import Run


def label_uses(run: Run) -> tuple[str, ...]:
    """Each use of labels in this run, as the object of "were used for"; empty if there was none."""
    uses = []
    if run.dataset.annotations is not None:
        uses.append(say("comparing maps with annotated objects (annotations stored with the dataset)"))
    for application in APPLICATIONS.values():
        if application.labels is not None and (use := application.labels()(run)):
            uses.append(use)
    return tuple(uses)


def accuracy_limit(run: Run) -> str:
    """Where predictions were compared with labels, in one sentence."""
    uses = label_uses(run)
    if not uses:
        return say("No labels were used: no statement in this report compares a prediction with a label.")
    return say(
        "Labels were used as the truth only for {uses}. No other statement in this report compares a prediction with a "
        "label; groups may be formed by labels.",
        uses=in_words(uses),
    )
