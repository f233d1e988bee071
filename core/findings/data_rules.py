"""The rule on files that were refused."""

from __future__ import annotations

from collections.abc import Iterator

from core.rules import Context, Outcome, Rule, Wording
from core.rules.parts import NAMED
from core.rules.quantity import Quantity

REFUSED_SHARE = Quantity("share of files refused")

# How the share of refused files is checked.
LISTED = "see the list of refused files in the data section"  # messages


def refused_files(context: Context) -> Iterator[Outcome]:
    """The share of files that could not be read: a count of all files, not a sample."""
    dataset = context.run.dataset
    refused = len(dataset.refusals)
    total = len(dataset.images) + refused
    share = refused / total if total else None
    within = (share or 0.0) <= float(context.thresholds["data.refused.most_share"])
    yield Outcome(
        "passed" if within else "finding",
        wording="within" if within and refused else "",
        n=total,
        likelihood=share or 0.0,
        values={
            "refused": refused,
            "total": total,
            "reasons": "; ".join(f"{entry.name}: {entry.reason}" for entry in dataset.refusals[:NAMED]),
        },
        evidence=(REFUSED_SHARE.at(share, total),),
    )


REFUSED = Rule(
    id="data.refused",
    subject="data",
    question="Could every file that was submitted be read?",
    criterion="At most {most_share:.0%} of the submitted files are refused. All files are counted.",
    measure=refused_files,
    unit="files",
    thresholds=("data.refused.most_share",),
    wordings={
        "finding": Wording(
            "Refused files: {refused} of {total}",
            "Refused files are not part of any result. The first reasons: {reasons}",
        ),
        "passed": Wording("Every file could be read", "All {total} files were read; none was refused."),
        "within": Wording(
            "Few files were refused", "Refused files: {refused} of {total}. The first reasons: {reasons}"
        ),
    },
    cause="Given for each file in the data section.",
    effect="The content of refused files was not audited. If it differs from the rest, the results do not hold for it.",
    recommendation="Repair or replace the refused files and repeat the audit, or state why they may be left out.",
    reproduce=LISTED,
)
