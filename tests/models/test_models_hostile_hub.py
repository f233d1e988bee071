"""A hub that serves code: none is asked for, none is run; an honest model on the same hub loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.support.hub_models import save_clip, save_siglip
from core.settings import ROOT
from tests.support.hostile_code import arm, arm_words, repository, tiny_files
from tests.support.loopback_hub import Hub, loopback_hub

# Tiny models name trunks and families of their own; those of the library need no help in the other process.
LOAD = """
import builtins, sys
builtins.input = lambda *a: sys.exit("standard input was asked")
from core import load_model
from core.errors import ModelError
try:
    model = load_model(sys.argv[1])
except ModelError as error:
    print("refused:", error)
else:
    print("loaded:", model.embed_texts(["a red bird"]).shape[-1], model.title)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with repositories; what ran leaves `marker` in it."""
    place = tmp_path_factory.mktemp("hub")
    config, weights = tiny_files(place / "files")
    marker = place / "marker"
    words = place / "files" / "words"
    code = {"trust_remote_code": True}

    evil = repository(place / "served/attacker/model", config, weights, hf_tokenizer_name="attacker/words",
                      tokenizer_kwargs=code)  # fmt: skip
    arm(evil, marker)
    arm_words(place / "served/attacker/words", marker)
    # Without the keyword, a second repository is still a stranger's choice.
    repository(place / "served/attacker/second", config, weights, hf_tokenizer_name="attacker/words")
    repository(place / "served/attacker/text", config, weights, hf_model_name="attacker/words")
    # The files of the repository itself name the code.
    own = repository(place / "served/attacker/own", config, weights, hf_tokenizer_name="attacker/own",
                     hf_model_name="attacker/own")  # fmt: skip
    arm_words(own, marker)
    honest = repository(place / "served/honest/model", config, weights, hf_tokenizer_name="honest/model",
                        hf_model_name="honest/model")  # fmt: skip
    for file in words.iterdir():
        shutil.copy(file, honest)
    arm(honest, marker)
    return place


@pytest.fixture
def hub(place: Path) -> Iterator[Hub]:
    with loopback_hub(place / "served") as hub:
        yield hub


def loaded(name: str, hub: Hub, cache: Path) -> str:
    """What another process says that loads `name` from the hub; the hub is the only address that it knows."""
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment |= {
        "HF_ENDPOINT": hub.address, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1",
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", LOAD, name], cwd=ROOT, env=environment, input="y\n", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("model", "tokenizer_kwargs"),
        ("second", "which is not beside it"),
        ("text", "'attacker/words', which is not beside it"),
        ("own", "auto_map"),
    ],
)
def test_code_on_the_hub_is_neither_asked_for_nor_run(
    place: Path, hub: Hub, tmp_path: Path, name: str, told: str
) -> None:
    line = loaded(f"hf-hub:attacker/{name}", hub, tmp_path)
    assert line.startswith("refused:")
    assert told in line
    assert "\n" not in line
    assert not (place / "marker").exists()
    assert not any(path.endswith(".py") or path.startswith("/attacker/words") for path in hub.asked)
    assert any(path.endswith("open_clip_config.json") for path in hub.asked)


def test_an_honest_model_on_the_same_hub_is_loaded(place: Path, hub: Hub, tmp_path: Path) -> None:
    assert loaded("hf-hub:honest/model", hub, tmp_path) == "loaded: 32 hf-hub:honest/model"
    assert not (place / "marker").exists()
    assert not any(path.endswith(".py") for path in hub.asked)
    assert all(path.startswith("/honest/model/resolve/main/") for path in hub.asked)


def test_a_model_of_transformers_on_a_hub_is_loaded_by_its_name_alone(tmp_path: Path) -> None:
    served = tmp_path / "served" / "someone"
    save_siglip(served / "siglip")
    sharded = save_clip(served / "clip")
    (served / "clip" / "model.safetensors").unlink()
    sharded.model.save_pretrained(served / "clip", max_shard_size="60KB")
    (served / "nothing").mkdir()
    with loopback_hub(tmp_path / "served") as hub:
        for name, told in (("someone/siglip", "loaded: 48"), ("hf-hub:someone/clip", "loaded: 24"),
                           ("someone/nothing", "neither open_clip_config.json nor config.json")):  # fmt: skip
            assert told in loaded(name, hub, tmp_path / name.replace("/", "-"))
    assert not [path for path in hub.asked if path.endswith(".py")]


def test_the_code_is_armed(place: Path, tmp_path: Path) -> None:
    """The companion: read without care, the same files do run."""
    script = (
        "import sys; from transformers import AutoTokenizer\n"
        "AutoTokenizer.from_pretrained(sys.argv[1], trust_remote_code=True)"
    )
    marker = place / "marker"
    try:
        subprocess.run(
            [sys.executable, "-c", script, str(place / "served/attacker/words")],
            env={**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
            capture_output=True,
        )
        assert marker.exists()
    finally:
        marker.unlink(missing_ok=True)
