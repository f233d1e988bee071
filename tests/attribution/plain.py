"""A second implementation of every method, in float64 and as plainly as possible: one image, one text, loops.

Nothing here uses `core.attribution` or the taken-apart towers: states come from forward hooks on the library's modules,
attention is written out head by head, and gradients of attention weights are those of a zero that is added to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.support.tiny import double
from core.models.model import Model

Added = Sequence[Tensor] | None


def unit(vector: Tensor) -> Tensor:
    return vector / vector.norm(dim=-1, keepdim=True)


def softmax(rows: Tensor) -> Tensor:
    powers = (rows - rows.max(dim=-1, keepdim=True).values.detach()).exp()
    return powers / powers.sum(dim=-1, keepdim=True)


def heads_of(q: Tensor, k: Tensor, v: Tensor, heads: int, bias: Tensor | None, added: Added, norms: Any) -> Any:
    """Attention of one row `(tokens, width)`, head by head: the mixed values and the weights of each head."""
    width = q.shape[1] // heads
    mixed, weights = [], []
    for head in range(heads):
        part = slice(head * width, (head + 1) * width)
        one_q, one_k = norms[0](q[:, part]), norms[1](k[:, part])
        scores = one_q @ one_k.T / math.sqrt(width)
        if bias is not None:
            scores = scores + bias
        weight = softmax(scores)
        if added is not None:
            weight = weight + added[head]
        mixed.append(weight @ v[:, part])
        weights.append(weight.detach())
    return torch.cat(mixed, dim=1), weights


def same(value: Tensor) -> Tensor:
    return value


class Plain:
    """One model in float64."""

    def __init__(self, model: Model) -> None:
        self.source = model
        self.net = double(model).net
        visual = self.net.visual
        trunk: Any = getattr(visual, "trunk", None)
        self.visual, self.trunk = visual, trunk
        self.kind = "open_clip" if trunk is None else "cnn" if model.image.layout == "maps" else "timm"
        self.prefix = {"open_clip": 1, "timm": getattr(trunk, "num_prefix_tokens", 0), "cnn": 0}[self.kind]
        if self.kind == "open_clip":
            blocks = visual.transformer.resblocks
        elif type(trunk).__name__ == "ResNet":
            blocks = [trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4]
        elif type(trunk).__name__ == "ConvNeXt":
            blocks = trunk.stages
        else:
            blocks = trunk.blocks
        self.blocks: list[Any] = list(blocks)
        text = self.net if hasattr(self.net, "transformer") else self.net.text
        self.text = text
        self.bert = hasattr(text, "pooler")
        self.text_blocks = list(text.transformer.encoder.layer if self.bert else text.transformer.resblocks)

    # -- embeddings -----------------------------------------------------------------------------------------------

    def image(self, pixels: Tensor) -> Tensor:
        """The unit embedding of one image `(3, height, width)` by the library's own forward."""
        with torch.no_grad():
            return unit(self.net.encode_image(pixels.double()[None])[0])

    def words(self, text: str) -> Tensor:
        """The unit embedding of one text by the library's own forward."""
        with torch.no_grad():
            return unit(self.net.encode_text(self.source.text.tokenizer([text]))[0])

    # -- image states ---------------------------------------------------------------------------------------------

    def states(self, pixels: Tensor) -> list[Tensor]:
        """What enters each block of one image, and at the end what leaves the last one."""
        kept: list[Tensor] = []
        hooks = [block.register_forward_hook(lambda module, given, out: kept.append(out[0])) for block in self.blocks]
        first: list[Tensor] = []
        hooks.append(self.blocks[0].register_forward_pre_hook(lambda module, given: first.append(given[0][0])))
        with torch.no_grad():
            self.net.encode_image(pixels.double()[None])
        for hook in hooks:
            hook.remove()
        return [*first, *kept]

    def block(self, index: int, x: Tensor, added: Added = None) -> tuple[Tensor, list[Tensor]]:
        """One block of a transformer on one row `(tokens, width)`, and its attention weights."""
        block = self.blocks[index]
        if self.kind == "open_clip":
            return open_clip_block(block, x, None, added)
        q, k, v = self._timm_qkv(block, x)
        mixed, weights = heads_of(q, k, v, block.attn.num_heads, None, added, (block.attn.q_norm, block.attn.k_norm))
        x = x + block.ls1(block.attn.proj(block.attn.norm(mixed)))
        return x + block.ls2(block.mlp(block.norm2(x))), weights

    def _timm_qkv(self, block: Any, x: Tensor) -> list[Tensor]:
        packed = block.attn.qkv(block.norm1(x))
        width = packed.shape[1] // 3
        return [packed[:, part * width : (part + 1) * width] for part in range(3)]

    def value_attention(self, index: int, x: Tensor) -> Tensor:
        """Section 5.2: values attend to values; projected, nothing added."""
        block = self.blocks[index]
        if self.kind == "open_clip":
            _, _, v = open_clip_qkv(block, x)
            mixed, _ = heads_of(v, v, v, block.attn.num_heads, None, None, (same, same))
            return block.ls_1(mixed @ block.attn.out_proj.weight.T + block.attn.out_proj.bias)
        v = self._timm_qkv(block, x)[2]
        mixed, _ = heads_of(v, v, v, block.attn.num_heads, None, None, (same, same))
        return block.ls1(block.attn.proj(block.attn.norm(mixed)))

    def tail(self, state: Tensor, block: int) -> Tensor:
        """The unit embedding of one state that enters `block`."""
        if self.kind == "cnn":
            state = state[None]
            for stage in self.blocks[block:]:
                state = stage(state)
            return self.pooled_map(self.last_map(state)[0])
        for index in range(block, len(self.blocks)):
            state, _ = self.block(index, state)
        return self.pooled(state)

    def last_map(self, state: Tensor) -> Tensor:
        """The map `(1, channels, rows, columns)` that is pooled, of the state that left the last stage."""
        name = type(self.trunk).__name__
        if name == "EfficientNet":
            return self.trunk.bn2(self.trunk.conv_head(state))
        return self.trunk.norm_pre(state) if name == "ConvNeXt" else state

    def pooled_map(self, features: Tensor) -> Tensor:
        """The unit embedding of one feature map `(channels, rows, columns)`."""
        return unit(self.visual.head(self.trunk.forward_head(features[None]))[0])

    def pooled(self, state: Tensor) -> Tensor:
        """The unit embedding of one row `(tokens, width)` that left the last block."""
        visual = self.visual
        if self.kind == "timm":
            normed = self.trunk.norm(state)
            if self.trunk.attn_pool is not None:
                pooled = self.trunk.pool(normed[None])[0]
            elif self.trunk.global_pool == "token":
                pooled = normed[0]
            else:
                pooled = normed[self.prefix :].sum(dim=0) / (len(state) - self.prefix)
            return unit(visual.head(self.trunk.fc_norm(pooled)[None])[0])
        if visual.attn_pool is not None:
            pooled = visual.ln_post(visual.attn_pool(state[None]))[0, 0]
        elif visual.final_ln_after_pool:
            pooled = visual.ln_post(state[1:].sum(dim=0) / (len(state) - 1))
        elif visual.pool_type == "avg":
            pooled = visual.ln_post(state)[1:].sum(dim=0) / (len(state) - 1)
        else:
            pooled = visual.ln_post(state[0])
        return unit(pooled @ visual.proj)

    def place(self, vector: Tensor) -> Tensor:
        """The unit feature of one place's vector of the last state."""
        if self.kind == "open_clip":
            return unit(self.visual.ln_post(vector) @ self.visual.proj)
        normed = self.trunk.norm(vector)
        if self.trunk.attn_pool is not None:
            normed = self.trunk.attn_pool(normed[None, None])[0]
        return unit(self.visual.head(self.trunk.fc_norm(normed)[None])[0])

    def features(self, pixels: Tensor) -> Tensor:
        """The unit features of all places `(places, embedding)`."""
        last = self.states(pixels)[-1]
        with torch.no_grad():
            if self.kind != "cnn":
                return torch.stack([self.place(vector) for vector in last[self.prefix :]])
            features = self.last_map(last[None])[0]
            rows, columns = features.shape[1:]
            cells = [features[:, r : r + 1, c : c + 1] for r in range(rows) for c in range(columns)]
            return torch.stack([self.pooled_map(cell) for cell in cells])

    # -- text states ----------------------------------------------------------------------------------------------

    def text_states(self, text: str) -> tuple[list[Tensor], Tensor, Tensor | None]:
        """What enters each block of one text without padding, the token ids, and what is added to the scores.

        Towers that read the last position of a full row keep their padding: it is part of what they read.
        """
        ids = self.source.text.tokenizer([text])[0]
        if self.bert:
            ids = ids[ids != self.text.config.pad_token_id]
        elif self.source.text.pool != "last":  # type: ignore[attr-defined]
            ids = ids[: int(ids.argmax()) + 1]
        count = len(ids)
        with torch.no_grad():
            if self.bert:
                own = self.text.transformer.embeddings
                x = own.word_embeddings(ids) + own.position_embeddings(torch.arange(count))
                x = own.LayerNorm(x + own.token_type_embeddings(torch.zeros(count, dtype=torch.long)))
                bias = None
            else:
                x = self.text.token_embedding(ids) + self.text.positional_embedding[:count]
                causal = self.text.attn_mask is not None
                bias = torch.full((count, count), -torch.inf, dtype=torch.float64).triu(1) if causal else None
            states = [x]
            for index in range(len(self.text_blocks)):
                states.append(self.text_block(index, states[-1], bias)[0])
        return states, ids, bias

    def text_block(
        self, index: int, x: Tensor, bias: Tensor | None, added: Added = None
    ) -> tuple[Tensor, list[Tensor]]:
        """One block of the text tower on one row, and its attention weights."""
        block = self.text_blocks[index]
        if not self.bert:
            return open_clip_block(block, x, bias, added)
        own, after = block.attention.self, block.attention.output
        mixed, weights = heads_of(
            own.query(x), own.key(x), own.value(x), own.num_attention_heads, bias, added, (same, same)
        )
        x = after.LayerNorm(x + after.dense(mixed))
        inner = nn.functional.gelu(block.intermediate.dense(x))
        return block.output.LayerNorm(x + block.output.dense(inner)), weights

    def text_pooled(self, state: Tensor, ids: Tensor) -> Tensor:
        """The unit embedding of one row that left the last block."""
        if self.bert:
            name = type(self.text.pooler).__name__
            if name == "MeanPooler":
                pooled = state.sum(dim=0) / len(state)
            elif name == "ClsPooler":
                pooled = torch.tanh(self.text.transformer.pooler.dense(state[0]))
            else:
                pooled = state[0]
            return unit(self.text.proj(pooled))
        where = len(ids) - 1
        normed = self.text.ln_final(state[where])
        projection = self.text.text_projection
        return unit(projection(normed) if isinstance(projection, nn.Linear) else normed @ projection)

    def text_tail(self, state: Tensor, ids: Tensor, bias: Tensor | None, block: int) -> Tensor:
        """The unit embedding of one state that enters `block` of the text tower."""
        for index in range(block, len(self.text_blocks)):
            state, _ = self.text_block(index, state, bias)
        return self.text_pooled(state, ids)


