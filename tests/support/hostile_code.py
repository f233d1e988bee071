"""Code that a stranger would like to have run, and ways in which a model's files may ask for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from benchmarks.support.tiny import write_model

EVIL = """
from pathlib import Path
Path({marker!r}).write_text("it ran")
from transformers import BertTokenizer, BertConfig, BertModel
class Evil(BertTokenizer): pass
class EvilConfig(BertConfig): model_type = "evil"
class EvilModel(BertModel): pass
"""
MAP = {
    "AutoTokenizer": ["evil.Evil", "evil.Evil"],
    "AutoConfig": "evil.EvilConfig",
    "AutoModel": "evil.EvilModel",
}


def arm(folder: Path, marker: Path) -> None:
    """Put `evil.py` into a folder; imported, it writes `marker`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evil.py").write_text(EVIL.format(marker=str(marker)))


def arm_words(folder: Path, marker: Path, **config: Any) -> None:
    """A tokenizer and a text model in a folder whose every configuration names the class in `evil.py`."""
    arm(folder, marker)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "Evil", "auto_map": MAP}))
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": MAP, **config}))
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n")


def tiny_files(folder: Path, family: str = "bert_mean") -> tuple[Path, Path]:
    """The files (configuration, weights) of an honest tiny model in a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    return write_model(folder, family)


def changed(config: Path, name: str, **text: Any) -> Path:
    """A copy of a configuration beside it, in which keys of text_cfg are set (None: left out)."""
    values = json.loads(config.read_text())
    for key, value in text.items():
        values["text_cfg"][key] = value
        if value is None:
            del values["text_cfg"][key]
    path = config.with_name(name)
    path.write_text(json.dumps(values))
    return path


def repository(folder: Path, config: Path, weights: Path, **text: Any) -> Path:
    """A repository of the hub with an open_clip model, and with code that nobody should fetch."""
    folder.mkdir(parents=True)
    values = json.loads(config.read_text())
    values["text_cfg"].update(text)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": values, "preprocess_cfg": {}}))
    shutil.copy(weights, folder / "open_clip_model.safetensors")
    return folder
