"""Loading a model: embedded, by open_clip name and tag, or from a config file with local weights.

Weights are read as safetensors, or as a `.pt` that holds nothing but tensors; a pickled module is refused. Every way
to fail ends in one line that says what to do.
"""

from __future__ import annotations

import copy
import difflib
import json
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from core.errors import ModelError, first_line
from core.models.geometry import Preprocessing
from core.models.hub import quiet_hub
from core.models.listing import architectures, embedded_models, embedded_name
from core.models.model import Model, wrap
from core.models.packing import load_packed, unpack
from core.runs.results import file_sha256

CONFIG = "open_clip_config.json"


def load_model(
    name: str | Path,
    pretrained: str | None = None,
    *,
    weights: str | Path | None = None,
    device: str = "auto",
) -> Model:
    """The model called `name`, frozen, in fp32, in evaluation mode.

    `name` is an embedded model ("demo"), an open_clip name with a `pretrained` tag (or `hf-hub:owner/repository`), a
    folder that holds `open_clip_config.json` and weights, or a config file with `weights`. `device` is "auto", "cpu" or
    a torch device. Raises `ModelError` in one line.
    """
    where = _device(device)
    text = str(name)
    embedded = None if weights or pretrained else embedded_name(text)
    if embedded is not None:
        return _load_embedded(embedded, text, where)
    path = Path(text).expanduser()
    if path.is_dir():
        return _load_files(path / CONFIG, weights or _weights_in(path), where)
    if path.suffix == ".json" or (weights is not None and path.exists()):
        if weights is None:
            raise ModelError(f"{text} is a configuration; name its weights too (weights=<file>.safetensors)")
        return _load_files(path, Path(weights), where)
    if weights is not None:
        if text not in architectures():
            raise ModelError(_unknown(text))
        return _load_files(_architecture(text), Path(weights), where, name=text)
    return _load_tag(text, pretrained, where)


def _load_embedded(name: str, asked: str, device: torch.device) -> Model:
    card = next(model for model in embedded_models() if model.name == name)
    return _load_files(
        card.folder / "config.json",
        card.folder / "weights.safetensors",
        device,
        name=name,
        title=card.title,
        card=card.card,
    )


def _load_files(
    config_path: Path,
    weights: str | Path,
    device: torch.device,
    *,
    name: str | None = None,
    title: str | None = None,
    card: dict[str, Any] | None = None,
) -> Model:
    weights = Path(weights).expanduser()
    config, preprocess = _read_config(config_path)
    state = _read_state(weights)
    net = _build(config, config_path)
    _fill(net, state, weights)
    tokenizer = _tokenizer(config, config_path)
    transform, preprocessing = _preprocessing(net, preprocess)
    shown = name or config_path.stem
    return wrap(
        net,
        tokenizer,
        transform,
        preprocessing,
        name=shown,
        title=title or f"{shown} with {weights.name}",
        device=device,
        weights_sha256=file_sha256(weights),
        card=card,
    )


def _load_tag(name: str, pretrained: str | None, device: torch.device) -> Model:
    import open_clip

    hub = name.startswith("hf-hub:")
    if not hub and name not in architectures():
        raise ModelError(_unknown(name))
    if not hub:
        tags = open_clip.list_pretrained_tags_by_model(name)
        if pretrained is None:
            raise ModelError(
                f"{name} needs a pretrained tag ({_some(tags)}) or weights=<file>; without it it is random"
            )
        if pretrained not in tags and not Path(pretrained).exists():
            raise ModelError(f"{name} has no pretrained tag {pretrained!r}; known: {_some(tags)}")
    try:
        # Random start values would be drawn from (and move) the caller's generator.
        with torch.random.fork_rng(devices=[]), quiet_hub():
            net, _, _ = open_clip.create_model_and_transforms(name, pretrained=pretrained)
            tokenizer = open_clip.get_tokenizer(name)
    except (OSError, RuntimeError, ValueError) as error:
        why = _first_line(error).split(". ")[0]
        raise ModelError(
            f"the weights of {name} ({pretrained or 'hub'}) can't be had: {why}; without a network, "
            "download them elsewhere and give the config file and weights=<file>, or use the model 'demo'"
        ) from error
    transform, preprocessing = _preprocessing(net, None)
    title = f"{name} ({pretrained})" if pretrained else name
    return wrap(net, tokenizer, transform, preprocessing, name=name, title=title, device=device, pretrained=pretrained)


# -- parts -------------------------------------------------------------------------------------------------------


def _read_config(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ModelError(f"there is no configuration {path}; an open_clip config file is needed") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ModelError(f"{path} is no JSON: {_first_line(error)}") from error
    config = raw.get("model_cfg", raw) if isinstance(raw, dict) else {}
    config = config if isinstance(config, dict) else {}
    parts = {"embed_dim": int, "vision_cfg": dict, "text_cfg": dict}
    missing = [key for key, kind in parts.items() if not isinstance(config.get(key), kind)]
    if missing:
        raise ModelError(f"{path} is no open_clip configuration: it lacks {', '.join(missing)}")
    return copy.deepcopy(config), dict(raw.get("preprocess_cfg", {}))


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    if not path.exists():
        raise ModelError(f"there are no weights at {path}; check the path")
    if path.suffix == ".safetensors":
        try:
            return load_packed(path)
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{path} is no sound safetensors file: {_first_line(error)}") from error
    if path.suffix not in (".pt", ".pth", ".bin"):
        raise ModelError(f"{path} has an unknown kind of weights; .safetensors or a .pt state dict is needed")
    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} isn't a plain state dict (a pickled module is refused, it could run code); save "
            "model.state_dict() or convert it to .safetensors"
        ) from error
    state = raw.get("state_dict", raw) if isinstance(raw, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path} holds no state dict of tensors; save model.state_dict()")
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    return unpack(state)


