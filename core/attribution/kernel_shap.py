"""KernelSHAP over cells and over words: Shapley values of an image's places and of a text's words.

Lundberg, Lee, NeurIPS 2017, in the constrained form of Covert, Lee, 2021. The coalitions of cells are those that RISE
draws and some more whose sizes follow the Shapley kernel; weights make the mixture stand for the kernel, so one pool
serves both, and all texts. The coalitions of words depend on no image: one pool of texts serves all images.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.attribution.contract import Measured, Work
from core.attribution.draws import cell_grid, kept_cells, kernel_weights, pool_of, shapley_cells
from core.attribution.shapley import Coalitions, all_coalitions, constrained_values, exact_values, shapley_values
from core.attribution.word_games import spread_words, word_coalitions, word_pool
from core.methods.perturbation import KernelShapOptions

EXACT_UP_TO = 10


def attribute_image(work: Work, options: KernelShapOptions) -> Measured:
    """Shapley values `(images, texts, rows, columns)` of the cells; their sum is the whole image's cosine minus that
    of the fully hidden one, to rounding.
    """
    grid = cell_grid(work, options.cells)
    players = grid[0] * grid[1]
    maps, used = [], []
    for index in range(len(work.images)):
        pool = pool_of(work, index, options.removal)
        if players <= EXACT_UP_TO:
            every = all_coalitions(players).rows
            scores = (pool.embeddings(every.unflatten(1, grid)) @ work.texts.embeddings.T).cpu()
            found = exact_values(scores)
        else:
            coalitions = drawn(work, index, grid, options)
            scores = (pool.embeddings(coalitions.rows.unflatten(1, grid)) @ work.texts.embeddings.T).cpu()
            found = constrained_values(coalitions, scores)
        maps.append(found.T)
        used.append(len(scores))
    counted = torch.tensor(used, dtype=torch.float64)[:, None].expand(-1, len(work.texts))
    return Measured(torch.stack(maps).unflatten(-1, grid), details={"coalitions": counted})


def attribute_text(work: Work, options: KernelShapOptions) -> Tensor:
    """Values `(images, texts, tokens)`: each word's Shapley value, shared evenly by its tokens.

    A text's values sum to its cosine minus that of the text without words, to rounding. Removed words leave the
    sequence. Texts are taken as they are, without templates.
    """
    width = work.texts.ids.shape[1]
    found = []
    for text in range(len(work.texts)):
        pool = word_pool(work, text)
        values = work.images.embeddings.new_zeros(len(work.images), 0)
        if pool.words:
            coalitions = word_coalitions(work, text, options.words)
            scores = (pool.embeddings(coalitions.rows) @ work.images.embeddings.T).cpu()
            values = shapley_values(coalitions, scores).T
        found.append(spread_words(pool.words, values, width))
    return torch.stack([values.double().cpu() for values in found], dim=1)


def drawn(work: Work, index: int, grid: tuple[int, int], options: KernelShapOptions) -> Coalitions:
    """The empty coalition, the free draw, the draw by size, the full one; with the weights of the Shapley kernel."""
    free = kept_cells(work, index, grid, options.masks).flatten(1)
    by_size = shapley_cells(work, index, grid, options.extra).flatten(1)
    inner = torch.cat([free, by_size])
    players = inner.shape[1]
    rows = torch.cat([torch.zeros(1, players), inner, torch.ones(1, players)]).bool()
    zero = torch.zeros(1, dtype=torch.float64)
    return Coalitions(rows, torch.cat([zero, kernel_weights(inner, len(free), len(by_size)), zero]), False)