def open_clip_qkv(block: Any, x: Tensor) -> list[Tensor]:
    h = block.ln_1(x)
    width = x.shape[1]
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    rows = [slice(part * width, (part + 1) * width) for part in range(3)]
    return [h @ weight[part].T + bias[part] for part in rows]


def open_clip_block(block: Any, x: Tensor, bias: Tensor | None, added: Added) -> tuple[Tensor, list[Tensor]]:
    q, k, v = open_clip_qkv(block, x)
    mixed, weights = heads_of(q, k, v, block.attn.num_heads, bias, added, (same, same))
    x = x + block.ls_1(mixed @ block.attn.out_proj.weight.T + block.attn.out_proj.bias)
    return x + block.ls_2(block.mlp(block.ln_2(x))), weights


# -- the methods --------------------------------------------------------------------------------------------------


def raw(plain: Plain, pixels: Tensor, text: str) -> Tensor:
    """Cosines of all places `(places,)`."""
    word = plain.words(text)
    return torch.stack([feature @ word for feature in plain.features(pixels)])


def surgery(plain: Plain, pixels: Tensor, depth: int) -> Tensor:
    """Unit features `(1 + places, embedding)` after architecture surgery; the first is the untouched image's."""
    states = plain.states(pixels)
    last = len(plain.blocks)
    start = max(last - depth, 0)
    with torch.no_grad():
        new = states[start] if start < last else states[last]
        for index in range(start, last):
            new = new + plain.value_attention(index, states[index])
        places = [plain.place(vector) for vector in new[plain.prefix :]]
    return torch.stack([plain.image(pixels), *places])