def _build(config: dict[str, Any], path: Path) -> torch.nn.Module:
    from open_clip.coca_model import CoCa
    from open_clip.model import CLIP, CustomTextCLIP

    config = copy.deepcopy(config)
    text, vision = config["text_cfg"], config["vision_cfg"]
    custom = config.pop("custom_text", False) or "hf_model_name" in text
    if "hf_model_name" in text:
        text["hf_model_name"] = _local(text["hf_model_name"], path)
        text["hf_model_pretrained"] = False
    if vision.get("timm_model_name"):
        vision["timm_model_pretrained"] = False
    kind: Any = CoCa if "multimodal_cfg" in config else CustomTextCLIP if custom else CLIP
    try:
        # Random start values would be drawn from (and move) the caller's generator.
        with torch.random.fork_rng(devices=[]):
            return kind(**config)
    except OSError as error:
        raise ModelError(
            f"{path} names a text model that isn't here ({text.get('hf_model_name')}); put its config.json in a folder "
            "beside the configuration and name that folder"
        ) from error
    except (TypeError, RuntimeError, ValueError, AssertionError, KeyError) as error:
        raise ModelError(f"{path} can't be built by open_clip: {_first_line(error)}") from error


def _fill(net: torch.nn.Module, state: dict[str, torch.Tensor], path: Path) -> None:
    own = net.state_dict()
    if not set(state) & set(own) or {"positional_embedding", "text.positional_embedding"} & (set(state) ^ set(own)):
        state = _convert(net, state)
    missing = sorted(name for name in set(own) - set(state) if not name.endswith("position_ids"))
    extra = sorted(name for name in set(state) - set(own) if not name.endswith("position_ids"))
    wrong = sorted(name for name in set(own) & set(state) if own[name].shape != state[name].shape)
    for names, word in ((wrong, "another shape for"), (missing, "nothing for"), (extra, "an unknown")):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelError(f"{path} doesn't fit the configuration: it has {word} {names[0]}{more}")
    net.load_state_dict({name: value for name, value in state.items() if name in own}, strict=False)


def _convert(net: torch.nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict

    state = convert_state_dict(net, dict(state))
    return convert_to_custom_text_state_dict(state) if hasattr(net, "text") else state


def _tokenizer(config: dict[str, Any], path: Path) -> Any:
    from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer, SimpleTokenizer

    text = config["text_cfg"]
    context = text.get("context_length", DEFAULT_CONTEXT_LENGTH)
    options = dict(text.get("tokenizer_kwargs", {}))
    if "hf_tokenizer_name" not in text:
        return SimpleTokenizer(context_length=context, **options)
    try:
        return HFTokenizer(_local(text["hf_tokenizer_name"], path), context_length=context, **options)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the tokenizer {text['hf_tokenizer_name']} isn't here and can't be downloaded; put its files in a folder "
            f"beside {path.name} and name that folder as hf_tokenizer_name"
        ) from error


def _preprocessing(net: Any, wanted: dict[str, Any] | None) -> tuple[Any, Preprocessing]:
    from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
    from open_clip.transform import PreprocessCfg, image_transform_v2

    if wanted is None:
        values = dict(net.visual.preprocess_cfg)
    else:
        values = {"mean": OPENAI_DATASET_MEAN, "std": OPENAI_DATASET_STD, "size": net.visual.image_size, **wanted}
    size = values.pop("size", None) or net.visual.image_size
    size = (size, size) if isinstance(size, int) else tuple(size)
    cfg = PreprocessCfg(size=size, **{key: values[key] for key in PreprocessCfg.__dataclass_fields__ if key in values})
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


def _local(name: str, config_path: Path) -> str:
    beside = config_path.parent / name
    return str(beside) if beside.is_dir() else name


def _weights_in(folder: Path) -> Path:
    for pattern in ("*.safetensors", "*.pt", "*.pth", "*.bin"):
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise ModelError(f"{folder} holds no weights (.safetensors or .pt)")


def _architecture(name: str) -> Path:
    import open_clip

    return Path(str(open_clip.__file__)).parent / "model_configs" / f"{name}.json"


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {name!r} can't be used: {_first_line(error)}") from error
    return device


def _unknown(name: str) -> str:
    names = [*architectures(), *(model.name for model in embedded_models()), "demo"]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`python -m core models` lists what is known"
    return f"no model is called {name!r}; {hint}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown}, ..." if len(names) > 8 else shown or "none"


def _first_line(error: BaseException) -> str:
    return first_line(error)[:200]
