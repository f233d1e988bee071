"""Five flaws of a set of captioned photographs, and the rules that should report each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from benchmarks.photographs.sets import Captioned, opened, saved

EXCHANGED = 0.15
XRAYS = COPIES = 6
BLUR, DARKER = 3.0, 0.4


@dataclass(frozen=True)
class Flaw:
    """What was planted, and the rules of which a finding reports it."""

    name: str
    rules: tuple[str, ...]


FLAWS = (
    Flaw("15 % of the captions exchanged", ("pairs.captions",)),
    Flaw("a third blurred and darkened, with a column", ("groups.quality",)),
    Flaw("six chest X-rays", ("data.outliers",)),
    Flaw("six near-copies", ("data.duplicates",)),
    Flaw("three broken files", ("data.refused",)),
)


def flawed(clean: Captioned, xrays: Path, seed: int) -> Captioned:
    """The set with all flaws at once: the images of the night blurred and darkened, captions exchanged in a ring."""
    generator = np.random.default_rng([seed, 1])
    dark = {name: saved(at_night(opened(clean.files[name]))) for name in sorted(clean.night)}
    made = clean.with_files(dark)
    names = sorted(clean.captions)
    ring = [str(name) for name in generator.choice(names, round(EXCHANGED * len(names)), replace=False)]
    others = dict(zip(ring, ring[1:] + ring[:1], strict=True))
    captions = {name: clean.captions[others.get(name, name)] for name in names}
    strangers = sorted((xrays / "images").iterdir())
    drawn = [strangers[at] for at in sorted(generator.choice(len(strangers), XRAYS, replace=False))]
    made = made.with_files({path.name: saved(Image.open(path).convert("RGB")) for path in drawn})
    sources = [str(name) for name in generator.choice(names, COPIES, replace=False)]
    copies = {f"img_{at:04d}.jpg": source for at, source in enumerate(sources, start=1)}
    made = made.with_files(
        {copy: near_copy(opened(made.files[source]), at) for at, (copy, source) in enumerate(copies.items())}
    )
    whole = made.files[names[0]]
    broken = {"truncated.jpg": whole[: len(whole) // 3], "empty.jpg": b"", "page.jpg": b"<html>not found</html>\n"}
    return replace(
        made.with_files(broken),
        captions={**captions, **{copy: captions[source] for copy, source in copies.items()}},
        night=clean.night | {copy for copy, source in copies.items() if source in clean.night},
    )


def at_night(image: Image.Image) -> Image.Image:
    """Blurred by three pixels and darkened to 40 %."""
    return ImageEnhance.Brightness(image.filter(ImageFilter.GaussianBlur(BLUR))).enhance(DARKER)


def near_copy(image: Image.Image, at: int) -> bytes:
    """Resized to 80 %, cropped by 4 % on every side, or saved again at a low quality, in turn."""
    width, height = image.size
    if at % 3 == 0:
        return saved(image.resize((round(width * 0.8), round(height * 0.8)), Image.Resampling.LANCZOS))
    if at % 3 == 1:
        edge, side = round(width * 0.04), round(height * 0.04)
        return saved(image.crop((edge, side, width - edge, height - side)))
    return saved(image, 50)
