"""Rules on the sweep over layers: does the default block's map beat random maps, and does another block do better?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from core.applications.layer_sweep.measures import against_default, by_block, each_image
from core.applications.layer_sweep.record import SIDES, of_run
from core.languages import say
from core.rules import Context, Outcome, Rule, Wording
from core.rules.estimate_rules import Comparison, outcomes_of
from core.statistics import mean_over_images

LEAST, SIGNIFICANCE = "general.least_images", "general.significance"
GAIN, MOST = "layer_sweep.random.least_gain", "layer_sweep.choice.most_gain"
UNIT = "cosine"
NEITHER = "neither interval lies above 0, so that neither map is shown to keep more than random positions"  # messages
BOTH = "both intervals lie above 0"  # messages
ONE = "only the interval of block {block} lies above 0"  # messages


def default_gains(context: Context) -> Iterator[Outcome]:
    """By how much less the score drops with the default block's map than with random maps of its values, by side."""
    record = context.record(of_run)
    if record is None:
        return
    table, each = by_block(record), each_image(record)
    family = []
    for row in table[table["default"]].itertuples():
        if row.gain_n:
            images = each[(each["side"] == row.side) & (each["block"] == row.block)].assign(value=lambda at: at["gain"])
            estimate = _estimate(images)
            values = {"side": say(SIDES[row.side]), "block": row.block, "drop": row.drop, "random": row.random_drop}
            name = f"drop with random maps less drop with the map, {SIDES[row.side]}, block {row.block}"
            family.append(Comparison(name, estimate, images, row.side, UNIT, values))
    yield from _outcomes(context, family, GAIN, at_most=False)


def other_gains(context: Context) -> Iterator[Outcome]:
    """By how much more each other block's map gains over random maps than the default block's, paired by image."""
    record = context.record(of_run)
    if record is None:
        return
    family = []
    gains = {(row.side, row.block): row for row in by_block(record).itertuples()}
    for side in record.sides:
        default = record.about["default"][side]
        for block in record.about["blocks"][side]:
            images = against_default(record, side, block)
            if block != default and images["value"].notna().any():
                values = {"side": say(SIDES[side]), "block": block, "default": default}
                values |= _both(gains[side, block], gains[side, default])
                name = f"gain over random maps, block {block} less block {default}, {SIDES[side]}"
                family.append(Comparison(name, _estimate(images), images, f"{side}-{block}", UNIT, values))
    yield from _outcomes(context, family, MOST, at_most=True)


def _both(other: Any, default: Any) -> dict[str, Any]:
    """The gains of two blocks as a sentence gives them, and of which of them the interval lies above 0."""
    above = [row for row in (other, default) if pd.notna(row.gain_low) and row.gain_low > 0]
    shown = NEITHER if not above else BOTH if len(above) == 2 else ONE
    return {
        "gain": other.gain,
        "gain_low": other.gain_low,
        "gain_high": other.gain_high,
        "usual": default.gain,
        "usual_low": default.gain_low,
        "usual_high": default.gain_high,
        "shown": say(shown, block=above[0].block if above else other.block),
    }


def _estimate(images: pd.DataFrame) -> Any:
    return mean_over_images(images["value"].to_numpy(float), images["image"].to_numpy())


def _outcomes(context: Context, family: list[Comparison], limit: str, *, at_most: bool) -> Iterator[Outcome]:
    yield from outcomes_of(
        family,
        float(context.thresholds[limit]),
        at_most=at_most,
        least_n=int(context.thresholds[LEAST]),
        significance=float(context.thresholds[SIGNIFICANCE]),
    )


NUMBERS = "{value:+.3f} [{low:+.3f}, {high:+.3f}], n = {n} images; p = {p:.2g}{adjustment}"
DIFFERENCE = NUMBERS.replace("{p:.2g}", "{p:.2g} (tested against a difference of {most_gain:g})")
FEW = "{n} images have this measure; at least {least_images} are needed."
DROPS = (
    "The cosine drops by {random:.3f} with the map's values in random positions and by {drop:.3f} with the map. The "
    f"difference, random less map, is {NUMBERS}."
)
RANDOM = Rule(
    id="layer_sweep.random",
    subject="explanations",
    question="Does the bottleneck at the default block keep more of the score than random maps of the same values?",
    criterion="The cosine drops less when only what the map highlights is left than with the same values in random "
    "positions: the paired difference is above {least_gain:g}; the whole 95 % interval of the mean over images lies "
    "above, and the p-value of a sign-flip test, adjusted over both sides, is below {significance:g}.",
    measure=default_gains,
    thresholds=(GAIN, LEAST, SIGNIFICANCE),
    wordings={
        "finding": Wording(
            "Random positions keep more of the score than the bottleneck's map ({side}, block {block})",
            DROPS,
        ),
        "passed": Wording(
            "The bottleneck's map keeps more of the score than random positions ({side}, block {block})",
            DROPS,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: the bottleneck's map is not shown to differ from random positions ({side}, block {block})",
            DROPS,
        ),
        "few": Wording(
            "Inconclusive: too few images to compare the map with random positions ({side}, block {block})",
            FEW,
        ),
    },
    cause="Hypothesis: the bottleneck marks what suits its optimisation and not what the score needs, or the weight β "
    "does not suit the model.",
    effect="Maps of the bottleneck on this side do not show what the score needs.",
    recommendation="Compare other blocks and weights β, and rely on methods whose maps pass the controls.",
    samples="smallest gain",
    counter="largest gain",
)
GAIN_DIFFERENCE = (
    "The gain is by how much less the cosine drops with a map than with its values in random positions, in units of "
    f"the cosine. The difference of the two gains is {DIFFERENCE}. By itself, the gain is {{gain:+.3f}} "
    "[{gain_low:+.3f}, {gain_high:+.3f}] at block {block} and {usual:+.3f} [{usual_low:+.3f}, {usual_high:+.3f}] at "
    "block {default}: {shown}."
)
CHOICE = Rule(
    id="layer_sweep.choice",
    subject="explanations",
    question="Does a bottleneck at another block give maps that keep more of the score than the default block's?",
    criterion="The gain over random maps of the same values exceeds that of the default block by at most "
    "{most_gain:g}; the whole 95 % interval of the paired difference lies at or below, and the p-value of a sign-flip "
    "test, adjusted over all other blocks of both sides, is below {significance:g}.",
    measure=other_gains,
    thresholds=(MOST, LEAST, SIGNIFICANCE),
    wordings={
        "finding": Wording(
            "The gain of block {block} is larger than that of the default block {default} ({side})",
            GAIN_DIFFERENCE,
        ),
        "passed": Wording(
            "Block {block} is not better than the default block {default} by more than {most_gain:g} ({side})",
            GAIN_DIFFERENCE,
        ),
        "cannot_conclude": Wording(
            "Inconclusive: whether the gain of block {block} exceeds that of the default block {default} ({side})",
            GAIN_DIFFERENCE,
        ),
        "few": Wording("Inconclusive: too few images to compare block {block} with block {default} ({side})", FEW),
    },
    cause="Hypothesis: what the score needs is more localised at this block than at the default one.",
    effect="Conclusions from the bottleneck's maps depend on the choice of the block.",
    recommendation="Set the method's `layer` (`text_layer` on the text side) to this block and compare the maps.",
    samples="largest difference",
    counter="smallest difference",
)
RULES = (RANDOM, CHOICE)
