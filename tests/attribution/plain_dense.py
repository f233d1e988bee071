"""A second implementation, in float64 and as plainly as possible, of the attention and dense methods.

One image, one text, loops over heads and tokens. States come from hooks on the library's modules (`plain.Plain`);
nothing here uses `core.attribution` or the taken-apart towers.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from tests.attribution.plain import Plain, open_clip_qkv, softmax, unit

Heads = list[Tensor]


def qkv(plain: Plain, index: int, x: Tensor) -> tuple[Heads, Heads, Heads]:
    """Queries, keys and values of one row `(tokens, width)`, head by head."""
    block = plain.blocks[index]
    parts = open_clip_qkv(block, x) if plain.kind == "open_clip" else plain._timm_qkv(block, x)
    heads = block.attn.num_heads
    size = x.shape[1] // heads
    q, k, v = ([part[:, head * size : (head + 1) * size] for head in range(heads)] for part in parts)
    if plain.kind == "timm":
        q, k = [block.attn.q_norm(one) for one in q], [block.attn.k_norm(one) for one in k]
    return q, k, v


def read_by(plain: Plain, index: int, x: Tensor) -> Tensor:
    """What the projections of a block read."""
    block = plain.blocks[index]
    return block.ln_1(x) if plain.kind == "open_clip" else block.norm1(x)


def attended(plain: Plain, index: int, mixed: Heads) -> Tensor:
    """What the attention of a block adds, of the mixed values of its heads."""
    block, z = plain.blocks[index], torch.cat(mixed, dim=1)
    if plain.kind == "open_clip":
        return block.ls_1(z @ block.attn.out_proj.weight.T + block.attn.out_proj.bias)
    return block.ls1(block.attn.proj(block.attn.norm(z)))


def fed_forward(plain: Plain, index: int, x: Tensor) -> Tensor:
    """What the feed-forward part of a block adds."""
    block = plain.blocks[index]
    if plain.kind == "open_clip":
        return block.ls_2(block.mlp(block.ln_2(x)))
    return block.ls2(block.mlp(block.norm2(x)))


def pairs(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """softmax(left right^T / sqrt(size) + bias), one head."""
    scores = left @ right.T / math.sqrt(left.shape[1])
    return softmax(scores if bias is None else scores + bias)


def gaussian(rows: int, columns: int, std: float, prefix: int) -> Tensor:
    """The neighbourhood, pair by pair."""
    out = torch.zeros(prefix + rows * columns, prefix + rows * columns, dtype=torch.float64)
    for a in range(rows * columns):
        for b in range(rows * columns):
            down, across = a // columns - b // columns, a % columns - b % columns
            out[prefix + a, prefix + b] = math.exp(-(down * down + across * across) / (2 * std * std))
    return out


def together(labels: list[int], columns: int, prefix: int) -> Tensor:
    """What a segmentation says of places that belong together, pair by pair; chains are followed place by place."""
    places = len(labels)
    spots = [(at // columns, at % columns) for at in range(places)]
    apart = [[max(abs(a[0] - b[0]), abs(a[1] - b[1])) for b in spots] for a in spots]
    largest = max(max(row) for row in apart)
    out = torch.zeros(prefix + places, prefix + places, dtype=torch.float64)
    for a in range(places):
        reached, waiting = {a}, [a]
        while waiting:
            here = waiting.pop()
            near = {b for b in range(places) if apart[here][b] == 1 and labels[b] == labels[a]} - reached
            reached |= near
            waiting += near
        for b in range(places):
            if labels[b] == labels[a]:
                out[prefix + a, prefix + b] = 1.0 if b in reached else math.exp(-apart[a][b] / largest)
        out[prefix + a] /= out[prefix + a].sum()
    return out / out.max()


def cosines(plain: Plain, state: Tensor, text: str) -> Tensor:
    word = plain.words(text)
    return torch.stack([plain.place(vector) @ word for vector in state[plain.prefix :]])


def last_block(plain: Plain, image: Tensor, text: str, mix: Any, residual: bool, mlp: bool) -> Tensor:
    """The map of the last block whose heads mix by `mix(q, k, v)`."""
    index = len(plain.blocks) - 1
    x = plain.states(image)[index]
    out = attended(plain, index, [mix(*one) for one in zip(*qkv(plain, index, x), strict=True)])
    if residual:
        out = out + x
    if mlp:
        out = out + fed_forward(plain, index, out)
    return cosines(plain, out, text)


def gem(plain: Plain, image: Tensor, text: str, depth: int, iterations: int, sharpness: float | None) -> Tensor:
    """The stream of the last `depth` blocks, projection by projection."""
    states, total = plain.states(image), len(plain.blocks)
    start = max(total - depth, 0)
    stream = states[start]
    for index in range(start, total):
        lengths = [float(row.norm()) for row in read_by(plain, index, states[index])]
        mixed = []
        for one in zip(*qkv(plain, index, states[index]), strict=True):
            value = one[2]
            sharp = sum(lengths) / len(lengths) / math.sqrt(value.shape[1]) if sharpness is None else sharpness
            taken = torch.zeros_like(value)
            for p in one:
                p = unit(p)
                for _ in range(iterations):
                    p = unit(softmax(sharp * (p @ p.T)) @ p)
                taken = taken + softmax(sharp * (p @ p.T)) @ value / 3
            mixed.append(taken)
        stream = stream + attended(plain, index, mixed)
    return cosines(plain, stream, text)


def mean_attention(plain: Plain, index: int, x: Tensor) -> Tensor:
    """The mean over heads of a block's attention."""
    q, k, _ = qkv(plain, index, x)
    return sum(pairs(a, b) for a, b in zip(q, k, strict=True)) / len(q)  # type: ignore[return-value]


