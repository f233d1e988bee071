"""The network of a configuration: first without numbers, compared with the weights, and only then for real."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.errors import ModelError, first_line
from core.models.configuration import Configuration, Conversion
from core.models.hub import silence
from core.models.loading.checkpoints import State, unwrapped
from core.models.loading.conversion import adapt, converted, stand_in
from core.models.weights import Weights, check_numbers

_POSITIONS = "position_ids"
_CLIP_NAMES = Conversion(family="clip", image={}, image_activation="gelu")
_HUB_TOWERS = ("text_model.", "vision_model.")
_HUB_HEADS = ("visual_projection.weight", "text_projection.weight")


@dataclass(frozen=True)
class Network:
    """A network of open_clip with its weights, and notes on what was done to them."""

    net: Any
    notes: tuple[str, ...]


def network(configuration: Configuration, weights: Weights, words: str | None) -> Network:
    """The network with its weights, on the CPU.

    `words` is the checked folder of the text model, if the configuration names one. Positions of another image size or
    text length are fitted as open_clip does it. Raises `ModelError` in one line.
    """
    with torch.device("meta"):
        plan = build(configuration.model, configuration.name, words, configuration.conversion)
    _check_memory(plan, configuration.name)
    _fitted(plan, weights.shapes(), weights.name, configuration.conversion)
    state, notes = _fitted(plan, weights.state(), weights.name, configuration.conversion)
    check_numbers(state, plan.state_dict(), weights.name)
    net = build(configuration.model, configuration.name, words, configuration.conversion)
    net.load_state_dict(state, strict=False)
    return Network(net, notes)


def build(
    model: dict[str, Any], name: str, words: str | None = None, conversion: Conversion | None = None
) -> nn.Module:
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
    if conversion is not None:
        model["vision_cfg"] = stand_in(conversion, vision)
    try:
        with torch.random.fork_rng(devices=[]), silence():
            net: nn.Module = kind(**model)
            if conversion is not None:
                adapt(net, conversion)
    except Exception as error:
        raise ModelError(f"{name} cannot be built by open_clip: {first_line(error)[:200]}") from error
    return net


def _check_trunk(trunk: str | None, name: str) -> None:
    if not trunk:
        return
    import timm

    # timm would read other names as repositories or folders.
    if not timm.is_model(trunk.partition(".")[0]):
        raise ModelError(f"{name} cannot be built by open_clip: timm has no model called {trunk!r}")


def _check_memory(plan: nn.Module, name: str) -> None:
    """The weights as read and the network beside them have to fit into this machine."""
    wanted = 8 * sum(value.numel() for value in plan.state_dict().values())
    held = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if wanted > held:
        raise ModelError(
            f"{name} describes a model that takes {wanted / 1e9:,.0f} GB to load; this machine has {held / 1e9:,.0f} GB"
        )


def _fitted(net: nn.Module, state: State, name: str, conversion: Conversion | None) -> tuple[State, tuple[str, ...]]:
    """The state by the network's own names, if it fits, and notes. Works on the `meta` device as on any other."""
    own = net.state_dict()
    state, notes = unwrapped(state, _known(own, conversion))
    if conversion is None and not hasattr(net, "text") and any(key.startswith("vision_model.") for key in state):
        state = converted(state, _CLIP_NAMES, name)
        notes += ("The weights have the names of transformers; activation and preprocessing are open_clip's.",)
    elif conversion is not None:
        state = converted(state, conversion, name)
    elif not set(state) & set(own) or {"positional_embedding", "text.positional_embedding"} & (set(state) ^ set(own)):
        state = _renamed(net, state, name)
    for scalar in ("logit_scale", "logit_bias"):
        if scalar in state and scalar in own and state[scalar].numel() == own[scalar].numel() == 1:
            state = {**state, scalar: state[scalar].reshape(own[scalar].shape)}
    if conversion is None:
        state, resized = _resized(net, state, name)
        notes += resized
    missing = sorted(key for key in set(own) - set(state) if not key.endswith(_POSITIONS))
    extra = sorted(key for key in set(state) - set(own) if not key.endswith(_POSITIONS))
    wrong = sorted(key for key in set(own) & set(state) if own[key].shape != state[key].shape)
    for keys, word in ((wrong, "a different shape for"), (missing, "nothing for"), (extra, "an unknown")):
        if keys:
            more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
            raise ModelError(f"{name} does not fit the configuration: it has {word} {keys[0][:200]}{more}")
    return {key: value for key, value in state.items() if key in own}, notes


def _known(own: State, conversion: Conversion | None) -> Callable[[str], bool]:
    """Which names of tensors a state of this network may have, in any of its layouts."""
    if conversion is not None:
        return lambda key: key.startswith(_HUB_TOWERS) or key in own or key in _HUB_HEADS
    # A text tower of its own may be stored without its name.
    names = set(own) | {key.removeprefix("text.") for key in own} | {f"text.{key}" for key in own}
    return lambda key: key in names or key.startswith(("image_encoder.", "text_encoder.", *_HUB_TOWERS))


def _renamed(net: nn.Module, state: State, name: str) -> State:
    from open_clip.convert import convert_state_dict
    from open_clip.model import convert_to_custom_text_state_dict

    try:
        state = convert_state_dict(net, dict(state))
        return convert_to_custom_text_state_dict(state) if hasattr(net, "text") else state
    except Exception as error:
        raise ModelError(f"{name} does not fit the configuration: {first_line(error)[:150]}") from error


def _resized(net: Any, state: State, name: str) -> tuple[State, tuple[str, ...]]:
    """The state with positions fitted to the network's grid and context, as open_clip does it, and notes on that."""
    from open_clip.model import resize_pos_embed, resize_text_pos_embed

    before, state = state, dict(state)
    if net.logit_bias is not None and "logit_bias" not in state and "logit_scale" in state:
        state["logit_bias"] = torch.zeros_like(state["logit_scale"])
    try:
        with silence():
            resize_pos_embed(state, net)
            resize_text_pos_embed(state, net)
    except Exception as error:
        raise ModelError(f"{name} does not fit the configuration: {first_line(error)[:150]}") from error
    notes = []
    for key in ("visual.positional_embedding", "positional_embedding", "text.positional_embedding"):
        if key in before and before[key].shape != state[key].shape:
            what = "image" if key.startswith("visual.") else "text"
            how = "bicubic" if what == "image" else "linear"
            notes.append(
                f"The positions of the {what} tower were interpolated ({how}) from {len(before[key])} to "
                f"{len(state[key])}, as open_clip does it: the weights were trained with another "
                f"{'image size' if what == 'image' else 'context length'}."
            )
    return state, tuple(notes)