def surgery_labels(features: Tensor, words: Tensor) -> Tensor:
    """Similarities `(places, labels)` by the release's tensor of places x labels x channels."""
    share = softmax(2 * (features[:1] @ words.T))[0]
    weight = share / share.mean()
    products = features[1:, None, :] * words[None, :, :] * weight[None, :, None]
    redundant = products.mean(dim=1, keepdim=True)
    return (products - redundant).sum(dim=-1)


def gradcam(
    plain: Plain,
    pixels: Tensor,
    text: str,
    layer: int | None,
    weighting: str,
    relu: bool = True,
    average: str = "patches",
) -> Tensor:
    """Maps `(places,)` by hooks on the real network, whose input of `layer` is replaced by a leaf."""
    word, kept = plain.words(text), []

    def leaf(state: Tensor) -> Tensor:
        kept.append(state.detach().requires_grad_())
        return kept[-1]

    if layer is None and plain.kind == "cnn":
        # The library's own last map, pooled by its own head.
        features = plain.trunk.forward_features(pixels.double()[None])
        score = unit(plain.visual.head(plain.trunk.forward_head(leaf(features)))[0]) @ word
    else:
        block = plain.blocks[-1 if layer is None else layer]
        hook = block.register_forward_pre_hook(lambda module, given: (leaf(given[0]), *given[1:]))
        score = unit(plain.net.encode_image(pixels.double()[None])[0]) @ word
        hook.remove()
    (gradient,) = torch.autograd.grad(score, kept)
    held, gradient = kept[0].detach()[0], gradient[0]
    if plain.kind == "cnn":
        held, gradient = held.flatten(1).T, gradient.flatten(1).T
    every = gradient
    if plain.kind != "cnn":
        held, gradient = held[plain.prefix :], gradient[plain.prefix :]
    total = torch.zeros(len(held), dtype=torch.float64)
    for channel in range(held.shape[1]):
        mean = (every if average == "tokens" else gradient)[:, channel].mean()
        weight = mean if weighting == "channel" else gradient[:, channel]
        total = total + weight * held[:, channel]
    return total.clamp(min=0) if relu else total


