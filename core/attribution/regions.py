"""Parts of an image that a game can be played over: semantic regions, superpixels, or a plain grid.

Semantic regions come from the model's own features: a non-negative factorisation of the features at all places, and
each place belongs to the component that contributes most to it. They are a partition: no overlap, nothing left over.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from core.attribution.contract import Work
from core.errors import CapabilityError
from core.models.coalitions import cell_masks
from core.models.model import Model

Prior = Literal["semantic", "superpixels", "grid", "drawn"]
# The map of a model whose own grid is not known.
OPAQUE_GRID = (8, 8)
CHUNK = 64
# The released thresholds, of maps times 255.
MAPS_THRESHOLD, TOKENS_THRESHOLD = 25, 150


@dataclass(frozen=True)
class Regions:
    """Parts of one image.

    prior: what made them.
    masks: bool `(regions, height, width)` over the pixels that the model sees.
    cells: float64 `(regions, rows, columns)`, the share of each cell of the model's grid that belongs to the region.
    """

    prior: Prior
    masks: Tensor
    cells: Tensor

    def __len__(self) -> int:
        return len(self.masks)

    @property
    def areas(self) -> Tensor:
        """The share of the image that each region covers, float64 `(regions,)`."""
        return self.masks.double().mean(dim=(1, 2))

    def visible(self, rows: Tensor) -> Iterator[Tensor]:
        """Visibilities `(some, height, width)` of coalitions `(coalitions, regions)`: the union of their regions."""
        flat = self.masks.flatten(1).float()
        for some in rows.split(CHUNK):
            yield ((some.float() @ flat) > 0).float().unflatten(1, tuple(self.masks.shape[1:]))

    def spread(self, values: Tensor) -> Tensor:
        """Maps `(games, rows, columns)` that paint the values `(regions, games)` over the regions' cells."""
        return torch.einsum("mg,mrc->grc", values.double(), self.cells)


def drawn_regions(work: Work, labels: Tensor) -> Regions:
    """Regions that people drew: one for each number in `labels` `(height, width)`, over the pixels that the model sees.

    Numbers need not be without gaps; regions come in their order.
    """
    _, dense = labels.unique(return_inverse=True)
    masks = _one_hot(dense)
    return Regions("drawn", masks, _pooled(masks, map_grid(work)))


def can_be_semantic(model: Model) -> bool:
    """Whether the model shows its features at places, so that semantic regions can be made."""
    return bool({"places", "image_layers"} & model.capabilities)


def regions_of(work: Work, index: int, prior: Prior | Literal["auto"], count: int) -> Regions:
    """At most `count` regions of image `index`. "auto" means semantic, or superpixels if the model is opaque.

    Raises `CapabilityError` if semantic regions are asked of a model that does not show its features, and `ValueError`
    for drawn regions, which need more than the image (`drawn_regions`).
    """
    if prior == "drawn":
        raise ValueError("drawn regions are made of labels; call drawn_regions")
    if prior == "auto":
        prior = "semantic" if can_be_semantic(work.model) else "superpixels"
    height, width = work.images.pixels.shape[-2:]
    if prior == "semantic":
        features, grid = place_features(work, index)
        cells = _one_hot(semantic_labels(features, grid, count))
        return Regions(prior, cell_masks(cells, height, width) > 0, cells.double())
    if prior == "superpixels":
        labels = superpixels(_rgb(work.model, work.images.pixels[index]), count)
    else:
        labels = grid_labels(height, width, count)
    masks = _one_hot(labels)
    return Regions(prior, masks, _pooled(masks, map_grid(work)))


def map_grid(work: Work) -> tuple[int, int]:
    """Rows and columns of the maps: the model's own grid where it has one."""
    return work.images.grid() if "image_layers" in work.model.capabilities else OPAQUE_GRID


# -- semantic regions --------------------------------------------------------------------------------------------


def place_features(work: Work, index: int) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Features `(places, width)` of one image and their grid.

    Projected into the joint space where the model does that for single places, else as they leave the last block.
    Raises `CapabilityError` if the model shows neither.
    """
    if "places" in work.model.capabilities:
        found = work.images.places[index]
    elif "image_layers" in work.model.capabilities:
        found = _last_state(work, index)
    else:
        raise CapabilityError(
            f"{work.model.title} does not expose its features, so there are no semantic regions; use superpixels or "
            "grid"
        )
    return found.detach().cpu().double().numpy(), work.images.grid()


def semantic_labels(features: NDArray[np.float64], grid: tuple[int, int], count: int) -> Tensor:
    """The semantic region `(rows, columns)` of each place, at most `count`, from features `(places, width)`."""
    return partition(*factorise(shifted(features), count)).reshape(grid)


def shifted(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """The features minus each channel's minimum over the places, which makes them non-negative."""
    return features - features.min(axis=0, keepdims=True)


