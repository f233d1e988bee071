"""Join the two trained towers, pack them small and write the embedded model's folder (without its figures).

    python -m training.pack --trained DIR --out core/models/embedded/demo-vit [--image-size 140]

`DIR` holds `text.safetensors` and `image.safetensors`. Matrices of both towers become int8 rows, the rest fp16; vectors
of tokens that no training string held are set to the mean vector, which also packs well. The figures of the card come
from `benchmarks/embedded.py` and `benchmarks/localisation.py`, whose output `--figures` takes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from core import load_model
from core.models.packing import save_packed
from core.runs.results import file_sha256
from training.backbone import initial_state
from training.configs import demo_vit

NARROW = ("visual.transformer.", "transformer.", "token_embedding.", "text_projection", "visual.proj")


def main() -> None:
    """Pack and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trained", type=Path, required=True)
    parser.add_argument("--backbone", type=Path, required=True, help="the wheel that training.image_tower read")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--image", default="image", help="which trained image tower")
    parser.add_argument("--teacher", default="demo-cnn", help="whose temperature the student keeps")
    parser.add_argument("--image-size", type=int, default=140)
    parser.add_argument("--keep-full", action="store_true", help="write fp32 weights beside, to measure the packing")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    state = load_file(str(chosen.trained / "text.safetensors")) | load_file(
        str(chosen.trained / f"{chosen.image}.safetensors")
    )
    state["visual.positional_embedding"] = initial_state(chosen.backbone, chosen.image_size)["positional_embedding"]
    state["logit_scale"] = load_model(chosen.teacher).net.logit_scale.detach().clone()
    state = {name: value for name, value in state.items() if name != "attn_mask"}
    seen = torch.load(chosen.trained / "tokens_seen.pt", weights_only=True)
    vectors = state["token_embedding.weight"]
    vectors[~seen] = vectors[seen].mean(dim=0)
    (chosen.out / "config.json").write_text(json.dumps(demo_vit(chosen.image_size), indent=1) + "\n")
    weights = chosen.out / "weights.safetensors"
    save_packed(state, weights, NARROW)
    if chosen.keep_full:
        save_packed(state, chosen.trained / "full.safetensors", ())
    print(json.dumps({"bytes": weights.stat().st_size, "sha256": file_sha256(weights)}))


if __name__ == "__main__":
    main()
