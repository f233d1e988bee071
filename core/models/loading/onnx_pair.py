"""A pair of ONNX towers as a model: its files, what lies beside them, and what cannot be known of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from core.datasets.names import printable
from core.errors import ModelError
from core.models.configuration import Configuration, read_configuration
from core.models.hub import CONFIG, offline
from core.models.kinds import shown_path
from core.models.listing import ONNX_PAIRS
from core.models.loading.families import TITLES
from core.models.loading.hub_folder import check_words, hub_parts
from core.models.loading.preprocessing import processed, transform_of
from core.models.loading.sources import HUB_CONFIG, holds_weights, kind_of, weights_of
from core.models.loading.tokenizers import tokenizer
from core.models.model import Model
from core.models.onnx_file import OnnxFile, read_onnx
from core.models.probe import check_embeddings
from core.models.signed import signature_in
from core.models.text_files import Files, checked_copies, text_files
from core.models.towers.onnx import OnnxImage, OnnxModule, OnnxNet, OnnxText
from core.runs.results import file_sha256

ENDING = ".onnx"
# That of CLIP at the end of its training, and the most that it may reach there.
_LOGIT_SCALE = 100.0
_NOTES = (
    f"The files of the towers hold no logit scale; cosines are multiplied by {_LOGIT_SCALE:g}, as in CLIP, wherever "
    "probabilities are computed.",
    "ONNX towers give embeddings alone: methods that need gradients, attention or layers are not run, and no "
    "weights can be re-drawn for the sanity checks.",
)
_USUAL_OUTPUTS = ("image_embeds", "text_embeds", "embeddings", "embedding")
Fetch = Callable[..., Files]


def onnx_towers(path: Path, weights: str | Path | None) -> tuple[Path, Path] | None:
    """The image and the text tower that a person named, or None for a model of another kind.

    A folder that holds weights of a network as well is not a pair. Raises `ModelError` for one tower without the other.
    """
    if path.suffix == ENDING and kind_of(path) == "file":
        if weights is None:
            raise ModelError(f"{shown_path(path)} is one tower; name the text tower as weights=<file>.onnx (--weights)")
        return path, weights_of(str(weights), path.parent)
    if weights is not None or kind_of(path) != "folder" or holds_weights(path):
        return None
    pairs = [(path / visual, path / textual) for visual, textual in ONNX_PAIRS]
    whole = next((pair for pair in pairs if all(kind_of(file) == "file" for file in pair)), None)
    single = next((file for file in sorted(path.glob("*.onnx"))), None)
    if whole is None and single is not None:
        raise ModelError(
            f"{shown_path(path)} contains {printable(single.name)[:100]}, but not {' and '.join(ONNX_PAIRS[0])}; name "
            "the image tower as the model and the text tower as weights=<file>.onnx (--weights)"
        )
    return whole


def load_pair(visual: Path, textual: Path, fetch: Fetch, device: str) -> Model:
    """The model of two ONNX files; configuration, preprocessing and tokenizer lie beside them or one folder above.

    Raises `ModelError` in one line.
    """
    if device not in ("auto", "cpu"):
        raise ModelError(f"a pair of ONNX towers runs on the CPU, not on {printable(device)[:60]}; leave out --device")
    configuration = _configuration(visual.parent)
    folder = configuration.path.parent
    signature = signature_in(folder, [visual, textual, configuration.path])
    with offline(), ExitStack() as stack:
        if configuration.conversion is not None:
            configuration, texts = hub_parts(configuration, folder)
        else:
            texts = text_files(configuration, fetch)
        folders = stack.enter_context(checked_copies(texts, configuration.conversion))
        text = configuration.model["text_cfg"]
        sizes = {"image": _side(configuration), "text": int(text.get("context_length", 77))}
        files = read_onnx(visual, sizes), read_onnx(textual, sizes)
        towers = _image_module(files[0]), _text_module(files[1])
        made = tokenizer(
            text, configuration.name, folders.get("hf_tokenizer_name"), hub=configuration.conversion is not None
        )
        check_words(configuration, made)
        context = _context(files[1], sizes["text"])
        if int(getattr(made, "context_length", 0) or context) != context:
            raise ModelError(
                f"{shown_path(textual)} takes texts of {context} tokens, but its tokenizer gives "
                f"{made.context_length}; use the files of one model"
            )
        height, width = _size(files[0], sizes["image"])
        transform, preprocessing = _prepared(configuration, height, width)
    net = OnnxNet(*towers, _LOGIT_SCALE).eval()
    model = Model(
        name=printable(folder.resolve().name),
        title=f"{printable(folder.resolve().name)} with {printable(visual.name)} and {printable(textual.name)}",
        net=net,
        image=OnnxImage(towers[0]),
        text=OnnxText(towers[1], made, context),
        transform=transform,
        preprocessing=preprocessing,
        device=torch.device("cpu"),
        digest=_digest(files),
        weights_sha256=_digest(files),
        signature=signature,
        source={
            "kind": "a pair of ONNX towers" + _of(configuration),
            "notes": [*configuration.notes, *_NOTES, *getattr(made, "notes", ())],
            "image_activation": towers[0].activation,
            "text_activation": towers[1].activation,
        },
    )
    check_embeddings(model, visual.name)
    return model


def _configuration(folder: Path) -> Configuration:
    for place in (folder, folder.parent):
        for name in (CONFIG, HUB_CONFIG):
            if kind_of(place / name):
                return read_configuration(place / name)
    raise ModelError(
        f"{shown_path(folder)} has ONNX towers but neither {CONFIG} nor {HUB_CONFIG}; copy there the configuration, "
        "preprocessing and tokenizer files of the model that was exported"
    )


def _side(configuration: Configuration) -> int:
    if configuration.conversion is not None:
        return int(configuration.conversion.image["image_size"])
    side = configuration.model["vision_cfg"].get("image_size", 224)
    return int(side[0] if isinstance(side, list) else side)


def _image_module(file: OnnxFile) -> OnnxModule:
    shape = file.inputs[0][2] if file.inputs else ()
    if len(file.inputs) != 1 or len(shape) != 4 or shape[1] not in (3, None) or "int" in file.inputs[0][1]:
        raise ModelError(
            f"{file.path.name} is not an image tower: its only input must be pixels (images, 3, rows, columns), and "
            f"it has {_told(file)}"
        )
    return OnnxModule(file, _embedding(file))


def _text_module(file: OnnxFile) -> OnnxModule:
    first = file.inputs[0] if file.inputs else None
    known = [name for name, kind, shape in file.inputs if "int" in kind and len(shape) == 2]
    rest = [name for name in known[1:] if "mask" not in name and "type" not in name]
    if first is None or len(known) != len(file.inputs) or "mask" in first[0] or rest:
        raise ModelError(
            f"{file.path.name} is not a text tower: its inputs must be token ids (texts, tokens), and a mask of the "
            f"same shape if it needs one; it has {_told(file)}"
        )
    return OnnxModule(file, _embedding(file))


def _embedding(file: OnnxFile) -> str:
    """The name of the output that is one vector for each image or text."""
    flat = [name for name, kind, shape in file.outputs if len(shape) == 2 and "float" in kind]
    usual = [name for name in _USUAL_OUTPUTS if name in flat]
    if len(flat) != 1 and not usual:
        raise ModelError(
            f"{file.path.name} has {len(flat)} outputs that may be the embedding ({', '.join(flat)[:150]}); export it "
            f"with one output (batch, embedding), or call it {' or '.join(_USUAL_OUTPUTS[:2])}"
        )
    return (usual or flat)[0]


def _told(file: OnnxFile) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, _, shape in file.inputs)[:200] or "none"


def _size(file: OnnxFile, side: int) -> tuple[int, int]:
    height, width = file.inputs[0][2][2:]
    return height or side, width or side


def _context(file: OnnxFile, wanted: int) -> int:
    return file.inputs[0][2][1] or wanted


def _prepared(configuration: Configuration, height: int, width: int) -> tuple[Any, Any]:
    if configuration.processor is not None:
        return processed(configuration.processor, height, configuration.processor["file"])
    shape: Any = SimpleNamespace(visual=SimpleNamespace(image_size=(height, width)))
    return transform_of(shape, configuration.preprocess)


def _of(configuration: Configuration) -> str:
    return f" of {TITLES[configuration.conversion.family]}" if configuration.conversion is not None else ""


def _digest(files: tuple[OnnxFile, OnnxFile]) -> str:
    """SHA-256 over the hash and name of every file of both towers."""
    lines = [f"{file_sha256(path)}  {path.name}\n" for file in files for path in file.files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
