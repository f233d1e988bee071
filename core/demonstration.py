"""The audits of `python -m core demo`: the bundled sample, explained by every embedded model and compared.

The audit of the default model covers all images with a few methods and the applications that this pays for. Two more
run first on some of the images, drawn as any `--limit` draws them: every method and the costly applications with the
default model, and the methods that it cannot serve with the other embedded models.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from core.applications.registry import APPLICATIONS
from core.datasets import read_texts
from core.methods import METHODS
from core.models.listing import DEFAULT, embedded_models
from core.request import AuditRequest, applications_at, methods_at, trust_at
from core.runs import Declared, ModelSpec, TextPlan
from core.settings import ROOT

SAMPLE = ROOT / "core" / "sample"
IMAGES = 92
# As many as the findings on trust need.
BESIDE = 12
# Forward-equivalents for each image, of applications and of methods: what costs more runs on `BESIDE` images only.
DEAREST, DEAREST_METHOD = 75, 10
# A caption and the best class.
TEXTS = 2
PURPOSE = "Shows an example of an audit, on the bundled sample and the embedded model."
ORIGIN = (
    "Photographs under free licences, some of them made smaller; the image index names the author of each. Captions, "
    "class labels and the columns light (in which light the photograph was taken) and collection (the kind of source) "
    "were written for this sample; nobody checked them independently."
)
LICENCE = "That of each photograph, named in the image index"
METHODS_FOLDER = "methods"


def demonstration(out: Path, effort: str, *, short: bool = False) -> tuple[AuditRequest, ...]:
    """The audit of the sample with the default model, last, and before it the one of all methods and those beside.

    The last compares the default model with the other embedded models, which explain `BESIDE` images with the same
    options, by the methods that the default model cannot serve and by one or two of each family; of the applications
    they run those whose card says so. `short` leaves out the audit of all methods.
    """
    first, *others = embedded_models()
    lacking = [name for name, info in METHODS.items() if info.reasons(first.capabilities).get("image") is not None]
    chosen = [info for info in METHODS.values() if not info.opt_in and (info.representative or info.name in lacking)]
    shared = [name for name, application in APPLICATIONS.items() if application.card.beside]
    beside = [
        _request(
            out / "beside" / other.name,
            effort,
            other.name,
            f"Demonstration audit of {other.name}",
            [info.name for info in chosen],
            shared,
            limit=BESIDE,
        )
        for other in others
    ]
    affordable = [name for name in APPLICATIONS if _price(name, effort) <= DEAREST]
    costly = [name for name in APPLICATIONS if name not in affordable]
    methods = _request(
        out / METHODS_FOLDER, effort, DEFAULT, "Demonstration audit of all methods", None, costly, limit=BESIDE
    )
    compared = tuple(request.out for request in beside)
    everywhere = representatives(effort, DEAREST_METHOD)
    last = _request(out, effort, DEFAULT, "Demonstration audit", everywhere, affordable, compare_with=compared)
    return (*beside, last) if short else (*beside, methods, last)


def representatives(effort: str, most: float) -> list[str]:
    """The representative methods that the default model serves for at most so many forward-equivalents an image."""
    model = embedded_models()[0]
    names = []
    for part in methods_at(effort):
        info = METHODS[part.name]
        cost = info.cost(part.options, model.image_depth)
        served = info.reasons(model.capabilities).get("image", "") is None
        if info.representative and served and cost.image + TEXTS * cost.pair + cost.pool <= most:
            names.append(part.name)
    return names


def _price(name: str, effort: str) -> float:
    """Forward-equivalents for each image of the sample."""
    card = APPLICATIONS[name].card
    return card.cost(card.preset(effort), IMAGES) / IMAGES


def _request(
    out: Path,
    effort: str,
    model: str,
    title: str,
    methods: Iterable[str] | None,
    applications: Iterable[str],
    *,
    limit: int | None = None,
    compare_with: tuple[Path, ...] = (),
) -> AuditRequest:
    return AuditRequest.build(
        out=out,
        images=(SAMPLE / "images",),
        table=SAMPLE / "captions.csv",
        limit=limit,
        model=ModelSpec(name=model),
        texts=TextPlan(classes=read_texts(SAMPLE / "classes.txt")),
        methods=methods_at(effort, methods),
        applications=applications_at(effort, applications),
        trust=trust_at(effort),
        declared=Declared(title=title, purpose=PURPOSE, preparer="Loupe demo", provenance=ORIGIN, licence=LICENCE),
        compare_with=compare_with,
    )
