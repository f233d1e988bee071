"""The rule on drift: whether the audited images differ from reference images."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from types import SimpleNamespace

from core.applications.data_checks.record import DataRecord
from core.rules import Context, Outcome, Rule, Wording
from core.rules.decision import decision, status_of
from core.rules.quantity import Quantity

AREA = Quantity("area under the ROC curve, audited against reference images")


def drift(context: Context) -> Iterator[Outcome]:
    """The area under the ROC curve of a classifier of audited against reference images; nothing without reference."""
    record = context.record(DataRecord.of_run)
    test = record.about.get("drift") if record is not None else None
    if not test:
        return
    estimate = SimpleNamespace(**{name: test[name] for name in ("value", "low", "high", "p", "own", "others")})
    estimate.n = int(estimate.own) + int(estimate.others)
    values = {"own": estimate.own, "others": estimate.others}
    if estimate.value is None:
        yield Outcome("cannot_conclude", n=estimate.n, wording="few", values=values)
        return
    most = float(context.thresholds["data.drift.most_area"])
    decided = decision(estimate, most, at_most=True, least_n=int(context.thresholds["general.least_images"]))
    verdict = status_of([decided])
    if verdict == "finding" and estimate.p >= float(context.thresholds["general.significance"]):
        verdict = "cannot_conclude"
    reach = (estimate.high - estimate.low) / 2
    yield Outcome(
        verdict,
        n=estimate.n,
        likelihood=max(0.0, 2 * estimate.value - 1),
        values={
            **values,
            "value": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "p": estimate.p,
            "needed": ceil(estimate.n * (reach / max(most - 0.5, 1e-6)) ** 2),
        },
        evidence=(AREA.of(estimate),),
    )


TEST = (
    "A classifier trained on embeddings of {own} audited and {others} reference images reaches, on images that it has "
    "not seen, an area under the ROC curve of {value:.2f} [{low:.2f}, {high:.2f}]; permutation p = {p:.2g}."
)
DRIFT = Rule(
    id="data.drift",
    subject="data",
    question="Do the audited images differ from the reference images?",
    criterion="A classifier of embeddings distinguishes audited from reference images with an area under the ROC curve "
    "of at most {most_area:g}; the whole 95 % interval decides.",
    measure=drift,
    thresholds=("data.drift.most_area", "general.significance", "general.least_images"),
    wordings={
        "finding": Wording("The audited images differ from the reference images", TEST),
        "passed": Wording("The audited images do not differ from the reference images within the limit", TEST),
        "cannot_conclude": Wording(
            "Inconclusive: whether the audited images differ from the reference images",
            TEST + " If they did not differ, about {needed} images in the same proportions would show it.",
        ),
        "few": Wording(
            "Inconclusive: too few images to compare with the reference images",
            "There are {own} audited and {others} reference images; at least 15 of each are needed.",
        ),
    },
    cause="Hypothesis: another source, time, camera or subject than that of the reference images.",
    effect="Results of this audit may not hold for the images that the reference stands for.",
    recommendation="Compare images of both sets, and audit images of the intended use.",
)
