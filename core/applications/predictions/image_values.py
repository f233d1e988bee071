"""What groups of images can be compared by: how often the best class flips, and how implausible it is. No torch."""

from __future__ import annotations

from core.applications.image_measures import ImageMeasure
from core.applications.predictions.record import PredictionsRecord
from core.runs import Run


def image_measures(run: Run) -> tuple[ImageMeasure, ...]:
    """The share of small changes that flip the best class, and the score of implausibility, of each image."""
    record = run.once(PredictionsRecord.of_run)
    if record is None:
        return ()
    rows = record.predictions
    flips = (1 - rows.set_index("image")["disturbances"].dropna()).astype(float)
    scores = rows.set_index("image")["score"].astype(float)
    measures = [ImageMeasure("predictions.score", "implausibility of the best class", "model", scores.to_dict())]
    if len(flips):
        title = "share of small changes that flip the best class"
        measures.append(ImageMeasure("predictions.flips", title, "model", flips.to_dict()))
    return tuple(measures)
