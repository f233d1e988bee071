"""The door to every model: embedded, by open_clip name and tag, from the hub, or from files.

Whatever was named becomes a configuration, weights and files of a text model, which go the same way: checked in a
child, compared with each other, and only then built. Every way to fail ends in one line that says what to do.
"""

from __future__ import annotations

import difflib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from core.datasets.names import printable
from core.errors import ModelError, first_line
from core.models.configuration import PREPROCESS, Configuration, checked, read_configuration
from core.models.hub import CONFIG, PREFIX, first_weights, offline, quiet_hub, repository_files
from core.models.kinds import shown_path
from core.models.listing import architecture_file, architectures, embedded_models, embedded_name
from core.models.model import Model, wrap
from core.models.network import build, network
from core.models.probe import check_embeddings
from core.models.text_files import Files, checked_copies, text_files
from core.models.tokenizers import tokenizer
from core.models.transform import transform_of
from core.models.weights import Weights, opened_weights
from core.settings import MODEL_LIMITS


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
    a torch device. Only a tag and `hf-hub:` ask the network. Raises `ModelError` in one line.
    """
    where = _device(device)
    text = str(name)
    embedded = None if weights or pretrained else embedded_name(text)
    if embedded is not None:
        return _load_embedded(embedded, where)
    path = _path(text)
    if _kind(path) == "folder":
        found = _path(str(weights)) if weights else _weights_in(path)
        return _load(read_configuration(path / CONFIG), found, where)
    if path.suffix == ".json" or (weights is not None and _kind(path)):
        if weights is None:
            raise ModelError(f"{_said(text)} is a configuration; name its weights too (weights=<file>.safetensors)")
        return _load(read_configuration(path), _path(str(weights)), where)
    if text.startswith(PREFIX) and weights is None:
        return _load_repository(text, where)
    if text not in architectures():
        raise ModelError(_unknown(text))
    if weights is None and pretrained and _kind(_path(pretrained)):
        weights = pretrained
    if weights is not None:
        return _load(_architecture(text), _path(str(weights)), where, name=text)
    return _load_tag(text, pretrained, where)


# -- where the files come from ------------------------------------------------------------------------------------


def _load_embedded(name: str, device: torch.device) -> Model:
    """One of Loupe's own: nothing about it is a stranger's, so it is not checked."""
    card = next(model for model in embedded_models() if model.name == name)
    path = card.folder / "config.json"
    parts = checked(json.loads(path.read_text(encoding="utf-8")), path.name)
    text = parts["model"]["text_cfg"]
    words = str(card.folder / text["hf_model_name"]) if "hf_model_name" in text else None
    own = Weights(card.folder / "weights.safetensors", "weights.safetensors", card.folder / "weights.safetensors", {})
    with offline():
        net = build(parts["model"], path.name, words)
        net.load_state_dict(own.state(), strict=True)
        transform, preprocessing = transform_of(net, parts["preprocess"])
        made = tokenizer(text, name, words, tried=False)
    return wrap(
        net,
        made,
        transform,
        preprocessing,
        name=name,
        title=card.title,
        device=device,
        weights_sha256=own.sha256(),
        card=card.card,
    )


def _load_repository(name: str, device: torch.device) -> Model:
    """A model on the hub that a person named: its data files are fetched, then they are files like any other."""
    repository = name.removeprefix(PREFIX)
    with _asking(name):
        found = repository_files(repository, (CONFIG,), MODEL_LIMITS.configuration, ask=True)
        if not found:
            raise ModelError(f"{_said(name)} holds no {CONFIG}; name a repository with an open_clip model")
        # Before anything else is asked for: what is refused costs one small file.
        configuration = read_configuration(found[CONFIG], f"{CONFIG} of {_said(repository)}")
        texts = text_files(configuration, partial(_fetched, ask=True), own=repository)
        weights = first_weights(repository, MODEL_LIMITS.weights)
        if weights is None:
            raise ModelError(f"{_said(name)} holds no weights by the names that open_clip gives them")
    return _load(configuration, weights, device, name=name, title=name, texts=texts, release=True)


def _load_tag(name: str, tag: str | None, device: torch.device) -> Model:
    """One of open_clip's releases: its table says where the weights are."""
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    tags = list_pretrained_tags_by_model(name)
    if tag is None:
        raise ModelError(f"{name} needs a pretrained tag ({_some(tags)}) or weights=<file>; without it it is random")
    if tag not in tags:
        raise ModelError(f"{name} has no pretrained tag {_said(tag)!r}; known: {_some(tags)}")
    about = get_pretrained_cfg(name, tag)
    configuration = _architecture(name)
    with _asking(f"{name} ({tag})"):
        texts = text_files(configuration, partial(_fetched, ask=True))
        weights = Path(download_pretrained(about))
    wanted = {key: about[key] for key in PREPROCESS if about.get(key) is not None and key != "size"}
    configuration = replace(configuration, preprocess=wanted)
    title = f"{name} ({tag})"
    return _load(configuration, weights, device, name=name, title=title, tag=tag, texts=texts, release=True)


