"""What is done to an image before a network sees it, from a checked `preprocess_cfg`."""

from __future__ import annotations

from typing import Any

from core.models.geometry import Preprocessing


def transform_of(net: Any, wanted: dict[str, Any], *, own_size: bool = False) -> tuple[Any, Preprocessing]:
    """The transform of images to tensors, and its description.

    What `wanted` leaves out is as open_clip has it for OpenAI's models; with `own_size` the size is the network's, as
    for open_clip's releases.
    """
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.transform import PreprocessCfg, image_transform_v2

    own = net.visual.image_size
    values = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD, **wanted}
    size = own if own_size else values.get("size") or own
    size = (size, size) if isinstance(size, int) else tuple(size)
    size = size if len(size) == 2 else size * 2
    values["size"] = size
    cfg = PreprocessCfg(**{key: values[key] for key in PreprocessCfg.__dataclass_fields__ if key in values})
    preprocessing = Preprocessing(
        height=size[0],
        width=size[1],
        mode=cfg.resize_mode,  # type: ignore[arg-type]
        interpolation=cfg.interpolation,
        mean=tuple(float(v) for v in cfg.mean),  # type: ignore[arg-type]
        std=tuple(float(v) for v in cfg.std),  # type: ignore[arg-type]
        fill=int(cfg.fill_color),
    )
    return image_transform_v2(cfg, is_train=False), preprocessing
