"""Parts of images: foreground by the sign of a singular vector, parts by PCA or k-means, ellipses drawn round them.

Feature vectors are `(images, places, width)` of one group of images, in the row order of the grid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from core.deferred import Deferred
from core.models.geometry import Preprocessing
from core.models.model import Model

gaussian_blur = Deferred("torchvision.transforms.functional", "gaussian_blur")
Floats = NDArray[np.float64]
Variant = Literal["pca", "kmeans"]

COMPONENTS = 3
LEAST_SECOND = 0.025
NEIGHBOURS = np.ones((3, 3), dtype=int)
KMEANS_ROUNDS = 500
KMEANS_STARTS = 4
SIGN_CHOICES = 31
BLUR = 11
SIDE = 224
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Foreground:
    """What stands before the background in a group of images.

    `masks` (images, rows, columns); `component` is the index of the singular vector, `contrast` the share of inner
    cells minus that of border cells it marks; `whole` names the images without any marked cell, taken as a whole.
    """

    masks: NDArray[np.bool_]
    component: int
    contrast: float
    whole: tuple[int, ...]


@dataclass(frozen=True)
class Ellipse:
    """An ellipse in input pixels: centre, semi-axes and the angle of the longer one against the x axis in radians."""

    x: float
    y: float
    major: float
    minor: float
    angle: float


def left_vectors(rows: Floats, count: int) -> Floats:
    """The first `count` left singular vectors `(rows, count)` of a tall matrix, largest value first.

    They are read off the small Gram matrix: its eigenvectors V give U = X V / s. Vectors of a value that is zero up
    to rounding are left out. Their signs are arbitrary.
    """
    squares, axes = np.linalg.eigh(rows.T @ rows)
    order = np.argsort(-squares, kind="stable")[:count]
    known = [index for index in order if squares[index] > 1e-12 * max(squares[order[0]], 1e-300)]
    return rows @ axes[:, known] / np.sqrt(squares[known])


def foreground(features: NDArray[Any], grid: tuple[int, int], component: int | None = None) -> Foreground:
    """The foreground of each image of a group: the largest 8-connected patch of marked cells, and the second largest
    if it holds at least 2.5 % of the grid. An image without marked cells counts as a whole.

    With `component` that singular vector is used, and its positive side is the foreground unless that is the larger
    part (the release's rule). Without it, the vector among the first three, and its side, are chosen whose cells lie
    most inside the images and least on their borders.
    """
    images, places, _ = features.shape
    vectors = left_vectors(unit_rows(features.reshape(images * places, -1)), COMPONENTS)
    signs = vectors.T.reshape(-1, images, *grid)
    if component is None:
        contrasts = [border_contrast(sign > 0) for sign in signs]
        chosen = int(np.argmax(np.abs(contrasts)))
        marked = signs[chosen] > 0 if contrasts[chosen] >= 0 else signs[chosen] < 0
    else:
        chosen = min(component, len(signs) - 1)
        marked = signs[chosen] > 0
        if 0.5 < marked.mean() < 1:
            marked = signs[chosen] < 0
    kept = np.stack([largest_patches(mask) for mask in marked])
    whole = tuple(index for index, mask in enumerate(kept) if not mask.any())
    kept[list(whole)] = True
    return Foreground(kept, chosen, border_contrast(marked), whole)


def border_contrast(masks: NDArray[np.bool_]) -> float:
    """The share of inner cells that are marked minus that of border cells; 0 for a grid without inner cells."""
    inner = np.zeros(masks.shape[-2:], dtype=bool)
    inner[1:-1, 1:-1] = True
    if not inner.any():
        return 0.0
    return float(masks[..., inner].mean() - masks[..., ~inner].mean())


def largest_patches(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 8-connected patch, and the second if it holds at least 2.5 % of all cells (5 of 14 x 14)."""
    labels, count = ndimage.label(mask, structure=NEIGHBOURS)
    if count == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    kept = [order[0] + 1]
    if count > 1 and sizes[order[1]] >= math.ceil(LEAST_SECOND * mask.size):
        kept.append(order[1] + 1)
    return np.isin(labels, kept)


def part_labels(
    features: NDArray[Any],
    masks: NDArray[np.bool_],
    parts: int,
    variant: Variant,
    seed: int = 0,
    *,
    released: bool = False,
    flips: int = 0,
) -> NDArray[np.int8]:
    """The part of each cell `(images, rows, columns)`: 0 to `parts` - 1 in the foreground, -1 behind it.

    Parts are shared by the group. pca: each of the first components of the unit vectors is scaled to 0..1 and a cell
    belongs to the largest. The sign of a component is arbitrary; by rule it points where its values have their longer
    tail. `released` takes the vectors with their lengths, and scikit-learn's rule: the weight of largest magnitude is
    positive. Bit i of `flips` turns component i against the rule. kmeans: Euclidean clusters of the unit vectors, the
    largest first. Fewer distinct vectors give fewer parts.
    """
    flat = masks.reshape(-1)
    rows = np.asarray(features.reshape(len(flat), -1)[flat], dtype=np.float64)
    if variant == "pca":
        found = _principal_parts(rows if released else unit_rows(rows), parts, released, flips)
    else:
        found = _clusters(unit_rows(rows), parts, seed)
    labels = np.full(len(flat), -1, dtype=np.int8)
    labels[flat] = found
    return labels.reshape(masks.shape)


def sign_choices(parts: int, count: int, seed: int = 0) -> list[int]:
    """At most `count` choices of the signs of `parts` components, as `flips` of `part_labels`: the rule's own (0)
    first, then others at random, none twice.
    """
    others = 2**parts - 1
    drawn = np.random.default_rng([seed, parts]).choice(others, min(max(count - 1, 0), others), replace=False)
    return [0, *(1 + drawn).tolist()]


def sign_agreement(
    features: NDArray[Any], masks: NDArray[np.bool_], parts: int, seed: int = 0, *, released: bool = False
) -> float:
    """The mean adjusted Rand index between the principal parts with signs by rule and those with other signs.

    Over the cells of the foreground, and over every other choice of signs, or `SIGN_CHOICES` drawn at random where
    there are more. 1: the signs do not matter; 0: no more in common than by chance.
    """
    own, *others = (
        part_labels(features, masks, parts, "pca", released=released, flips=flips)[masks]
        for flips in sign_choices(parts, SIGN_CHOICES + 1, seed)
    )
    return float(np.mean([adjusted_rand_score(own, other) for other in others]))


def _principal_parts(rows: Floats, parts: int, released: bool, flips: int) -> NDArray[np.int64]:
    centred = rows - rows.mean(axis=0)
    if np.abs(centred).max() < 1e-12:
        return np.zeros(len(rows), dtype=np.int64)
    values = left_vectors(centred, parts)
    if released:
        weights = centred.T @ values
        decisive = weights[np.abs(weights).argmax(axis=0), np.arange(weights.shape[1])]
    else:
        decisive = (values**3).sum(axis=0)
    turned = flips >> np.arange(values.shape[1]) & 1
    values = values * np.where((decisive < 0) ^ (turned == 1), -1.0, 1.0)
    low, high = values.min(axis=0), values.max(axis=0)
    return ((values - low) / np.maximum(high - low, 1e-300)).argmax(axis=1)


def _clusters(rows: Floats, parts: int, seed: int) -> NDArray[np.int64]:
    distinct = min(parts, len(np.unique(rows.round(12), axis=0)))
    fitted = KMeans(distinct, n_init=KMEANS_STARTS, max_iter=KMEANS_ROUNDS, random_state=seed).fit(rows)
    sizes = np.bincount(fitted.labels_, minlength=distinct)
    rank = np.empty(distinct, dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(distinct)
    return rank[fitted.labels_]


def ellipse_of(mask: NDArray[np.bool_], height: int, width: int) -> Ellipse:
    """The ellipse with the centre and second moments of the mask's largest 8-connected patch, for an input of `height`
    x `width` pixels. The moments are those of the area of the cells, so that a single cell has an ellipse too.

    Raises `ValueError` for an empty mask.
    """
    labels, count = ndimage.label(mask, structure=NEIGHBOURS)
    if count == 0:
        raise ValueError("an empty mask has no ellipse")
    largest = 1 + int(np.argmax(np.bincount(labels.ravel())[1:]))
    row, column = np.nonzero(labels == largest)
    cell = np.array([width / mask.shape[1], height / mask.shape[0]])
    points = np.stack([(column + 0.5) * cell[0], (row + 0.5) * cell[1]], axis=1)
    centre = points.mean(axis=0)
    spread = (points - centre).T @ (points - centre) / len(points) + np.diag(cell**2 / 12)
    variances, axes = np.linalg.eigh(spread)
    # A filled ellipse has a quarter of its squared semi-axis as variance along it.
    minor, major = 2 * np.sqrt(variances)
    angle = float(np.arctan2(axes[1, 1], axes[0, 1])) % math.pi
    return Ellipse(float(centre[0]), float(centre[1]), float(major), float(minor), angle)


def circled(pixels: Tensor, ellipses: list[Ellipse], preprocessing: Preprocessing) -> Tensor:
    """Three images an ellipse, `(ellipses, 3 renderings, 3, height, width)`, in the model's normalised pixels.

    A red outline on the image itself, on the image made grey outside, and on the image blurred outside (Gaussian
    of 11 x 11 pixels at 224, line of one pixel; both grow with the input).
    """
    height, width = pixels.shape[-2:]
    mean = torch.tensor(preprocessing.mean, device=pixels.device)[:, None, None]
    std = torch.tensor(preprocessing.std, device=pixels.device)[:, None, None]
    luma = torch.tensor(LUMA, device=pixels.device)[:, None, None]
    grey = (((pixels * std + mean) * luma).sum(dim=0, keepdim=True).expand_as(pixels) - mean) / std
    kernel = max(3, 2 * round(BLUR // 2 * max(height, width) / SIDE) + 1)
    blurred = gaussian_blur(pixels[None], [kernel, kernel])[0]
    red = (torch.tensor([1.0, 0.0, 0.0], device=pixels.device)[:, None, None] - mean) / std
    thickness = max(1, round(max(height, width) / SIDE))
    made = []
    for ellipse in ellipses:
        inside, outline = (
            torch.from_numpy(part).to(pixels.device) for part in drawn(ellipse, height, width, thickness)
        )
        versions = [pixels, torch.where(inside, pixels, grey), torch.where(inside, pixels, blurred)]
        made.append(torch.stack([torch.where(outline, red, version) for version in versions]))
    return torch.stack(made)


def drawn(ellipse: Ellipse, height: int, width: int, thickness: int = 1) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels (height, width) lie in the ellipse, and which on its outline of `thickness` pixels."""
    x = np.arange(width)[None, :] + 0.5 - ellipse.x
    y = np.arange(height)[:, None] + 0.5 - ellipse.y
    along = (x * math.cos(ellipse.angle) + y * math.sin(ellipse.angle)) / ellipse.major
    across = (y * math.cos(ellipse.angle) - x * math.sin(ellipse.angle)) / ellipse.minor
    level = np.sqrt(along**2 + across**2)
    # Distance to the outline to first order: (level - 1) / |gradient of level|.
    slope = np.sqrt((along / ellipse.major) ** 2 + (across / ellipse.minor) ** 2) / np.maximum(level, 1e-9)
    return level <= 1, np.abs(level - 1) <= np.maximum(slope, 1e-9) * thickness / 2


def part_embeddings(
    model: Model, pixels: Tensor, labels: NDArray[np.int8], known: dict[bytes, Floats] | None = None
) -> tuple[list[int], list[Ellipse], Floats]:
    """The parts present in one image, their ellipses, and the mean of each part's three unit embeddings
    `(parts, embedding)`, which is not normalised again.

    `pixels` (3, height, width), `labels` (rows, columns). `known` holds embeddings of this image's parts by their
    cells: those there aren't made again, and those made are added.
    """
    height, width = int(pixels.shape[-2]), int(pixels.shape[-1])
    present = [int(part) for part in np.unique(labels) if part >= 0]
    ellipses = [ellipse_of(labels == part, height, width) for part in present]
    made: dict[bytes, Floats] = {} if known is None else known
    cells = [(labels == part).tobytes() for part in present]
    new = [at for at, key in enumerate(cells) if key not in made]
    if new:
        versions = circled(pixels, [ellipses[at] for at in new], model.preprocessing).flatten(0, 1)
        step = model.image_batch((height, width))
        model.meter.image += len(versions)
        with torch.no_grad():
            raw = torch.cat([model.bulk(some) for some in versions.split(step)])
        units = torch.nn.functional.normalize(raw, dim=-1).unflatten(0, (len(new), -1))
        means = units.mean(dim=1).double().cpu().numpy()
        made |= {cells[at]: mean for at, mean in zip(new, means, strict=True)}
    return present, ellipses, np.stack([made[key] for key in cells])


def unit_rows(rows: NDArray[Any]) -> Floats:
    """Each row divided by its length, in float64; a row of zeros stays."""
    wide = np.asarray(rows, dtype=np.float64)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1.0)