def _architecture(name: str) -> Configuration:
    """A configuration that comes with open_clip."""
    path = architecture_file(name)
    parts = checked(json.loads(path.read_text(encoding="utf-8")), name)
    return Configuration(parts["model"], parts["preprocess"], path, name)


def _fetched(name: str, wanted: tuple[str, ...], *, ask: bool) -> Files:
    return repository_files(name, wanted, MODEL_LIMITS.tokenizer, ask=ask)


@contextmanager
def _asking(name: str) -> Iterator[None]:
    try:
        with quiet_hub():
            yield
    except (OSError, RuntimeError, ValueError) as error:
        why = first_line(error)[:200].split(". ")[0]
        raise ModelError(
            f"the weights of {_said(name)} cannot be fetched: {printable(why)}; without a network, download them "
            "elsewhere and give the config file and weights=<file>, or use the model 'demo'"
        ) from error


# -- from files to a model ----------------------------------------------------------------------------------------


def _load(
    configuration: Configuration,
    weights: Path,
    device: torch.device,
    *,
    name: str | None = None,
    title: str | None = None,
    tag: str | None = None,
    texts: dict[str, Files] | None = None,
    release: bool = False,
) -> Model:
    """The model of checked files. `release` loads them as open_clip loads its own releases."""
    shown = name or printable(configuration.path.stem)
    with offline(), ExitStack() as stack:
        opened = stack.enter_context(opened_weights(weights))
        if texts is None:
            texts = text_files(configuration, partial(_fetched, ask=False))
        folders = stack.enter_context(checked_copies(texts))
        net = network(configuration, opened, folders.get("hf_model_name"), resize=release)
        made = tokenizer(configuration.model["text_cfg"], configuration.name, folders.get("hf_tokenizer_name"))
        transform, preprocessing = transform_of(net, configuration.preprocess, own_size=release)
        model = wrap(
            net,
            made,
            transform,
            preprocessing,
            name=shown,
            title=title or f"{shown} with {printable(weights.name)}",
            device=device,
            weights_sha256=opened.sha256(),
            pretrained=tag,
        )
        check_embeddings(model, opened.name)
    return model


# -- what a person typed ------------------------------------------------------------------------------------------


def _path(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise ModelError(f"{_said(text)} names a home folder that is not known; write the whole path") from error


def _kind(path: Path) -> str:
    """What is at a path: "folder", "file" (whatever it is), or nothing."""
    try:
        return "folder" if stat.S_ISDIR(os.stat(path).st_mode) else "file"
    except (OSError, ValueError):
        return ""


def _weights_in(folder: Path) -> Path:
    for pattern in ("*.safetensors", "*.pt", "*.pth", "*.bin"):
        found = sorted(folder.glob(pattern))
        if found:
            return found[0]
    raise ModelError(f"{shown_path(folder)} holds no weights (.safetensors or .pt)")


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {_said(name)!r} cannot be used: {first_line(error)[:200]}") from error
    return device


def _unknown(name: str) -> str:
    names = [*architectures(), *(model.name for model in embedded_models()), "demo"]
    said = _said(name)
    near = difflib.get_close_matches(said, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`python -m core models` lists what is known"
    return f"no model is called {said!r}; {hint}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown}, ..." if len(names) > 8 else shown or "none"


def _said(text: str) -> str:
    """What a person typed, for a message."""
    text = printable(text)
    return text if len(text) <= 150 else f"{text[:150]}..."