def factorise(features: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A non-negative factorisation W `(places, components)`, H `(components, width)` of features `(places, width)`.

    Started from the singular vectors, so there is no chance in it. Features that are 0 everywhere give one component.
    """
    from sklearn.decomposition import NMF
    from sklearn.exceptions import ConvergenceWarning

    count = min(count, *features.shape)
    largest = float(features.max(initial=0.0))
    if largest <= 1e-12:
        return np.ones((len(features), 1)), np.zeros((1, features.shape[1]))
    with warnings.catch_warnings():
        # A factorisation that still moves a little is as good for regions.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = NMF(count, init="nndsvda", random_state=0, max_iter=300, tol=1e-5)
        weights = model.fit_transform(features / largest)
    return weights, model.components_ * largest


def partition(weights: NDArray[np.float64], components: NDArray[np.float64]) -> Tensor:
    """The component `(places,)` that contributes most to each place, numbered without gaps.

    A factorisation leaves the scale of a component open (W c, H / c); its share is therefore W times the norm of H.
    """
    share = weights * np.maximum(np.linalg.norm(components, axis=1), 1e-300)
    _, labels = np.unique(share.argmax(axis=1), return_inverse=True)
    return torch.from_numpy(labels.reshape(-1))


def _last_state(work: Work, index: int) -> Tensor:
    tower, state = work.model.image, work.images.final[index]
    return state.flatten(1).T if tower.layout == "maps" else state[tower.prefix_tokens :]


# -- baselines ---------------------------------------------------------------------------------------------------


def superpixels(rgb: NDArray[np.float32], count: int) -> Tensor:
    """SLIC superpixels `(height, width)` of an RGB image in 0..1, at most `count`, numbered without gaps.

    Achanta et al., 2012. SLIC rarely makes as many as it is asked for, so it is asked for more until it makes too many.
    """
    from skimage.segmentation import slic

    best = np.zeros(rgb.shape[:2], dtype=np.int64)
    for wanted in range(2, 4 * count):
        labels = slic(rgb.astype(np.float64), n_segments=wanted, compactness=10, start_label=0, channel_axis=-1)
        _, dense = np.unique(labels, return_inverse=True)
        if best.max() < dense.max() < count:
            best = dense.reshape(best.shape)
        if dense.max() + 1 >= count:
            break
    return torch.from_numpy(best)


def grid_labels(height: int, width: int, count: int) -> Tensor:
    """Equal rectangles `(height, width)`: the grid, about as high as wide, that has at most `count` of them."""
    rows = max(1, round(count**0.5))
    columns = count // rows
    row = torch.arange(height) * rows // height
    column = torch.arange(width) * columns // width
    return row[:, None] * columns + column[None, :]


def _rgb(model: Model, pixels: Tensor) -> NDArray[np.float32]:
    mean, std = (torch.tensor(part)[:, None, None] for part in (model.preprocessing.mean, model.preprocessing.std))
    return (pixels.cpu() * std + mean).clamp(0, 1).permute(1, 2, 0).numpy()


# -- as released -------------------------------------------------------------------------------------------------


def released_regions(work: Work, index: int, count: int) -> Regions:
    """The released masks: factorised from a random start, cut at fixed thresholds, overlapping, with what is left over.

    Tokens are scaled to 0..1 in each channel first; maps are shifted to be non-negative where they are not.
    """
    from sklearn.decomposition import NMF

    if "image_layers" not in work.model.capabilities:
        raise CapabilityError(f"{work.model.title} does not expose its layers, from which the released masks are made")
    maps = work.model.image.layout == "maps"
    features = _last_state(work, index).detach().cpu().double().numpy()
    if maps:
        features = features - min(0.0, float(features.min()))
    else:
        low, high = features.min(axis=0), features.max(axis=0)
        features = (features - low) / np.maximum(high - low, 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = NMF(min(count, *features.shape), init="random", random_state=0, max_iter=200).fit_transform(features)
    grid, size = work.images.grid(), tuple(work.images.pixels.shape[-2:])
    soft = torch.from_numpy(weights.T.copy()).unflatten(1, grid) * 255
    if maps:
        large = F.interpolate(soft[None], size=size, mode="bicubic", align_corners=False)[0].clamp(0, 255)
        masks = large > MAPS_THRESHOLD
    else:
        masks = cell_masks(soft > TOKENS_THRESHOLD, *size) > 0
    left_over = ~masks.any(dim=0, keepdim=True)
    masks = torch.cat([masks, left_over])
    masks = masks[masks.flatten(1).any(dim=1)]
    return Regions("semantic", masks, _pooled(masks, grid))


def _one_hot(labels: Tensor) -> Tensor:
    return labels[None] == torch.arange(int(labels.max()) + 1)[:, None, None]


def _pooled(masks: Tensor, grid: tuple[int, int]) -> Tensor:
    return F.adaptive_avg_pool2d(masks.double()[None], grid)[0]
