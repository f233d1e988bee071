"""Rules about maps as such: do they vary at all, and does their order of trust hang on how places are hidden?"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from core.evaluation.agreement import order_agreement
from core.evaluation.summary import Summary
from core.findings.finding import Finding, Number
from core.findings.grading import grade
from core.findings.outcomes import cannot_conclude, passed
from core.findings.parts import SAMPLES, again, sample_of, title_of, too_few
from core.findings.thresholds import Thresholds
from core.runs import AGAIN, Run
from core.statistics import FEWEST_PAIRS, share_of_images

# A rank correlation over fewer methods has no interval.
FEWEST_METHODS = FEWEST_PAIRS


def maps_vary(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Is there a method whose maps are the same everywhere? Such a map shows nothing, whatever its colour."""
    rows = run.results(["image", "image_name", "text", "text_kind", "kind", "method", "status", "map"])
    rows = rows[(rows.kind == "method") & (rows.status == "ok") & rows["map"].notna()]
    if rows.empty:
        return
    most = float(thresholds["maps.constant.most_share"])
    rows = rows.assign(flat=[float(np.ptp(np.asarray(values, float)) == 0) for values in rows["map"]])
    shares = {
        str(method): share_of_images(part.flat.to_numpy(), part.image.to_numpy())
        for method, part in rows.groupby("method", sort=True)
    }
    n = max(share.n for share in shares.values())
    flat = {name: share for name, share in shares.items() if share.value is not None and share.value > most}
    worst = sorted(flat or shares, key=lambda name: (-(shares[name].value or 0.0), name))
    common = dict(
        id="maps.constant",
        rule="maps.constant",
        threshold=thresholds.label("maps.constant.most_share"),
        criterion=f"For each method at most {most:.0%} of its maps have the same value everywhere.",
        evidence=tuple(
            Number(name=f"{title_of(name)}: share of maps without any difference", **vars(shares[name]))
            for name in worst[:6]
        ),
        reproduce=again(run),
    )
    if n < thresholds["general.least_images"]:
        yield too_few("Too few pictures to say whether maps vary", n, thresholds, common)
        return
    if not flat:
        yield passed(title="Every method's maps vary", condition=f"{len(shares)} methods were looked at.", **common)
        return
    named = ", ".join(title_of(name) for name in worst)
    bad = rows[rows.method.isin(worst) & (rows.flat > 0)].sort_values(["image_name", "method"])
    made, word = grade(0.6, max(shares[name].value or 0.0 for name in flat), n, thresholds)
    yield Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"Maps that show nothing: {named}",
        condition=f"{len(bad)} maps of {len(worst)} of {len(shares)} methods have the same value in every cell.",
        samples=tuple(
            sample_of(row, (row.method,), f"{title_of(row.method)}: the same everywhere")
            for row in bad.drop_duplicates("image").head(SAMPLES).itertuples()
        ),
        rule_of_samples="the first pictures by name",
        cause="Hypothesis: the method has no path from this text or layer to places, or its values vanish in rounding.",
        effect="The colour of such a map means nothing, and it takes no part in agreement.",
        recommendation="Leave the method out for this model, or give it another layer.",
        **common,  # type: ignore[arg-type]
    )


def hiding_matters(run: Run, summary: Summary, thresholds: Thresholds) -> Iterator[Finding]:
    """Do methods rank alike by faithfulness, however places are hidden? Says nothing if one way only was measured."""
    rows = run.results(["image", "kind", "method", "status", "faithfulness", *(f"{way}_faithfulness" for way in AGAIN)])
    rows = rows[(rows.kind == "method") & (rows.status == "ok")]
    for way in AGAIN:
        known = rows[rows.faithfulness.notna() & rows[f"{way}_faithfulness"].notna()]
        if len(known):
            yield _order(run, known, way, thresholds)


def _order(run: Run, rows: pd.DataFrame, way: str, thresholds: Thresholds) -> Finding:
    least = float(thresholds["trust.hiding.least_correlation"])
    got, images = order_agreement(rows, f"{way}_faithfulness")
    methods, told = int(rows.method.nunique()), AGAIN[way]
    common = dict(
        id=f"trust.hiding.{way}",
        rule="trust.hiding",
        threshold=thresholds.label("trust.hiding.least_correlation"),
        criterion=f"Over methods, mean faithfulness with places {told} has a rank correlation of at least {least:g} "
        "with that of the way that is used throughout.",
        evidence=(Number(name=f"rank correlation of {methods} methods' faithfulness", **vars(got)),),
        reproduce=again(run),
    )
    if images < thresholds["general.least_images"] or methods < FEWEST_METHODS or got.low is None or got.value is None:
        return cannot_conclude(
            title=f"Whether the methods' order holds with places {told} can't be said",
            condition=f"{methods} methods on {images} pictures; {FEWEST_METHODS} methods and "
            f"{thresholds['general.least_images']} pictures are needed.",
            **common,  # type: ignore[arg-type]
        )
    if got.value >= least:
        return passed(
            title=f"The methods' order holds with places {told}",
            condition=f"Over {methods} methods the rank correlation is {got.value:.2f}.",
            **common,
        )
    made, word = grade(0.5, 1 - max(got.value, 0.0), images, thresholds)
    return Finding(
        status="finding",
        severity=word,
        grade=made,
        title=f"With places {told}, other methods look faithful",
        condition=f"Over {methods} methods the two orders have a rank correlation of {got.value:.2f}.",
        cause="Hypothesis: pictures with hidden places are unusual for the model, each kind in its own way; or the "
        "methods hardly differ.",
        effect="Which method is called faithful depends on a choice that has nothing to do with the user's question.",
        recommendation="Trust only methods that stand above the controls both ways.",
        **common,  # type: ignore[arg-type]
    )