def text_attention(plain: Plain, text: str) -> tuple[list[Tensor], int, bool]:
    """The mean attention of each text block, how many tokens there are, and whether their mean is read."""
    states, ids, bias = plain.text_states(text)
    found = []
    for index, state in enumerate(states[:-1]):
        weights = plain.text_block(index, state, bias)[1]
        found.append(sum(weights) / len(weights))
    return found, len(ids), plain.bert and type(plain.text.pooler).__name__ == "MeanPooler"  # type: ignore[return-value]


def pool_row(plain: Plain, final: Tensor) -> Tensor | None:
    """The mean attention of an attention pool's only query or first one; None without a pool."""
    if plain.kind == "timm" and plain.trunk.attn_pool is not None:
        unread = 0 if plain.trunk.pool_include_prefix else plain.prefix
        pool, x = plain.trunk.attn_pool, plain.trunk.norm(final)[unread:]
        size = x.shape[1] // pool.num_heads
        q, k = pool.q(pool.latent[0])[0], pool.kv(x)[:, : x.shape[1]]
        rows = []
        for head in range(pool.num_heads):
            part = slice(head * size, (head + 1) * size)
            rows.append(softmax((k[:, part] @ q[part] / math.sqrt(size))[None])[0])
        return torch.cat([torch.zeros(unread), torch.stack(rows).mean(dim=0)])
    if plain.kind == "open_clip" and plain.visual.attn_pool is not None:
        pool = plain.visual.attn_pool
        width = pool.query.shape[1]
        bias = pool.attn.in_proj_bias
        q = pool.attn.q_proj_weight @ pool.ln_q(pool.query)[0] + bias[:width]
        k = pool.ln_k(final) @ pool.attn.k_proj_weight.T + bias[width : 2 * width]
        size = width // pool.attn.num_heads
        rows = []
        for head in range(pool.attn.num_heads):
            part = slice(head * size, (head + 1) * size)
            rows.append(softmax((k[:, part] @ q[part] / math.sqrt(size))[None])[0])
        return sum(rows) / len(rows)  # type: ignore[return-value]
    return None


def read_row(plain: Plain, final: Tensor) -> Tensor:
    """The weight with which each token is read."""
    own = pool_row(plain, final)
    if own is not None:
        return own
    row = torch.zeros(len(final), dtype=torch.float64)
    token = plain.trunk.global_pool == "token" if plain.kind == "timm" else plain.visual.pool_type == "tok"
    if token:
        row[0] = 1
    else:
        row[plain.prefix :] = 1 / (len(final) - plain.prefix)
    return row


def rolled(attention: list[Tensor]) -> Tensor:
    """Eq. 1 as whole matrices: the rows of each block's attention plus the identity, scaled to 1 and multiplied."""
    joint = torch.eye(len(attention[0]), dtype=torch.float64)
    for weights in attention:
        mixed = weights + torch.eye(len(weights), dtype=torch.float64)
        joint = (mixed / mixed.sum(dim=1, keepdim=True)) @ joint
    return joint


