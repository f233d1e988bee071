"""What groups of images can be compared by: whether the best class is the label, flips, is implausible. No torch."""

from __future__ import annotations

from core.applications.image_measures import ImageMeasure
from core.applications.predictions.labels import labels_of
from core.applications.predictions.record import PredictionsRecord
from core.languages import say
from core.runs import Run


def image_measures(run: Run) -> tuple[ImageMeasure, ...]:
    """The share of small changes that flip the best class, the score of implausibility, and, where labels are known,
    whether the predicted class is the label (1 or 0), of each image.
    """
    record = run.once(PredictionsRecord.of_run)
    if record is None:
        return ()
    rows = record.predictions
    flips = (1 - rows.set_index("image")["disturbances"].dropna()).astype(float)
    scores = rows.set_index("image")["score"].astype(float)
    texts = rows.set_index("image")["predicted"].to_dict()
    title = say("implausibility of the best class")
    measures = [ImageMeasure("predictions.score", title, "model", scores.to_dict(), texts=texts, better="lower")]
    known = run.once(labels_of)
    if known is not None:
        right = known.rows.set_index("image")["right"].astype(float).to_dict()
        title = say("agreement of the predicted class with the label")
        told = ImageMeasure(
            "predictions.right", title, "model", right, texts=texts, better="higher", states_errors=True
        )
        measures.insert(0, told)
    if len(flips):
        title = say("share of small changes that flip the best class")
        measures.append(ImageMeasure("predictions.flips", title, "model", flips.to_dict(), texts=texts, better="lower"))
    return tuple(measures)
