"""Distil a causal CLIP text transformer from the text tower of an embedded model.

    python -m training.text_tower --distill DIR --wordnet DIR --out DIR [--steps 900]

`--distill` holds `flickr8k_144.zip` (its image names say whose captions may be used) and `flickr8k_captions.zip`;
`--wordnet` is an NLTK data folder (with `corpora/wordnet`). Needs no image and no GPU. Writes `text.safetensors` and
`text_figures.json` into `--out`; teacher embeddings are kept there between runs.

The student is first a bag of words: its first attention averages the normalised token vectors, nothing else acts. That
form costs almost nothing to train, from token vectors that are the teacher's embeddings of the tokens' own texts (in
principal components). Then the whole transformer learns what order and company change. Two losses: one minus cosine to
the teacher, and the divergence of the softmax similarities to the other strings of the batch (what retrieval needs).
"""

from __future__ import annotations

import argparse
import json
import math
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from core import load_model
from training.configs import demo_vit
from training.strings import corpus

BATCH = 256
PEAK = 1e-3
BAG_RATE = 4e-3
GAIN = 4.0
SHARPNESS = 1 / 0.05


class Student(nn.Module):
    """The text half of an open_clip CLIP, run on as many tokens as the batch needs."""

    def __init__(self, clip: nn.Module) -> None:
        super().__init__()
        self.clip = clip

    def forward(self, ids: Tensor) -> Tensor:
        """`(texts, tokens)` -> unit embeddings `(texts, embedding)`."""
        clip, length = self.clip, ids.shape[1]
        state = clip.token_embedding(ids) + clip.positional_embedding[:length]
        state = clip.ln_final(clip.transformer(state, attn_mask=clip.attn_mask[:length, :length]))
        last = state[torch.arange(len(ids)), ids.argmax(dim=1)]
        return F.normalize(last @ clip.text_projection, dim=-1)


def main() -> None:
    """Train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--distill", type=Path, required=True)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--teacher", default="demo-cnn")
    parser.add_argument("--bag-steps", type=int, default=2500, help="steps as a bag of words")
    parser.add_argument("--steps", type=int, default=900, help="steps of the whole transformer")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    names = set(zipfile.ZipFile(chosen.distill / "flickr8k_144.zip").namelist())
    train, held_out = corpus(chosen.distill / "flickr8k_captions.zip", names, chosen.wordnet)
    print(f"{len(train)} strings to learn from, {len(held_out)} held out", flush=True)
    tokenizer = open_clip.SimpleTokenizer()
    pieces = [tokenizer.decode([token]).strip() or "." for token in range(tokenizer.vocab_size)]
    targets = teach(chosen.teacher, {"train": train, "held_out": held_out, "pieces": pieces}, chosen.out)
    clip = open_clip.model.CLIP(**demo_vit()["model_cfg"])
    ids, unseen = tokenizer(train), tokenizer(held_out)
    bag = BagOfWords(clip, targets["pieces"])
    fit(bag, list(bag.parameters()), ids, targets["train"], chosen.bag_steps, BATCH * 4, BAG_RATE)
    figures = {f"bag_{name}": value for name, value in measure(bag, unseen, targets["held_out"]).items()}
    print(json.dumps(figures), flush=True)
    bag.give_to(clip)
    student = Student(clip)
    learned = [value for name, value in clip.named_parameters() if not name.startswith(("visual.", "logit"))]
    fit(student, learned, ids, targets["train"], chosen.steps, BATCH, PEAK)
    figures |= measure(student, unseen, targets["held_out"])
    figures |= {"strings": len(train), "held_out": len(held_out), "steps": chosen.steps}
    kept = {name: value.contiguous() for name, value in clip.state_dict().items() if not name.startswith("visual.")}
    used = torch.zeros(tokenizer.vocab_size, dtype=torch.bool)
    used[ids.unique()] = True
    figures["tokens_seen"] = int(used.sum())
    torch.save(used, chosen.out / "tokens_seen.pt")
    save_file(kept, str(chosen.out / "text.safetensors"))
    (chosen.out / "text_figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures))


@torch.no_grad()
def teach(teacher: str, texts: dict[str, list[str]], folder: Path) -> dict[str, Tensor]:
    """The teacher's unit embeddings of every list, computed once and kept in `folder`."""
    store = folder / "text_targets.safetensors"
    if store.exists():
        kept = load_file(str(store))
        if all(len(kept.get(name, ())) == len(listed) for name, listed in texts.items()):
            return {name: value.float() for name, value in kept.items()}
    model = load_model(teacher)
    found = {}
    for name, listed in texts.items():
        # Strings of one length together: padding costs as much as words do.
        order = sorted(range(len(listed)), key=lambda index: len(listed[index]))
        out = torch.empty(len(listed), 512)
        began = time.perf_counter()
        for start in range(0, len(order), 256):
            part = order[start : start + 256]
            out[part] = model.embed_texts([listed[index] for index in part])
        print(f"{name}: {len(listed)} strings embedded in {time.perf_counter() - began:.0f} s", flush=True)
        found[name] = out
    save_file({name: value.half() for name, value in found.items()}, str(store))
    return found