def carried(plain: Plain, image: Tensor, text: str, index: int) -> Tensor:
    """What each head of a block carries from each token into the cosine `(heads, tokens)`.

    By slopes: with spreads and a pool's weights detached the read-out is linear, so that its slope at the last state
    times what a head brought from one token is that part's share.
    """
    states, word = plain.states(image), plain.words(text)
    final = states[-1].detach().requires_grad_()
    embedding = detached_readout(plain, final)
    length = embedding.detach().norm()
    assert torch.allclose(embedding.detach() / length, plain.image(image), atol=1e-10)
    (slope,) = torch.autograd.grad(embedding @ word / length, final)
    q, k, v = qkv(plain, index, states[index])
    mixed = [(pairs(a, b) @ c).detach() for a, b, c in zip(q, k, v, strict=True)]
    spread = spread_of(plain, index, torch.cat(mixed, dim=1))
    out = torch.zeros(len(q), len(final), dtype=torch.float64)
    for head, (a, b, c) in enumerate(zip(q, k, v, strict=True)):
        weights = pairs(a, b)
        for token in range(len(final)):
            one = [torch.zeros_like(part) for part in mixed]
            one[head] = weights[:, token : token + 1] @ c[token : token + 1]
            out[head, token] = (slope * projected(plain, index, torch.cat(one, dim=1), spread)).sum().detach()
    return out


def spread_of(plain: Plain, index: int, z: Tensor) -> Tensor | None:
    """The spread by which a block's attention norms its mixed values, if it does."""
    if plain.kind != "timm" or not isinstance(plain.blocks[index].attn.norm, torch.nn.LayerNorm):
        return None
    return (z.var(dim=1, unbiased=False, keepdim=True) + plain.blocks[index].attn.norm.eps).sqrt()


def projected(plain: Plain, index: int, z: Tensor, spread: Tensor | None) -> Tensor:
    """The output projection of a block without any bias."""
    block = plain.blocks[index]
    if spread is not None:
        z = (z - z.mean(dim=1, keepdim=True)) / spread * block.attn.norm.weight
    weight = block.attn.out_proj.weight if plain.kind == "open_clip" else block.attn.proj.weight
    scale = block.ls_1 if plain.kind == "open_clip" else block.ls1
    return z @ weight.T * (scale.gamma if hasattr(scale, "gamma") else 1.0)


def detached_norm(norm: Any, x: Tensor) -> Tensor:
    """A norm whose spread has no slope."""
    if not isinstance(norm, torch.nn.LayerNorm):
        return x
    spread = (x.var(dim=-1, unbiased=False, keepdim=True) + norm.eps).sqrt().detach()
    return (x - x.mean(dim=-1, keepdim=True)) / spread * norm.weight + norm.bias


def detached_readout(plain: Plain, final: Tensor) -> Tensor:
    """The embedding, not normalised; spreads, a pool's weights and its feed-forward part have no slope."""
    visual = plain.visual
    if plain.kind == "open_clip":
        rows = final[1:].mean(dim=0) if visual.final_ln_after_pool else final
        normed = detached_norm(visual.ln_post, rows)
        if not visual.final_ln_after_pool:
            normed = normed[0] if visual.pool_type == "tok" else normed[1:].mean(dim=0)
        return normed @ visual.proj
    trunk = plain.trunk
    normed = detached_norm(trunk.norm, final)
    if trunk.attn_pool is None:
        pooled = normed[0] if trunk.global_pool == "token" else normed[plain.prefix :].mean(dim=0)
        return visual.head(detached_norm(trunk.fc_norm, pooled))
    pool, normed = trunk.attn_pool, normed[0 if trunk.pool_include_prefix else plain.prefix :]
    width = normed.shape[1]
    q, both = pool.q(pool.latent[0])[0], pool.kv(normed)
    size, mixed = width // pool.num_heads, []
    for head in range(pool.num_heads):
        part = slice(head * size, (head + 1) * size)
        weights = softmax((both[:, :width][:, part] @ q[part] / math.sqrt(size))[None])[0].detach()
        mixed.append(weights @ both[:, width:][:, part])
    pooled = pool.proj(torch.cat(mixed))
    pooled = pooled + pool.mlp(pool.norm(pooled)).detach()
    return visual.head(detached_norm(trunk.fc_norm, pooled))
