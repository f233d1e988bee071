"""The rule on semantic regions: they must not explain the score less faithfully than simpler cuts of the image."""

from __future__ import annotations

from collections.abc import Iterator

from core.applications.priors.measures import differences, paired
from core.applications.priors.record import PRIORS, of_run
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording
from core.rules.estimate_rules import Comparison, outcomes_of

LEAST, SIGNIFICANCE = "general.least_images", "general.significance"
FAITHFULNESS = "priors.regions.least_difference"
# The value function that every model can compute.
SIMILARITY = "similarity"


def region_differences(context: Context) -> Iterator[Outcome]:
    """The paired difference in faithfulness of semantic regions and of each baseline."""
    record = context.record(of_run)
    if record is None:
        return
    names = record.maps.drop_duplicates("image")[["image", "image_name"]]
    pairs = paired(record)
    pairs = pairs[pairs["value"] == SIMILARITY].drop(columns="value").merge(names, on="image")
    family = []
    for row in differences(record).rename(columns={"value": "function", "difference": "value"}).itertuples():
        if row.function != SIMILARITY:
            continue
        each = pairs.assign(value=pairs["semantic"] - pairs[row.prior]).dropna(subset=["value"])
        by_image = each.groupby(["image", "image_name"], as_index=False)
        images = by_image.agg(value=("value", "mean"), text=("text", "first"))
        baseline = PRIORS[row.prior].lower()
        told = say(baseline)
        name = say("faithfulness of semantic regions less {baseline}", baseline=told)
        family.append(Comparison(name, row, images, row.prior, values={"baseline": told}))
    yield from outcomes_of(
        family,
        float(context.thresholds[FAITHFULNESS]),
        at_most=False,
        least_n=int(context.thresholds[LEAST]),
        significance=float(context.thresholds[SIGNIFICANCE]),
    )


NUMBERS = "{value:+.3f} [{low:+.3f}, {high:+.3f}], n = {n} images; p = {p:.2g}{adjustment}"
REGIONS = Rule(
    id="priors.regions",
    subject="explanations",
    question="Do semantic regions explain the score more faithfully than simpler cuts of the image?",
    criterion="The paired difference in faithfulness, semantic regions less the baseline, is at least "
    "{least_difference:g}; the whole 95 % interval of the mean over images lies above, and the p-value of a sign-flip "
    "test, adjusted over the compared cuts, is below {significance:g}. A cut into more regions has an "
    "advantage, so the number of regions must be read as well.",
    measure=region_differences,
    thresholds=(FAITHFULNESS, LEAST, SIGNIFICANCE),
    wordings={
        "finding": Wording(
            "Semantic regions are less faithful than {baseline}", f"The paired difference in faithfulness is {NUMBERS}."
        ),
        "passed": Wording(
            "Semantic regions are more faithful than {baseline}", f"The paired difference in faithfulness is {NUMBERS}."
        ),
        "cannot_conclude": Wording(
            "Inconclusive: semantic regions are not shown to be more or less faithful than {baseline}",
            f"The paired difference in faithfulness is {NUMBERS}.",
        ),
        "few": Wording(
            "Inconclusive: too few images to compare semantic regions with {baseline}",
            "{n} images have this measure; at least {least_images} are needed.",
        ),
    },
    cause="Hypothesis: the segments do not follow what the score depends on, or are too few.",
    effect="Semantic regions are easier to read, but simpler regions explain the score better.",
    recommendation="Show simpler regions beside semantic ones, or increase the number of regions.",
    samples="smallest difference",
    counter="largest difference",
)
RULES = (REGIONS,)
