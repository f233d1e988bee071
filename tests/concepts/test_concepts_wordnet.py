"""WordNet from the packaged nouns, our list, and vocabularies made of them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from core.concepts import packing, wordnet
from core.concepts.graph import ROOT_CONCEPT
from core.concepts.vocabulary import ENOUGH, broad_names, everyday_names, own_concepts, read_own, vocabulary
from core.errors import InputError
from core.settings import ROOT


def test_every_everyday_thing_exists_once_and_leads_up_to_the_root() -> None:
    names = everyday_names()
    assert 500 <= len(names) == len(set(names))
    graph = vocabulary()
    assert {graph.concepts[at].name for at in graph.listed} == set(names)
    assert len(graph) > len(names) > ENOUGH
    root = graph.position(ROOT_CONCEPT)
    assert graph.sizes[root] == len(graph)
    assert [at for at, parents in enumerate(graph.parents) if not parents] == [root]
    with pytest.raises(InputError, match=r"no noun 'dogg.n.01'"):
        wordnet.synset("dogg.n.01")
    with pytest.raises(InputError, match=r"no noun 'dog.n.99'; its word has dog.n.01"):
        wordnet.synset("dog.n.99")


def test_the_graph_is_wordnet_s(capsys: pytest.CaptureFixture[str]) -> None:
    graph = vocabulary()
    dog = graph.position("dog.n.01")
    assert graph.concepts[dog].gloss.startswith("a member of the genus Canis")
    assert {graph.concepts[at].name for at in graph.parents[dog]} == {"canine.n.02", "domestic_animal.n.01"}
    animals = {graph.concepts[at].name for at in graph.members(graph.position("animal.n.01"))}
    assert {"dog.n.01", "puppy.n.01", "poodle.n.01", "bird.n.01"} <= animals
    assert not {"car.n.01", "oak.n.02"} & animals
    assert [graph.concepts[at].name for at in graph.senses("puppies")] == ["puppy.n.01"]
    assert graph.concepts[graph.senses("mouse")[0]].name == "mouse.n.01"
    assert capsys.readouterr().out == ""


def test_all_of_wordnet_below_a_concept() -> None:
    found = wordnet.below("ungulate.n.01")
    names = set(found.positions)
    assert {"zebra.n.01", "rhinoceros.n.01", "even-toed_ungulate.n.01"} <= names
    listed = {found.concepts[at].name for at in found.listed}
    assert {found.concepts[at].name for at in found.members(found.position("ungulate.n.01"))} == listed
    assert "mammal.n.01" in names - listed


def test_the_broad_vocabulary_has_the_size_that_is_asked_for() -> None:
    small, large = broad_names(150), broad_names(600)
    assert len(small) == 150
    assert small == large[:150]
    assert {"man.n.01", "water.n.01", "house.n.01"} <= set(large)
    graph = vocabulary("broad", size=150)
    assert len(graph.listed) == len({graph.concepts[at].name for at in graph.listed}) > 140
    assert graph.digest != vocabulary().digest


def test_own_concepts_stand_alone_or_join() -> None:
    lines = ("tool", "saw | a hand tool with teeth | tool", "", "sofa bed | |")
    alone = vocabulary("own", lines)
    assert sorted(alone.positions) == ["saw", "sofa bed", "tool"]
    assert alone.concepts[alone.position("saw")].gloss == "a hand tool with teeth"
    assert alone.concepts[alone.position("sofa bed")].gloss == "sofa bed"
    assert len(alone.members(alone.position("tool"))) == 2
    joined = vocabulary("everyday", ("our mascot | a blue knitted dog | dog.n.01", "gizmo"))
    assert len(joined) == len(vocabulary()) + 2
    assert joined.position("our mascot") in joined.members(joined.position("animal.n.01"))
    assert joined.position("gizmo") not in joined.members(joined.position(ROOT_CONCEPT))
    for kind, given, what in (
        ("own", ("one",), "at least two concepts"),
        ("own", ("a | b | c | d",), "concept 1 is"),
        ("own", ("| text",), "concept 1 is"),
        ("everyday", ("dog.n.01 | a hound",), "already in the vocabulary"),
        ("everyday", ("thing | a thing | nowhere",), "'nowhere' of 'thing' is not a concept"),
    ):
        with pytest.raises(InputError, match=what) as caught:
            vocabulary(kind, given)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_files_of_own_concepts(tmp_path: Path) -> None:
    table, text = tmp_path / "mine.csv", tmp_path / "mine.txt"
    table.write_text("concept,gloss,parent\ntool,,\nsaw,a tool | with teeth,tool\n")
    text.write_text("# mine\ntool\n\nsaw | a tool / with teeth | tool\n")
    first, second = own_concepts(read_own(table)), own_concepts(read_own(text))
    assert first == second
    assert first[1] == {"tool": [], "saw": ["tool"]}
    table.write_text("name\ntool\n")
    with pytest.raises(InputError, match="has no column 'concept'"):
        read_own(table)
    with pytest.raises(InputError, match="cannot be read"):
        read_own(tmp_path / "absent.txt")


def test_the_archive_is_small_and_carries_its_licence() -> None:
    assert packing.ARCHIVE.stat().st_size < 5_000_000
    folder = wordnet.unpacked() / "corpora" / "wordnet"
    notice = (folder / "LICENSE").read_text()
    assert "Princeton University" in notice
    assert "Permission to use, copy, modify and distribute" in notice
    assert b"WordNet 3.0 Copyright" in (folder / "data.adj").read_bytes()


def test_nobody_else_can_write_what_was_unpacked() -> None:
    folder = wordnet.unpacked()
    paths = [folder, *folder.rglob("*")]
    assert len(paths) > 10
    assert not [path for path in paths if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]
    assert not list(folder.parent.glob(".wordnet-*"))
    changed = (folder / "corpora").stat().st_mtime_ns
    assert wordnet.unpacked() == folder
    assert (folder / "corpora").stat().st_mtime_ns == changed


def test_packing_takes_the_nouns_and_gives_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "wordnet"
    source.mkdir()
    for name in packing.WHOLE:
        (source / name).write_bytes(f"{name}\n".encode())
    (source / "cntlist.rev").write_bytes(b"dog%1:05:00:: 1 42\ndog%2:38:00:: 1 2\n")
    (source / "data.adj").write_bytes(b"  1 a notice\n00001740 00 a 01 able 0 000 | able\n")
    one, two = (packing.pack(source, tmp_path / name).read_bytes() for name in ("one.tar.xz", "two.tar.xz"))
    assert one == two
    with tarfile.open(tmp_path / "one.tar.xz") as archive:
        read = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert read["corpora/wordnet/cntlist.rev"] == b"dog%1:05:00:: 1 42\n"
    assert read["corpora/wordnet/data.adj"] == b"  1 a notice\n"
    assert read["corpora/wordnet/data.verb"] == b""
    (source / "LICENSE").unlink()
    with pytest.raises(InputError, match="LICENSE is missing"):
        packing.pack(source, tmp_path / "three.tar.xz")


def test_without_wordnet_one_line_says_what_to_do(tmp_path: Path) -> None:
    code = f"""
