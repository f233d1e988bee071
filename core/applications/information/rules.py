"""The rule on bottlenecks: the text of an image must retain more information than texts of other images."""

from __future__ import annotations

from collections.abc import Iterator

from core.applications.information.measures import own_against_wrong, own_and_wrong
from core.applications.information.record import SIDES, of_run
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording
from core.rules.estimate_rules import Comparison, outcomes_of

LEAST, SIGNIFICANCE = "general.least_images", "general.significance"
NATS = "information.texts.least_difference"


def retained_information(context: Context) -> Iterator[Outcome]:
    """Nats per patch or token for an image's own text less those for wrong texts, for each side and weight."""
    record = context.record(of_run)
    if record is None:
        return
    table = own_against_wrong(record)
    pairs = own_and_wrong(record, "per_place").rename(columns={"difference": "value"})
    own = record.pairs[record.pairs["kind"] == "own"].drop_duplicates("image")[["image", "text"]]
    family = []
    for row in table[table["measure"] == "per_place"].itertuples():
        images = pairs[(pairs["side"] == row.side) & (pairs["price"] == row.price)].merge(own, on="image")
        family.append(
            Comparison(
                f"own less wrong text, {SIDES[row.side]}, \u03b2 = {row.price:g}",
                row,
                images,
                f"{row.side}-{row.price:g}".replace(".", "_"),
                "nats per patch" if row.side == "image" else "nats per token",
                {"side": say(SIDES[row.side]), "weight": row.price, "own": row.own, "wrong": row.wrong},
            )
        )
    yield from outcomes_of(
        family,
        float(context.thresholds[NATS]),
        at_most=False,
        least_n=int(context.thresholds[LEAST]),
        significance=float(context.thresholds[SIGNIFICANCE]),
    )


NUMBERS = "{value:+.3g} [{low:+.3g}, {high:+.3g}] nats per patch or token, n = {n} images; p = {p:.2g}{adjustment}"
TEXTS = Rule(
    id="information.texts",
    subject="explanations",
    question="Does a bottleneck retain more information for the text of an image than for texts of other images?",
    criterion="The paired difference in nats per patch or token, own text less wrong text, is above "
    "{least_difference:g}; the whole 95 % interval of the mean over images lies above, and the p-value of a sign-flip "
    "test, adjusted over both sides and all weights, is below {significance:g}.",
    measure=retained_information,
    thresholds=(NATS, LEAST, SIGNIFICANCE),
    wordings={
        "finding": Wording(
            "A wrong text retains more information than the text of an image ({side}, \u03b2 = {weight:g})",
            f"The difference is {NUMBERS}.",
        ),
        "passed": Wording(
            "The text of an image retains more information than a wrong one ({side}, \u03b2 = {weight:g})",
            f"The difference is {NUMBERS}.",
        ),
        "cannot_conclude": Wording(
            "Inconclusive: own and wrong texts are not shown to retain different amounts ({side}, \u03b2 = {weight:g})",
            f"The difference is {NUMBERS}.",
        ),
        "few": Wording(
            "Inconclusive: too few images to compare own and wrong texts ({side}, \u03b2 = {weight:g})",
            "{n} images have this measure; at least {least_images} are needed.",
        ),
    },
    cause="Hypothesis: the bottleneck is dominated by what is needed for any text, or the weight does not suit the "
    "model.",
    effect="The amount of retained information is not evidence that an image shows what its text states.",
    recommendation="Compare several weights, and read maps of own and wrong texts side by side.",
    samples="smallest difference",
    counter="largest difference",
)
RULES = (TEXTS,)
