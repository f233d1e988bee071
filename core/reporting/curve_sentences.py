"""What a report says of the curves: where they were measured, what areas are divided by, and which pairs have none."""

from __future__ import annotations

import pandas as pd

from core.content.words import number, percent, plural, share
from core.evaluation.curve_shares import SHARES, shares_of
from core.evaluation.gains import LEAST_GAIN, LEAST_RISE
from core.evaluation.summary import Summary
from core.languages import say


def points_sentences(rows: pd.DataFrame) -> tuple[str, ...]:
    """At which shares of the cells the curves were measured, and how their areas follow; none without curves."""
    known = rows[rows["deletion_curve"].notna()]
    if known.empty:
        return ()
    points = len(known["deletion_curve"].iloc[0])
    shares = shares_of(known[SHARES], points).mean(axis=0)
    listed = ", ".join(number(100 * value, 0) for value in shares[:-1])
    told = say(
        "Each curve has {points} points, at {listed} and {last} % of the cells; its area is the sum of the trapezia "
        "between them.",
        points=points,
        listed=listed,
        last=number(100 * shares[-1], 0),
    )
    return (told,)


def gain_sentences(summary: Summary) -> tuple[str, ...]:
    """What areas are divided by, and how many pairs have too small a divisor; none where no curve was measured."""
    gains = summary.gains
    if gains.floor is None:
        return ()
    divided = say(
        "Deletion, insertion and faithfulness are divided by the gain: the score of the whole image minus that of "
        "the fully hidden one. With a small gain, a single image would determine the mean."
    )
    floor = say("{floor} ({share} of the median gain)", floor=number(gains.floor, 3), share=percent(LEAST_GAIN))
    told = [divided]
    if gains.pairs_below:
        left = say(
            "{pairs} image-text pairs have a gain below {floor} and are excluded from these three metrics and from the "
            "comparison with controls.",
            pairs=share(gains.pairs_below, gains.pairs),
            floor=floor,
        )
        told.append(left)
    else:
        told.append(say("No image-text pair has a gain below {floor}, so all are counted.", floor=floor))
    if gains.pairs_flat:
        pairs = plural(gains.pairs_flat, "pair")
        flat = say(
            "No area is known for {pairs} more: the image raises the score by less than {least:g}.",
            pairs=pairs,
            least=LEAST_RISE,
        )
        told.append(flat)
    if gains.images_below:
        images = plural(gains.images_below, "image")
        told.append(say("No pair with a value is left for {images} of {all}.", images=images, all=gains.images))
    return (" ".join(told),)