def zeros_for(tokens: int, heads: int) -> list[Tensor]:
    return [torch.zeros(tokens, tokens, dtype=torch.float64, requires_grad=True) for _ in range(heads)]


def flow(score: Tensor, weights: list[list[Tensor]], added: list[list[Tensor]]) -> Tensor:
    """The relevance matrix of eq. 5 and 6, block by block; without the identity that it starts as."""
    tokens = weights[0][0].shape[0]
    relevance = torch.eye(tokens, dtype=torch.float64)
    gradients = iter(torch.autograd.grad(score, [zero for block in added for zero in block]))
    for block in weights:
        step = torch.zeros(tokens, tokens, dtype=torch.float64)
        for weight in block:
            step = step + (next(gradients) * weight).clamp(min=0) / len(block)
        relevance = relevance + step @ relevance
    return relevance - torch.eye(tokens, dtype=torch.float64)


def logit_scale(plain: Plain, scale: float | None) -> float:
    """The factor between a cosine and what is differentiated: the network's own unless it is given."""
    return float(plain.net.logit_scale.detach().exp()) if scale is None else scale


def gae_image(plain: Plain, pixels: Tensor, text: str, start: int, scale: float | None = None) -> Tensor:
    """Relevance of all places `(places,)` of blocks `start` onwards, from the scaled logit."""
    state = plain.states(pixels)[start]
    heads = plain.source.image.blocks[0].qkv(torch.zeros(1, *state.shape))[0].shape[1]  # type: ignore[attr-defined]
    weights, added = [], []
    for index in range(start, len(plain.blocks)):
        added.append(zeros_for(len(state), heads))
        state, found = plain.block(index, state, added[-1])
        weights.append(found)
    score = logit_scale(plain, scale) * (plain.pooled(state) @ plain.words(text))
    relevance = flow(score, weights, added)
    rows = [0] if reads_first(plain) else range(plain.prefix, len(relevance))
    return torch.stack([relevance[row, plain.prefix :] for row in rows]).mean(dim=0)


