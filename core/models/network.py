"""The network of a configuration: first without numbers, compared with the weights, and only then for real."""

from __future__ import annotations

import copy
import os
from typing import Any

import torch
from torch import Tensor, nn

from core.errors import ModelError, first_line
from core.models.configuration import Configuration
from core.models.hub import silence
from core.models.weights import Weights, check_numbers

_POSITIONS = "position_ids"


def network(configuration: Configuration, weights: Weights, words: str | None, *, resize: bool = False) -> nn.Module:
    """The network with its weights, on the CPU.

    `words` is the checked folder of the text model, if the configuration names one. `resize` fits position embeddings
    to another grid, as open_clip does for its own releases. Raises `ModelError` in one line.
    """
    with torch.device("meta"):
        plan = build(configuration.model, configuration.name, words)
    _check_memory(plan, configuration.name)
    _fitted(plan, weights.shapes(), weights.name, resize)
    state = _fitted(plan, weights.state(), weights.name, resize)
    check_numbers(state, plan.state_dict(), weights.name)
    net = build(configuration.model, configuration.name, words)
    net.load_state_dict(state, strict=False)
    return net


def build(model: dict[str, Any], name: str, words: str | None = None) -> nn.Module:
    """open_clip's network for a checked `model_cfg`, with random numbers. The caller's random numbers do not move."""
    from open_clip.coca_model import CoCa
    from open_clip.model import CLIP, CustomTextCLIP

    model = copy.deepcopy(model)
    text, vision = model["text_cfg"], model["vision_cfg"]
    custom = model.pop("custom_text", False) or "hf_model_name" in text
    if "hf_model_name" in text:
        text["hf_model_name"] = words
    kind: Any = CoCa if "multimodal_cfg" in model else CustomTextCLIP if custom else CLIP
    _check_trunk(vision.get("timm_model_name"), name)
    try:
        with torch.random.fork_rng(devices=[]), silence():
            net: nn.Module = kind(**model)
    except Exception as error:
        raise ModelError(f"{name} cannot be built by open_clip: {first_line(error)[:200]}") from error
    return net


def _check_trunk(trunk: str | None, name: str) -> None:
    if not trunk:
        return
    import timm

    # timm would read other names as repositories or folders.
    if not timm.is_model(trunk.partition(".")[0]):
        raise ModelError(f"{name} cannot be built by open_clip: timm has no model that is called {trunk!r}")


def _check_memory(plan: nn.Module, name: str) -> None:
    """The weights as read and the network beside them have to fit into this machine."""
    wanted = 8 * sum(value.numel() for value in plan.state_dict().values())
    held = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if wanted > held:
        raise ModelError(
            f"{name} describes a model that takes {wanted / 1e9:,.0f} GB to load; this machine has {held / 1e9:,.0f} GB"
        )


def _fitted(net: nn.Module, state: dict[str, Tensor], name: str, resize: bool) -> dict[str, Tensor]:
    """The state by the network's own names, if it fits. Works on the `meta` device as on any other."""
    own = net.state_dict()
    if not set(state) & set(own) or {"positional_embedding", "text.positional_embedding"} & (set(state) ^ set(own)):
        state = _converted(net, state, name)
    for scalar in ("logit_scale", "logit_bias"):
        if scalar in state and scalar in own and state[scalar].numel() == own[scalar].numel() == 1:
            state = {**state, scalar: state[scalar].reshape(own[scalar].shape)}
    if resize:
        state = _resized(net, state, name)
    missing = sorted(key for key in set(own) - set(state) if not key.endswith(_POSITIONS))
    extra = sorted(key for key in set(state) - set(own) if not key.endswith(_POSITIONS))
    wrong = sorted(key for key in set(own) & set(state) if own[key].shape != state[key].shape)
    for keys, word in ((wrong, "another shape for"), (missing, "nothing for"), (extra, "an unknown")):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise ModelError(f"{name} does not fit the configuration: it has {word} {keys[0][:200]}{more}")
    return {key: value for key, value in state.items() if key in own}


def _converted(net: nn.Module, state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict

    try:
        state = convert_state_dict(net, dict(state))
        return convert_to_custom_text_state_dict(state) if hasattr(net, "text") else state
    except Exception as error:
        raise ModelError(f"{name} does not fit the configuration: {first_line(error)[:150]}") from error


def _resized(net: Any, state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    from open_clip.model import resize_pos_embed, resize_text_pos_embed

    state = dict(state)
    if net.logit_bias is not None and "logit_bias" not in state and "logit_scale" in state:
        state["logit_bias"] = torch.zeros_like(state["logit_scale"])
    try:
        with silence():
            resize_pos_embed(state, net)
            resize_text_pos_embed(state, net)
    except Exception as error:
        raise ModelError(f"{name} does not fit the configuration: {first_line(error)[:150]}") from error
    return state