import nltk, sys
nltk.data.path[:] = []
from pathlib import Path
from core.concepts import wordnet, vocabulary
from core.errors import InputError
if sys.argv[1] == "absent":
    wordnet.ARCHIVE = Path({str(tmp_path / "nothing")!r})
try:
    print(len(vocabulary.vocabulary()))
except InputError as error:
    print("told:", error)
print(len(vocabulary.vocabulary("own", ("a", "b"))), "torch" in sys.modules)
"""
    env = {"LOUPE_HOME": str(tmp_path), "PATH": "/usr/bin", "HOME": str(tmp_path)}
    lines = {}
    for case in ("absent", "packaged"):
        done = subprocess.run([sys.executable, "-c", code, case], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        lines[case] = done.stdout.splitlines()
        assert lines[case][-1] == "2 False"
    assert lines["absent"][0].startswith("told: WordNet was not found: put its files into corpora/wordnet")
    assert "a custom vocabulary" in lines["absent"][0]
    assert int(lines["packaged"][0]) > 1000


def test_a_copy_on_nltk_s_path_comes_first(tmp_path: Path) -> None:
    code = """
import json, sys, nltk
nltk.data.path[:] = [sys.argv[1]]
from core.concepts import wordnet
found = wordnet.wordnet()
print(json.dumps([str(found.root), len(nltk.data.path)]))
"""
    env = {"LOUPE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin", "HOME": str(tmp_path)}
    place = str(wordnet.unpacked())
    done = subprocess.run([sys.executable, "-c", code, place], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    root, paths = json.loads(done.stdout)
    assert (Path(root), paths) == (Path(place) / "corpora" / "wordnet", 1)
    assert not (tmp_path / "home").exists()


def test_sizes_and_leaves_agree_with_the_walk() -> None:
    graph = vocabulary()
    bird = graph.position("bird.n.01")
    assert graph.sizes[bird] == len(graph.members(bird)) > 40
    assert set(graph.leaves(bird)) < set(graph.members(bird))
    indicator = np.zeros((len(graph), 1))
    indicator[graph.position("duck.n.01")] = 1
    raised = graph.propagate(indicator)[:, 0]
    above = {graph.concepts[at].name for at in np.flatnonzero(raised)}
    assert {"duck.n.01", "bird.n.01", "animal.n.01", ROOT_CONCEPT} <= above
    assert "dog.n.01" not in above