def reads_first(plain: Plain) -> bool:
    if plain.kind == "timm":
        return plain.trunk.global_pool == "token"
    return plain.visual.attn_pool is None and plain.visual.pool_type == "tok"


def gae_text(plain: Plain, pixels: Tensor, text: str, start: int, scale: float | None = None) -> Tensor:
    """Relevance of all positions of the text without padding `(tokens,)`."""
    states, ids, bias = plain.text_states(text)
    state, heads = states[start], 4
    weights, added = [], []
    for index in range(start, len(plain.text_blocks)):
        added.append(zeros_for(len(state), heads))
        state, found = plain.text_block(index, state, bias, added[-1])
        weights.append(found)
    score = logit_scale(plain, scale) * (plain.text_pooled(state, ids) @ plain.image(pixels))
    relevance = flow(score, weights, added)
    if not plain.bert:
        return relevance[len(ids) - 1]
    return relevance.mean(dim=0) if type(plain.text.pooler).__name__ == "MeanPooler" else relevance[0]


def legrad(plain: Plain, pixels: Tensor, text: str, layers: int) -> Tensor:
    """The mean over the last `layers` blocks of the positive gradient of each block's own score, `(places,)`."""
    states, word = plain.states(pixels), plain.words(text)
    depth = len(plain.blocks)
    total = torch.zeros(len(states[0]) - plain.prefix, dtype=torch.float64)
    blocks = range(max(depth - layers, 0), depth)
    for index in blocks:
        heads = 4 if plain.kind == "open_clip" else plain.blocks[index].attn.num_heads
        added = zeros_for(len(states[index]), heads)
        out, _ = plain.block(index, states[index], added)
        score = plain.place(out.mean(dim=0)) @ word
        for gradient in torch.autograd.grad(score, added):
            total += gradient.clamp(min=0).mean(dim=0)[plain.prefix :] / heads
    return total / len(blocks)


def m2ib(
    state: Tensor,
    tail: Callable[[Tensor], Tensor],
    target: Tensor,
    generator: torch.Generator,
    *,
    beta: float = 0.1,
    steps: int = 10,
    samples: int = 10,
    lr: float = 1.0,
    prior: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """The KL of one pair, elementwise, by the literal loop of section 1.2 with Adam written out."""
    mean, spread = prior if prior is not None else (torch.zeros_like(state), torch.ones_like(state))
    logits = torch.full_like(state, 5.0)
    first, second = torch.zeros_like(state), torch.zeros_like(state)
    kept = torch.zeros_like(state)
    for step in range(1, steps + 1):
        logits = logits.detach().requires_grad_()
        share = 1 / (1 + torch.exp(-logits))
        kl = 0.5 * ((share * (state - mean) / spread) ** 2 + (1 - share) ** 2 - 2 * torch.log(1 - share) - 1)
        noise = torch.randn((samples, *state.shape), generator=generator).double()
        similarity = torch.zeros((), dtype=torch.float64)
        for one in noise:
            mixed = share * state + (1 - share) * (mean + spread * one)
            similarity = similarity + tail(mixed) @ target / samples
        (gradient,) = torch.autograd.grad(beta * kl.mean() - similarity, logits)
        kept = kl.detach()
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        corrected = first / (1 - 0.9**step), second / (1 - 0.999**step)
        logits = logits.detach() - lr * corrected[0] / (corrected[1].sqrt() + 1e-8)
    return kept