class BagOfWords(nn.Module):
    """What the transformer is while only its first attention acts, with equal weight on every token."""

    def __init__(self, clip: nn.Module, pieces: Tensor) -> None:
        super().__init__()
        width = clip.token_embedding.weight.shape[1]
        centred = pieces - pieces.mean(dim=0)
        vectors = centred @ torch.linalg.svd(centred.T @ centred).Vh[:width].T
        self.vectors = nn.Embedding.from_pretrained(vectors / vectors.std(), freeze=False, sparse=False)
        with torch.no_grad():
            self.vectors.weight[-2:] = 0.0  # start and end of a text mean nothing
        self.projection = nn.Parameter(torch.randn(width, clip.text_projection.shape[1]) * width**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """`(texts, tokens)` -> unit embeddings `(texts, embedding)`."""
        state = self.vectors(ids)
        state = F.layer_norm(state, state.shape[-1:])
        counted = torch.arange(ids.shape[1]) <= ids.argmax(dim=1, keepdim=True)
        mean = (state * counted[..., None]).sum(dim=1) / counted.sum(dim=1, keepdim=True)
        # The embedding is read where the text ends, so the vector of the end token is in it.
        read = self.vectors.weight[ids.amax(dim=1)] + GAIN * mean
        return F.normalize(F.layer_norm(read, read.shape[-1:]) @ self.projection, dim=-1)

    @torch.no_grad()
    def give_to(self, clip: nn.Module) -> None:
        """Make the transformer the same function; its other parts start silent, ready to learn."""
        width = self.projection.shape[0]
        clip.token_embedding.weight.copy_(self.vectors.weight)
        clip.positional_embedding.zero_()
        clip.text_projection.copy_(self.projection)
        for number, block in enumerate(clip.transformer.resblocks):
            block.mlp.c_proj.weight.zero_()
            block.mlp.c_proj.bias.zero_()
            block.attn.out_proj.weight.zero_()
            if number == 0:
                # Queries of zero attend to every token alike. Keys stay random, so that queries can learn.
                block.attn.in_proj_weight[:width].zero_()
                block.attn.in_proj_weight[2 * width :].copy_(torch.eye(width))
                block.attn.out_proj.weight.copy_(torch.eye(width) * GAIN)


def fit(
    student: nn.Module, learned: list[nn.Parameter], ids: Tensor, targets: Tensor, steps: int, batch: int, rate: float
) -> None:
    """Train on batches of strings of similar length; the rate falls along a cosine."""
    lengths = ids.argmax(dim=1) + 1
    optimizer = torch.optim.AdamW(learned, lr=rate, weight_decay=0.02, betas=(0.9, 0.98))
    chance = torch.Generator().manual_seed(0)
    began, order = time.perf_counter(), iter(())
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        part = next(order, None)
        if part is None:
            order = _batches(lengths, batch, chance)
            part = next(order)
        loss, cosine = objective(student(ids[part, : int(lengths[part].max())]), targets[part])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        if (step + 1) % 100 == 0:
            spent = time.perf_counter() - began
            print(f"step {step + 1}/{steps} loss {loss.item():.3f} cosine {cosine:.3f} {spent:.0f} s", flush=True)


def _batches(lengths: Tensor, batch: int, chance: torch.Generator) -> Iterator[Tensor]:
    """One epoch: pools of random strings, sorted by length and cut into batches, in random order."""
    pools = [pool[lengths[pool].argsort()] for pool in torch.randperm(len(lengths), generator=chance).split(batch * 16)]
    listed = [part for pool in pools for part in pool.split(batch)]
    return iter([listed[index] for index in torch.randperm(len(listed), generator=chance).tolist()])


def objective(given: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
    """One minus cosine, plus the divergence of in-batch similarities; and the mean cosine."""
    cosine = (given * wanted).sum(dim=-1).mean()
    theirs = F.log_softmax(wanted @ wanted.T * SHARPNESS, dim=-1)
    ours = F.log_softmax(given @ wanted.T * SHARPNESS, dim=-1)
    return 1 - cosine + F.kl_div(ours, theirs, log_target=True, reduction="batchmean"), cosine.item()


@torch.no_grad()
def measure(student: nn.Module, ids: Tensor, targets: Tensor) -> dict[str, float]:
    """Cosine to the teacher on strings that were held out, and how often the nearest teacher string is the own one."""
    student.eval()
    given = torch.cat([student(part) for part in ids.split(256)])
    cosine = (given * targets).sum(dim=-1)
    own = (given @ targets.T).argmax(dim=1) == torch.arange(len(ids))
    return {
        "cosine_mean": round(cosine.mean().item(), 4),
        "cosine_5th_percentile": round(cosine.quantile(0.05).item(), 4),
        "own_string_nearest": round(own.float().mean().item(), 4),
    }


if __name__ == "__main__":
    main()
