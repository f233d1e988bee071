"""What groups of images can be compared by: how much of the score is lost without a part of the image. No torch."""

from __future__ import annotations

from core.applications.image_measures import ImageMeasure
from core.applications.reliance.record import RelianceRecord
from core.languages import say
from core.runs import Run

PLACES = ("background", "border")


def image_measures(run: Run) -> tuple[ImageMeasure, ...]:
    """For background and border the share of the score that an image loses without it, the mean over its texts.

    Only texts with a gain count. Images that reliance did not measure have no value.
    """
    record = run.once(RelianceRecord.of_run)
    if record is None:
        return ()
    measures = []
    for place in PLACES:
        rows = record.places[(record.places["place"] == place) & (record.places["total"] > 0)]
        if rows.empty:
            continue
        sums = rows.groupby("image")[["fall", "total"]].sum().astype(float)
        title = say("share of the score lost without the {place}", place=say(place))
        values = (sums["fall"] / sums["total"]).to_dict()
        measures.append(ImageMeasure(f"reliance.{place}", title, "model", values, better="lower"))
    return tuple(measures)
