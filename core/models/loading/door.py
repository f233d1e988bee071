"""The door to every model: embedded, by open_clip name and tag, from the hub, or from files.

Whatever was named becomes a configuration, weights and files of a text model, which go the same way: checked in a
child, compared with each other, and only then built. Every way to fail ends in one line that says what to do.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from core.datasets.names import printable
from core.errors import ModelError, first_line
from core.models.adapters import is_adapter, opened_adapter
from core.models.configuration import PREPROCESS, Configuration, checked, read_configuration
from core.models.hub import CONFIG, PREFIX, first_weights, offline, quiet_hub, repository_files
from core.models.listing import architecture_file, architectures, embedded_models, embedded_name
from core.models.loading.families import TITLES
from core.models.loading.hub_folder import check_words, hub_parts
from core.models.loading.network import build, network
from core.models.loading.onnx_pair import load_pair, onnx_towers
from core.models.loading.preprocessing import processed, transform_of
from core.models.loading.processors import OLD_PROCESSOR, PROCESSOR
from core.models.loading.sources import (
    FOLDER_PREFIX,
    HUB_CONFIG,
    HUB_WEIGHTS,
    configuration_in,
    kind_of,
    path_of,
    repository_of,
    said,
    weights_in,
    weights_of,
)
from core.models.loading.tokenizers import tokenizer
from core.models.model import Model, wrap
from core.models.probe import check_embeddings
from core.models.signed import SIGNATURE, signature_in
from core.models.signed.signature import MOST_BYTES
from core.models.stored import load_stored
from core.models.stored_file import PREFIXES
from core.models.text_files import Files, checked_copies, text_files
from core.models.text_tables import TOKENIZER_FILES
from core.models.weights import Weights, opened_weights
from core.models.weights_header import INDEX, listed_shards
from core.settings import MODEL_LIMITS


def load(
    name: str | Path, pretrained: str | None = None, *, weights: str | Path | None = None, device: str = "auto"
) -> Model:
    """See `core.models.loading.load_model`."""
    where = _device(device)
    text = str(name)
    embedded = None if weights or pretrained else embedded_name(text)
    if embedded is not None:
        return _load_embedded(embedded, where)
    for prefix, kind in PREFIXES.items():
        if text.startswith(prefix):
            return load_stored(Path(text.removeprefix(prefix)), kind)
    path = path_of(text)
    pair = onnx_towers(path, weights)
    if pair is not None:
        return load_pair(*pair, partial(_fetched, ask=False), device)
    if kind_of(path) == "folder":
        if is_adapter(path) and not kind_of(path / CONFIG) and not kind_of(path / HUB_CONFIG):
            raise ModelError(
                f"{said(str(path))} is an adapter; name its base model, and the adapter as weights=<folder> (--weights)"
            )
        configuration = configuration_in(path)
        found = weights_of(str(weights), path) if weights else weights_in(path, configuration)
        adapter = found if kind_of(found) == "folder" and is_adapter(found) else None
        if adapter is not None:
            found = weights_in(path, configuration)
        return _load(read_configuration(configuration), found, where, folder=path, adapter=adapter)
    if text.startswith(FOLDER_PREFIX):
        raise ModelError(f"there is no folder {said(str(path))}; check the path")
    if path.suffix == ".json" or (weights is not None and kind_of(path)):
        if weights is None:
            raise ModelError(f"{said(text)} is a configuration; name its weights as well (weights=<file>.safetensors)")
        return _load(read_configuration(path), weights_of(str(weights), path.parent), where, folder=path.parent)
    repository = repository_of(text)
    if repository is not None and weights is None:
        return _load_repository(repository, where)
    if text not in architectures():
        raise ModelError(_unknown(text))
    if weights is None and pretrained and kind_of(path_of(pretrained)):
        weights = pretrained
    if weights is not None:
        return _load(_architecture(text), path_of(str(weights)), where, name=text)
    return _load_tag(text, pretrained, where)


# -- where the files come from ------------------------------------------------------------------------------------


def _load_embedded(name: str, device: torch.device) -> Model:
    """One of Loupe's own: nothing about it is a stranger's, so it is not checked."""
    card = next(model for model in embedded_models() if model.name == name)
    path = card.folder / "config.json"
    parts = checked(json.loads(path.read_text(encoding="utf-8")), path.name)
    text = parts["model"]["text_cfg"]
    words = str(card.folder / text["hf_model_name"]) if "hf_model_name" in text else None
    file = card.folder / "weights.safetensors"
    own = Weights(file, file.name, (file,), (file,), {})
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


def _load_repository(repository: str, device: torch.device) -> Model:
    """A model on the hub that a person named: its data files are fetched, then they are files like any other."""
    name = PREFIX + repository
    with _asking(name):
        found = repository_files(repository, (CONFIG,), MODEL_LIMITS.configuration, ask=True)
        if not found:
            found = repository_files(repository, (HUB_CONFIG,), MODEL_LIMITS.configuration, ask=True)
        if not found:
            raise ModelError(
                f"{said(name)} has neither {CONFIG} nor {HUB_CONFIG}; name a repository that contains a model of "
                "open_clip or of transformers"
            )
        # Before anything else is asked for: what is refused costs one small file.
        ((file, path),) = found.items()
        configuration = read_configuration(path, f"{file} of {said(repository)}")
        if configuration.conversion is None:
            texts = text_files(configuration, partial(_fetched, ask=True), own=repository)
            weights = first_weights(repository, MODEL_LIMITS.weights)
        else:
            texts = None
            repository_files(repository, (PROCESSOR, OLD_PROCESSOR), MODEL_LIMITS.configuration, ask=True)
            repository_files(repository, TOKENIZER_FILES, MODEL_LIMITS.tokenizer, ask=True)
            weights = _hub_weights(repository)
        repository_files(repository, (SIGNATURE,), MOST_BYTES, ask=True)
        if weights is None:
            raise ModelError(f"{said(name)} has no weights under the names that open_clip and transformers use")
    return _load(configuration, weights, device, name=name, title=name, texts=texts, folder=path.parent)


def _hub_weights(repository: str) -> Path | None:
    """The weights of a transformers model on the hub, with every shard that their index lists."""
    for file in HUB_WEIGHTS:
        found = repository_files(repository, (file,), MODEL_LIMITS.weights, ask=True)
        if not found:
            continue
        if file.endswith(INDEX):
            shards = tuple(listed_shards(found[file], f"{file} of {said(repository)}"))
            repository_files(repository, shards, MODEL_LIMITS.weights, ask=True)
        return found[file]
    return None


def _load_tag(name: str, tag: str | None, device: torch.device) -> Model:
    """One of open_clip's releases: its table says where the weights are."""
    from open_clip.pretrained import download_pretrained, get_pretrained_cfg, list_pretrained_tags_by_model

    tags = list_pretrained_tags_by_model(name)
    if tag is None:
        raise ModelError(
            f"{name} needs a pretrained tag ({_some(tags)}) or weights=<file>; without either it would be random"
        )
    if tag not in tags:
        raise ModelError(f"{name} has no pretrained tag {said(tag)!r}; known: {_some(tags)}")
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
            f"the weights of {said(name)} could not be obtained: {printable(why)}; without a network, download them "
            "elsewhere and provide the config file and weights=<file>, or use the model 'demo'"
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
    folder: Path | None = None,
    adapter: Path | None = None,
    release: bool = False,
) -> Model:
    """The model of checked files; those that go with the configuration lie in `folder`, an adapter in `adapter`.

    `release` prepares images as open_clip does for its own releases.
    """
    shown = name or _name(configuration)
    # First: of a model that is not the one that was signed nothing is opened.
    files = [weights, *([configuration.path] if folder else ()), *([adapter] if adapter else ())]
    signature = None if release else signature_in(folder or weights.parent, files, whole=name is None)
    with offline(), ExitStack() as stack:
        opened = stack.enter_context(opened_adapter(weights, adapter) if adapter else opened_weights(weights))
        if configuration.conversion is not None:
            configuration, texts = hub_parts(configuration, folder or configuration.path.parent)
        elif texts is None:
            texts = text_files(configuration, partial(_fetched, ask=False))
        folders = stack.enter_context(checked_copies(texts, configuration.conversion))
        loaded = network(configuration, opened, folders.get("hf_model_name"))
        made = tokenizer(
            configuration.model["text_cfg"],
            configuration.name,
            folders.get("hf_tokenizer_name"),
            hub=configuration.conversion is not None,
        )
        check_words(configuration, made)
        if configuration.processor is not None:
            side = loaded.net.visual.image_size[0]
            transform, preprocessing = processed(configuration.processor, side, configuration.processor["file"])
        else:
            transform, preprocessing = transform_of(loaded.net, configuration.preprocess, own_size=release)
        model = wrap(
            loaded.net,
            made,
            transform,
            preprocessing,
            name=shown,
            title=title or f"{shown} with {printable(weights.name)}",
            device=device,
            weights_sha256=opened.sha256(),
            signature=signature,
            pretrained=tag,
            source={
                "kind": TITLES[configuration.conversion.family] if configuration.conversion else "open_clip",
                "notes": [*configuration.notes, *opened.notes, *loaded.notes, *getattr(made, "notes", ())],
            },
        )
        check_embeddings(model, opened.name)
    return model


def _name(configuration: Configuration) -> str:
    """What a model without a name is called: its file, or the folder whose files all models call alike."""
    path = configuration.path
    common = path.name == CONFIG or (path.name == HUB_CONFIG and configuration.conversion is not None)
    return printable(path.resolve().parent.name if common else path.stem)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {said(name)!r} cannot be used: {first_line(error)[:200]}") from error
    return device


def _unknown(name: str) -> str:
    names = [*architectures(), *(model.name for model in embedded_models()), "demo"]
    typed = said(name)
    near = difflib.get_close_matches(typed, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`python -m core models` lists the available models"
    return f"no model is called {typed!r}; {hint}"


def _some(names: list[str]) -> str:
    shown = ", ".join(names[:8])
    return f"{shown}, ..." if len(names) > 8 else shown or "none"
