"""For what the comparison of groups uses labels. No torch."""

from __future__ import annotations

from core.applications.registry import image_measures
from core.applications.subgroups.record import GroupsRecord
from core.datasets import labels_column
from core.languages import say
from core.runs import Run


def label_use(run: Run) -> str:
    """For what labels were used in comparisons of groups; empty if there were none."""
    column = labels_column(run.dataset)
    if column is None or run.once(GroupsRecord.of_run) is None:
        return ""
    if not any(measure.states_errors for measure in image_measures(run)):
        return ""
    return say("the share of wrong predictions by group (metadata column {column})", column=column)
