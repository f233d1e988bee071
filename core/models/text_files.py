"""Where the files of a text model and its tokenizer are, and a checked copy of them that libraries may read.

A name in a configuration is a folder beside it or, for a model that open_clip itself ships, one of the repositories
that open_clip's own configurations name. It is never another path, and never a repository of a stranger's choice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from core.errors import ModelError
from core.models.configuration import Configuration, Conversion
from core.models.hub import CONFIG
from core.models.json_file import written
from core.models.kinds import shown
from core.models.listing import text_repositories
from core.models.text_tables import TOKENIZER_FILES, read
from core.sandbox import Allowance, Failure, call
from core.settings import MODEL_LIMITS

Files = dict[str, Path]
# Asks a repository for files by name and gives those that it has.
Fetch = Callable[[str, tuple[str, ...]], Files]

# Public encoders that repositories of open_clip (BiomedCLIP) name but do not hold: their shape, as data of our own.
_BERT = Path(__file__).parent / "encoders" / "bert-base-uncased.json"
ENCODERS = {
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract": _BERT,
    "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract-fulltext": _BERT,
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": _BERT,
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract-fulltext": _BERT,
    "bert-base-uncased": _BERT,
    "google-bert/bert-base-uncased": _BERT,
}

_ALLOWANCE = Allowance(
    seconds=MODEL_LIMITS.file_seconds, wall=MODEL_LIMITS.file_wall, answer=3 * MODEL_LIMITS.tokenizer
)


def text_files(configuration: Configuration, fetch: Fetch, own: str | None = None) -> dict[str, Files]:
    """The files for each of `hf_model_name` and `hf_tokenizer_name` that the configuration names.

    `fetch` looks into the cache of the hub, or asks the hub if a person named a model there; `own` is the repository
    that the configuration itself came from. Raises `ModelError` for a name that means neither.
    """
    text = configuration.model["text_cfg"]
    return {
        key: _found(text[key], key, configuration, fetch, own)
        for key in ("hf_model_name", "hf_tokenizer_name")
        if key in text
    }


def _found(name: str, key: str, configuration: Configuration, fetch: Fetch, own: str | None) -> Files:
    wanted = ("config.json",) if key == "hf_model_name" else ("config.json", *TOKENIZER_FILES)
    what = "text model" if key == "hf_model_name" else "tokenizer"
    home = configuration.path.parent
    folder = home / name
    if own is None and folder.is_dir():
        files = files_inside(folder, home, wanted, f"the {what} {name}")
    elif own is None and key == "hf_tokenizer_name" and configuration.path.name == CONFIG and _release(home):
        # A release that was downloaded as a folder: open_clip itself takes the tokenizer that lies in it.
        files = files_inside(home, home, wanted, f"the {what} {name}")
    elif name == own or name in text_repositories():
        files = fetch(name, wanted)
    elif name in ENCODERS and key == "hf_model_name":
        files = {"config.json": ENCODERS[name]}
    elif name in ENCODERS and own is not None:
        # The entries of its tokenizer lie in the repository that names it.
        files = fetch(own, wanted)
    else:
        raise ModelError(
            f"{configuration.name} names the {what} {shown(name)}, which is not beside it; Loupe contacts no "
            "repository that a file names: put its files in a folder beside the configuration and name that folder "
            f"as {key}"
        )
    if not files or (key == "hf_model_name" and "config.json" not in files):
        raise ModelError(
            f"the {what} {name} is missing; put its files in a folder beside {configuration.name} and name that "
            f"folder as {key}"
        )
    return files


def _release(home: Path) -> bool:
    return (home / "tokenizer_config.json").is_file()


def files_inside(folder: Path, home: Path, wanted: tuple[str, ...], what: str) -> Files:
    """Those of the files `wanted` that are in `folder`, none of which may lead out of `home`."""
    files = {file: folder / file for file in wanted if (folder / file).is_file()}
    places = [home.resolve()]
    if home.parent.name == "snapshots":
        # In the cache of the hub a release is made of links to where the files are kept.
        places.append((home.parent.parent / "blobs").resolve())
    for path in (folder, *files.values()):
        if not any(path.resolve().is_relative_to(place) for place in places):
            raise ModelError(f"{what} leads out of the folder of the configuration; copy its files into that folder")
    return files


@contextmanager
def checked_copies(found: dict[str, Files], conversion: Conversion | None = None) -> Iterator[dict[str, str]]:
    """A folder for each entry of `text_files` with what its files may say, which is gone after the block.

    The encoder inside a model of transformers has one too: its checked values are written there.

    Raises `ModelError` in one line if a file says more than a text model or tokenizer needs.
    """
    with TemporaryDirectory(prefix="loupe-text-") as place:
        made = {}
        if conversion is not None and conversion.encoder is not None:
            encoder = Path(place) / "encoder"
            encoder.mkdir()
            (encoder / "config.json").write_bytes(written(conversion.encoder))
            made["hf_model_name"] = str(encoder)
        for key, files in found.items():
            folder = Path(place) / key
            folder.mkdir()
            for file, path in files.items():
                (folder / file).write_bytes(_checked(path, file, key))
            if "config.json" not in files:
                (folder / "config.json").write_text(json.dumps({}))
            made[key] = str(folder)
        yield made


def _checked(path: Path, file: str, key: str) -> bytes:
    try:
        return call(read, os.path.abspath(path), file, key == "hf_model_name", allowance=_ALLOWANCE).data
    except Failure as error:
        raise ModelError(f"{file} of the text model or tokenizer {error}") from error
