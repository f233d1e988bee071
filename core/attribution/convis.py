"""ConVis: how well the crops that cover a place fit a text (Giulivi and Boracchi, arXiv:2405.14563).

The crops do not depend on the text: they are embedded once an image, and every text or concept is a matrix product.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.attribution.contract import Work
from core.concepts.glosses import embed_glosses
from core.concepts.lattice import PRESETS, Lattice
from core.concepts.relevance import rank_scores, sharpened
from core.concepts.vocabulary import vocabulary
from core.methods.concept import ConvisOptions
from core.models.model import Model


def attribute_image(work: Work, options: ConvisOptions) -> Tensor:
    """Maps `(images, texts, cells, cells)`: the mean over covering crops of the cosine, or of the rank from 0 to 1.

    With `score="gamma"` only the first ranks count, from 1 down to -1.

    With `paper_exact` ranks stretched to 0 to 1 a map; a map that is the same everywhere is then 0. Raises
    `InputError` if ranks are wanted and WordNet is absent.
    """
    lattice = PRESETS[options.preset]
    weights = torch.from_numpy(lattice.weights("sum" if options.paper_exact else options.scale_weight))
    noisy = options.paper_exact or options.margin == "noise"
    ranked = options.paper_exact or options.score != "similarity"
    glosses = embed_glosses(work.model, vocabulary()) if ranked else None
    maps = []
    for index in range(len(work.images)):
        key = ("convis", work.image_keys[index], options.preset, noisy)
        if key not in work.pools:
            generator = work.generator("convis", work.image_keys[index]) if noisy else None
            work.pools[key] = embed_crops(work.model, work.images.pixels[index], lattice, generator)
        scores = (work.pools[key] @ work.texts.embeddings.T).detach().cpu()
        if glosses is not None:
            cosines = work.pools[key].cpu().numpy() @ glosses.T
            columns = [rank_scores(cosines, column) for column in scores.numpy().T]
            if options.score == "gamma":
                columns = [sharpened(column, len(glosses), options.reach) for column in columns]
            scores = torch.from_numpy(np.stack(columns, axis=1))
        maps.append((weights @ scores.double()).T.unflatten(-1, (lattice.cells, lattice.cells)))
    found = torch.stack(maps).float()
    return stretched(found) if options.paper_exact else found


def embed_crops(model: Model, pixels: Tensor, lattice: Lattice, generator: torch.Generator | None = None) -> Tensor:
    """Unit embeddings `(crops, embedding)` of one image `(3, height, width)`, in the order of `lattice.boxes`.

    The margin has the model's mean colour, or uniform noise drawn from `generator`.
    """
    found = []
    step = model.image_batch(pixels.shape[-2:])
    with torch.no_grad():
        for some in crops(model, pixels, lattice, step, generator):
            found.append(model.bulk(some))
            model.meter.image += len(some)
    return F.normalize(torch.cat(found), dim=-1)


def crops(
    model: Model, pixels: Tensor, lattice: Lattice, step: int, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """The crops of one image, at most `step` at once, each resized to the model's input `(some, 3, height, width)`.

    An image whose sides are not whole numbers of cells is first enlarged to the next that are.
    """
    height, width = pixels.shape[-2:]
    down, across = -(-height // lattice.cells), -(-width // lattice.cells)
    whole = _resize(pixels[None], lattice.cells * down, lattice.cells * across)[0]
    top, left = lattice.margin * down, lattice.margin * across
    # Zero is the mean colour that preprocessing subtracts.
    canvas = torch.zeros(3, whole.shape[1] + 2 * top, whole.shape[2] + 2 * left, device=pixels.device)
    if generator is not None:
        mean, std = (_column(values) for values in (model.preprocessing.mean, model.preprocessing.std))
        canvas = ((torch.rand(canvas.shape, generator=generator) - mean) / std).to(pixels.device)
    canvas[:, top : top + whole.shape[1], left : left + whole.shape[2]] = whole
    low, high = _bounds(model, canvas)
    for side in lattice.sides:
        boxes = lattice.boxes[lattice.boxes[:, 2] == side] + (lattice.margin, lattice.margin, 0)
        for start in range(0, len(boxes), step):
            cut = [
                canvas[:, row * down : (row + side) * down, column * across : (column + side) * across]
                for row, column, _ in boxes[start : start + step].tolist()
            ]
            # Bicubic interpolation overshoots at edges; an image has no values beyond black and white.
            yield torch.minimum(torch.maximum(_resize(torch.stack(cut), height, width), low), high)


def stretched(maps: Tensor) -> Tensor:
    """Each map brought to 0 to 1 by its own minimum and maximum; one without any difference becomes 0."""
    low, high = maps.amin(dim=(-2, -1), keepdim=True), maps.amax(dim=(-2, -1), keepdim=True)
    span = high - low
    return torch.where(span > 0, (maps - low) / span.clamp(min=1e-12), torch.zeros_like(maps))


def _resize(pixels: Tensor, height: int, width: int) -> Tensor:
    if pixels.shape[-2:] == (height, width):
        return pixels
    # With antialiasing the kernel is the one of Pillow, which prepares images for most models.
    return F.interpolate(pixels, size=(height, width), mode="bicubic", align_corners=False, antialias=True)


def _column(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values)[:, None, None]


def _bounds(model: Model, canvas: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (_column(values).to(canvas) for values in (model.preprocessing.mean, model.preprocessing.std))
    low, high = canvas.amin(dim=(1, 2))[:, None, None], canvas.amax(dim=(1, 2))[:, None, None]
    return torch.minimum((0 - mean) / std, low), torch.maximum((1 - mean) / std, high)
