"""How a tower's embedding reads its last state: by a class token, the mean of the places, or an attention pool.

`reading` gives the weight of each token. `read_out` gives the whole way from the last state to the embedding as a
linear map, exact on this image, with each norm's statistics and a pool's attention held at what they are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.attribution.contract import Work
from core.errors import CapabilityError
from core.models.towers.base import ImageTower
from core.models.towers.vit import OpenClipVit, TimmVit


@dataclass(frozen=True)
class Linear:
    """A layer that is linear with the image's own statistics held: `x -> (x * rows) M + bias`.

    rows: one factor a row of x; None for 1.
    bias: `(out)` or 0. M is `matrix` (in, out); without one it takes off the mean if `centred`, then applies `gain`.
    """

    rows: Tensor | None = None
    matrix: Tensor | None = None
    gain: Tensor | None = None
    centred: bool = False
    bias: Tensor | float = 0.0

    def after(self, x: Tensor) -> Tensor:
        """`x M`."""
        if self.matrix is not None:
            return x @ self.matrix
        x = x - x.mean(dim=-1, keepdim=True) if self.centred else x
        return x if self.gain is None else x * self.gain

    def before(self, y: Tensor) -> Tensor:
        """`M y`."""
        if self.matrix is not None:
            return self.matrix @ y
        y = y if self.gain is None else self.gain[:, None] * y
        return y - y.mean(dim=-2, keepdim=True) if self.centred else y


@dataclass(frozen=True)
class Chain:
    """Layers one after the other on each token: `x -> (x * rows) M + constant`.

    rows: `(images, tokens)`. constant: `(images, tokens, out)`, what comes of biases.
    """

    rows: Tensor
    steps: tuple[Linear, ...]
    constant: Tensor

    def before(self, y: Tensor) -> Tensor:
        """`M y`."""
        for step in reversed(self.steps):
            y = step.before(y)
        return y


@dataclass(frozen=True)
class Readout:
    """How the embedding reads the last state: the sum over parts p and tokens j of rows[p, j] state[j] matrices[p].

    rows: `(images, parts, tokens)`; one part, or one for each head of an attention pool.
    matrices: `(parts, width, embedding)`.
    rest: `(images, embedding)`, what is added whatever the state (biases, a pool's feed-forward part).
    """

    rows: Tensor
    matrices: Tensor
    rest: Tensor

    def of(self, state: Tensor, directions: Tensor) -> Tensor:
        """Products `(images, directions)` of a summand `(images, tokens, width)` of the last state, without `rest`."""
        return torch.einsum("bpw,pwd->bd", self.rows @ state, self.matrices @ directions.T)

    def pooled(self, state: Tensor) -> Tensor:
        """The vector `(images, embedding)` itself, `rest` included."""
        return torch.einsum("bpw,pwe->be", self.rows @ state, self.matrices) + self.rest

    def then(self, part: Any, state: Tensor) -> Readout:
        """This read-out of `state` followed by a layer on the pooled vector."""
        step = held(part, self.pooled(state))
        rows, rest = self.rows, self.rest
        if step.rows is not None:
            rows, rest = rows * step.rows[:, None, None], rest * step.rows[:, None]
        return Readout(rows, step.after(self.matrices), step.after(rest) + step.bias)


# -- who reads the last state -------------------------------------------------------------------------------------


def reading(tower: ImageTower, final: Tensor) -> Tensor:
    """The weight `(images, tokens)` with which each token of the last state enters the embedding; rows sum to 1.

    A class token has all of it, averaged places share it, and an attention pool gives its own attention, the mean of
    its heads.
    """
    if tower.pooled_token is not None:
        row = F.one_hot(torch.tensor(tower.pooled_token), final.shape[1]).to(final)
        return row.expand(len(final), -1)
    own = pooler_attention(tower, final)
    if own is not None:
        return own.mean(dim=1)
    row = torch.ones_like(final[0, :, 0])
    if not (isinstance(tower, TimmVit) and getattr(tower.module.trunk, "pool_include_prefix", False)):
        row[: tower.prefix_tokens] = 0
    return (row / row.sum()).expand(len(final), -1)


def pooler_attention(tower: ImageTower, final: Tensor) -> Tensor | None:
    """The attention `(images, heads, tokens)` of the tower's attention pool; None if it has none."""
    if isinstance(tower, TimmVit) and tower.module.trunk.attn_pool is not None:
        trunk = tower.module.trunk
        # Some towers keep class and register tokens from their pool.
        unread = 0 if getattr(trunk, "pool_include_prefix", True) else tower.prefix_tokens
        return F.pad(_timm_pooler(trunk.attn_pool, trunk.norm(final)[:, unread:]), (unread, 0))
    if isinstance(tower, OpenClipVit) and tower.module.attn_pool is not None:
        return _open_clip_pooler(tower.module, final)
    return None


def _timm_pooler(pool: Any, normed: Tensor) -> Tensor:
    x = normed if pool.pos_embed is None else normed + pool.pos_embed
    q = pool.q_norm(pool.q(pool.latent).unflatten(-1, (pool.num_heads, -1)).transpose(1, 2))
    k = pool.k_norm(pool.kv(x).chunk(2, dim=-1)[0].unflatten(-1, (pool.num_heads, -1)).transpose(1, 2))
    weights = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(dim=-1)
    return weights[:, :, 0] if pool.pool == "token" else weights.mean(dim=2)


def _open_clip_pooler(visual: Any, final: Tensor) -> Tensor:
    if visual.attn_pool_contrastive is None:
        queries = _queries(visual.attn_pool, final)
        return queries[:, :, 0] if visual.pool_type == "tok" else queries[:, :, 1:].mean(dim=2)
    normed = visual.ln_post(final)
    if visual.attn_pool_type == "parallel":
        return _queries(visual.attn_pool_contrastive, normed).mean(dim=2)
    # In a cascade the second pool reads the first one's answers.
    second = _queries(visual.attn_pool_contrastive, visual.attn_pool(normed)).mean(dim=2)
    return second @ _queries(visual.attn_pool, normed).mean(dim=1)


def _queries(pool: Any, x: Tensor) -> Tensor:
    keys = pool.ln_k(x)
    queries = pool.ln_q(pool.query).expand(len(x), -1, -1)
    return pool.attn(queries, keys, keys, need_weights=True, average_attn_weights=False)[1]


# -- layers as linear maps ----------------------------------------------------------------------------------------


def held(part: Any, x: Tensor) -> Linear:
    """A layer as a linear map at x `(..., width)`, a norm with x's own statistics. Raises `CapabilityError` for others.

    What it maps x itself to is exactly what the layer gives there.
    """
    if isinstance(part, Linear):
        return part
    if part is None or isinstance(part, nn.Identity | nn.Dropout):
        return Linear()
    bias = getattr(part, "bias", None)
    bias = 0.0 if bias is None else bias
    if isinstance(part, nn.Linear):
        return Linear(matrix=part.weight.T, bias=bias)
    if isinstance(part, nn.LayerNorm):
        rows = (x.var(dim=-1, unbiased=False) + part.eps).rsqrt()
        return Linear(rows, gain=part.weight, centred=True, bias=bias)
    if type(part).__name__ == "LayerScale":
        return Linear(gain=part.gamma)
    raise CapabilityError(f"clip_prs cannot decompose an embedding that passes through a {type(part).__name__}")


def chained(layers: Sequence[Any], x: Tensor) -> Chain:
    """The layers as one linear map at x `(images, tokens, width)`."""
    rows, constant, steps = torch.ones_like(x[..., 0]), torch.zeros_like(x), []
    for part in layers:
        step = held(part, x)
        if step.rows is not None:
            rows, x, constant = rows * step.rows, x * step.rows[..., None], constant * step.rows[..., None]
        x, constant = step.after(x) + step.bias, step.after(constant) + step.bias
        steps.append(step)
    return Chain(rows, tuple(steps), constant)


# -- the read-out -------------------------------------------------------------------------------------------------


def read_out(work: Work) -> Readout:
    """The read-out of this batch's last states. Raises `CapabilityError` where it is not linear."""
    tower, final = work.model.image, work.images.final
    if isinstance(tower, OpenClipVit):
        return _open_clip(tower, final)
    if not isinstance(tower, TimmVit):
        raise CapabilityError(
            f"clip_prs cannot decompose the embedding of {work.model.title}: its read-out is not supported"
        )
    trunk = tower.module.trunk
    if trunk.attn_pool is not None:
        found = _timm_pooled(tower, final)
    elif trunk.global_pool in ("token", "avg"):
        found = _averaged(tower, final, [trunk.norm])
    else:
        raise CapabilityError(f"clip_prs cannot decompose an embedding that is pooled by {trunk.global_pool!r}")
    for part in (trunk.fc_norm, trunk.head, *tower.module.head.children()):
        found = found.then(part, final)
    return found


def _open_clip(tower: OpenClipVit, final: Tensor) -> Readout:
    visual, projection = tower.module, Linear(matrix=tower.module.proj)
    if visual.attn_pool is None:
        late = bool(visual.final_ln_after_pool)
        found = _averaged(tower, final, [] if late else [visual.ln_post])
        return (found.then(visual.ln_post, final) if late else found).then(projection, final)
    pool, norms, after = visual.attn_pool, [], visual.ln_post
    if visual.attn_pool_contrastive is not None:
        pool, norms, after = visual.attn_pool_contrastive, [visual.ln_post], None
    if visual.pool_type == "avg" or getattr(visual, "attn_pool_type", "") == "cascade":
        raise CapabilityError("clip_prs cannot decompose an embedding computed from several outputs of attention pools")
    row = pooler_attention(tower, final)
    packed = pool.attn.in_proj_weight
    value = pool.attn.v_proj_weight if packed is None else packed.chunk(3)[2]
    bias = None if pool.attn.in_proj_bias is None else pool.attn.in_proj_bias.chunk(3)[2]
    found = _pooled(chained([*norms, pool.ln_k], final), row, value, bias, pool.attn.out_proj)
    return found.then(after, final).then(projection, final)


def _timm_pooled(tower: TimmVit, final: Tensor) -> Readout:
    """The pool's feed-forward part goes to `rest` as a whole."""
    pool, row = tower.module.trunk.attn_pool, pooler_attention(tower, final)
    if pool.latent_len != 1:
        raise CapabilityError("clip_prs cannot decompose an attention pool with several queries")
    chain = chained([tower.module.trunk.norm], final)
    if pool.pos_embed is not None:
        placed = F.pad(pool.pos_embed, (0, 0, final.shape[1] - len(pool.pos_embed), 0))
        chain = replace(chain, constant=chain.constant + placed)
    bias = None if pool.kv.bias is None else pool.kv.bias.chunk(2)[1]
    found = _pooled(chain, row, pool.kv.weight.chunk(2)[1], bias, pool.proj)
    return found if pool.mlp is None else replace(found, rest=found.rest + pool.mlp(pool.norm(found.pooled(final))))


def _averaged(tower: ImageTower, final: Tensor, norms: list[Any]) -> Readout:
    row, chain = reading(tower, final), chained(norms, final)
    whole = torch.eye(final.shape[-1], dtype=final.dtype, device=final.device)
    return Readout((row * chain.rows)[:, None], chain.before(whole)[None], (row[:, None] @ chain.constant)[:, 0])


def _pooled(chain: Chain, row: Tensor | None, value: Tensor, bias: Tensor | None, out: Any) -> Readout:
    """An attention pool that reads the last state through `chain`, one part a head."""
    assert row is not None
    heads = row.shape[1]
    behind = Linear() if isinstance(out, nn.Identity) else Linear(matrix=out.weight.T)
    own = torch.eye(len(value), dtype=value.dtype, device=value.device)
    each = value.T.unflatten(1, (heads, -1)).transpose(0, 1) @ behind.before(own).unflatten(0, (heads, -1))
    rest = torch.einsum("bpw,pwe->be", row @ chain.constant, each)
    rest = rest if bias is None else rest + behind.after(bias)
    rest = rest if getattr(out, "bias", None) is None else rest + out.bias
    return Readout(row * chain.rows[:, None], chain.before(each), rest)
