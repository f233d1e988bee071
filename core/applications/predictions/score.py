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
from numpy.typing import NDArray

from core.applications.predictions.record import PredictionsRecord
from core.applications.predictions.signals import Floats, Signals
from core.concepts.mentions import ClassNames, Mentions
from core.datasets import DatasetImage
from core.languages import localised, say, typeset

# A prediction is called implausible above this score.
HALF = 0.5
MINUS = "\u2212"
# The signals as the sentence on the weights names them.
SIGNALS = {
    "entropy": "the entropy of the class probabilities as a share of its maximum",
    "disturbances": "the share of changed copies with the same best class",
    "neighbours": "the mean probability of the class in the nearest images",
}  # messages
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


def without_captions(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each row of a record would be implausible by the other signals, had its image no caption."""
    entropy, disturbances, neighbours = (frame[name].to_numpy(dtype=float) for name in WEIGHTS)
    return implausibility(entropy, disturbances, neighbours, [""] * len(frame)) > HALF


def weights_sentence() -> str:
    """How the score is made of its signals, with every weight, in sentences."""
    terms = [
        f"{'+' if WEIGHTS[name] > 0 else MINUS} {localised(f'{abs(WEIGHTS[name]):g}')} × {say(text)}"
        for name, text in SIGNALS.items()
    ]
    return typeset(
        say(
            "The score is 1 / (1 + exp({minus}t)) with t = {constant:g} {terms}, and the term of the caption: "
            "{named:g} where the caption names the class, {broader:g} where it has a broader word for it, +{other:g} "
            "where it names other classes only, and 0 otherwise. The lead over the second class and the agreement of "
            "prompt templates have no weight.",
            minus=MINUS,
            constant=CONSTANT,
            terms=" ".join(terms),
            named=CAPTION["named"],
            broader=CAPTION["broader"],
            other=CAPTION["other"],
        )
    )


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
