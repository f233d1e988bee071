"""What a spot check of the predictions draws from. No torch."""

from __future__ import annotations

import pandas as pd

from core.applications.predictions.record import PredictionsRecord
from core.runs import Run

# The standard deviations of right and wrong that are expected where half, and where a tenth of the predictions are
# wrong: implausible predictions are drawn more often.
SPREADS = {True: 0.5, False: 0.3}
BANDS = {True: "implausible", False: "plausible"}  # messages


def population(run: Run) -> pd.DataFrame | None:
    """The images with their predicted classes as statements, in strata by plausibility and class."""
    record = PredictionsRecord.of_run(run)
    if record is None:
        return None
    rows = record.predictions
    implausible = rows["implausible"].astype(bool)
    return pd.DataFrame(
        {
            "image": rows["image"],
            "image_name": rows["image_name"],
            "statement": rows["predicted"],
            "band": implausible.map(BANDS),
            "kind": rows["predicted"],
            "spread": implausible.map(SPREADS),
        }
    )
