"""Distil a causal CLIP text transformer from the text tower of an embedded model.

    python -m training.text_tower --distill DIR --wordnet DIR --out DIR [--epochs 3]

`--distill` holds `flickr8k_144.zip` (its picture names say whose captions may be used) and `flickr8k_captions.zip`;
`--wordnet` is an NLTK data folder (with `corpora/wordnet`). Needs no picture and no GPU. Writes `text.safetensors` and
`text_figures.json` into `--out`; teacher embeddings are kept there between runs.

The student starts as a bag of words: the vector of each token is the teacher's embedding of that token's own text,
rotated to the student's width by principal components. Two losses: one minus cosine to the teacher, and the
divergence of the softmax similarities to the other strings of the batch (what retrieval needs).
"""

from __future__ import annotations

import argparse
import json
import math
import time
import zipfile
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
PEAK = 1.5e-3
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
    parser.add_argument("--epochs", type=int, default=3)
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
    student = Student(clip)
    begin_as_bag_of_words(clip, targets["pieces"])
    ids = tokenizer(train)
    fit(student, ids, targets["train"], chosen.epochs)
    figures = measure(student, tokenizer(held_out), targets["held_out"])
    figures |= {"strings": len(train), "held_out": len(held_out), "epochs": chosen.epochs}
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


@torch.no_grad()
def begin_as_bag_of_words(clip: nn.Module, pieces: Tensor) -> None:
    """Set the token vectors to the teacher's embeddings of the tokens' own texts, in principal components."""
    centred = pieces - pieces.mean(dim=0)
    axes = torch.linalg.svd(centred.T @ centred).Vh
    width = clip.token_embedding.weight.shape[1]
    vectors = centred @ axes[:width].T
    clip.token_embedding.weight.copy_(vectors / vectors.std() * 0.05)
    clip.token_embedding.weight[-2:] = torch.randn(2, width) * 0.05  # start and end of a text mean nothing


def fit(student: Student, ids: Tensor, targets: Tensor, epochs: int) -> None:
    """Train on batches of strings of similar length."""
    clip = student.clip
    lengths = ids.argmax(dim=1) + 1
    learned = [value for name, value in clip.named_parameters() if not name.startswith(("visual.", "logit"))]
    optimizer = torch.optim.AdamW(learned, lr=PEAK, weight_decay=0.02, betas=(0.9, 0.98))
    steps, step, began = epochs * math.ceil(len(ids) / BATCH), 0, time.perf_counter()
    chance = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        order = torch.randperm(len(ids), generator=chance)
        pools = [pool[lengths[pool].argsort()] for pool in order.split(BATCH * 16)]
        batches = [batch for pool in pools for batch in pool.split(BATCH)]
        for index in torch.randperm(len(batches), generator=chance).tolist():
            for group in optimizer.param_groups:
                group["lr"] = PEAK * min(1.0, (step + 1) / 100) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
            batch = batches[index]
            loss, cosine = objective(student(ids[batch, : int(lengths[batch].max())]), targets[batch])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
            step += 1
            if step % 100 == 0:
                spent = time.perf_counter() - began
                print(f"step {step}/{steps} loss {loss.item():.3f} cosine {cosine:.3f} {spent:.0f} s", flush=True)


def objective(given: Tensor, wanted: Tensor) -> tuple[Tensor, float]:
    """One minus cosine, plus the divergence of in-batch similarities; and the mean cosine."""
    cosine = (given * wanted).sum(dim=-1).mean()
    theirs = F.log_softmax(wanted @ wanted.T * SHARPNESS, dim=-1)
    ours = F.log_softmax(given @ wanted.T * SHARPNESS, dim=-1)
    return 1 - cosine + F.kl_div(ours, theirs, log_target=True, reduction="batchmean"), cosine.item()


@torch.no_grad()
def measure(student: Student, ids: Tensor, targets: Tensor) -> dict[str, float]:
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
