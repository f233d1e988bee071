"""One score of implausibility for each image, from all signals. No torch.

The score is the logistic function of a weighted sum. The weights are those of a logistic regression on labelled
photographs, rounded (`docs/predictions.md` states which photographs, and how well the score tells wrong predictions
from right ones). They use only quantities between 0 and 1. The score orders images. It is not the probability that a
prediction is wrong: how often images of a score are wrong differs between datasets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from core.applications.predictions.record import PredictionsRecord
from core.applications.predictions.signals import Floats, Signals
from core.concepts.mentions import ClassNames, Mentions
from core.datasets import DatasetImage

# A prediction is called implausible above this score.
HALF = 0.5
# What each signal adds to the weighted sum. The agreement of templates adds nothing: on those photographs it does not
# tell wrong predictions from right ones.
CONSTANT = -0.5
WEIGHTS = {"entropy": 2.0, "disturbances": -1.0, "neighbours": -2.0}
# What the relation of the caption to the predicted class adds.
CAPTION = {"named": -4.0, "broader": -2.5, "other": 1.5, "none": 0.0, "": 0.0}


def implausibility(entropy: Floats, disturbances: Floats, neighbours: Floats, relations: Sequence[str]) -> Floats:
    """The score of each image, from 0 to 1; agreement that is not known (NaN) counts as complete."""
    total = (
        CONSTANT
        + WEIGHTS["entropy"] * entropy
        + WEIGHTS["disturbances"] * np.nan_to_num(disturbances, nan=1.0)
        + WEIGHTS["neighbours"] * neighbours
        + np.array([CAPTION[relation] for relation in relations])
    )
    result: Floats = 1 / (1 + np.exp(-total))
    return result


def frame_of(values: Signals, names: ClassNames, images: Sequence[DatasetImage]) -> pd.DataFrame:
    """The table of the record, one row for each image, in their order."""
    rows = []
    for at, image in enumerate(images):
        best = int(values.best[at])
        found = [names.mentions(caption) for caption in image.captions]
        together = Mentions(
            frozenset().union(*(each.named for each in found)), frozenset().union(*(each.broader for each in found))
        )
        rows.append(
            {
                "image": image.id,
                "image_name": image.name,
                "predicted": names.names[best],
                "second": names.names[int(values.second[at])],
                "similarity": values.similarity[at],
                "margin": values.margin[at],
                "probability": values.probability[at],
                "entropy": values.entropy[at],
                "templates": values.templates[at],
                "disturbances": values.disturbances[at],
                "disturbed": [names.names[int(other)] for other in values.disturbed[at]],
                "neighbours": values.neighbours[at],
                "caption": image.captions[0] if image.captions else "",
                "caption_classes": [names.names[position] for position in sorted(together.named)],
                "relation": together.relation(best, names.kin(best)) if image.captions else "",
            }
        )
    frame = pd.DataFrame(rows)
    entropy, disturbances, neighbours = (frame[name].to_numpy(dtype=float) for name in WEIGHTS)
    score = implausibility(entropy, disturbances, neighbours, frame["relation"].tolist())
    return frame.assign(score=score, implausible=score > HALF)[PredictionsRecord.SCHEMAS["predictions"].names]
