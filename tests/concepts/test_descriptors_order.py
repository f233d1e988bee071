"""The bank of descriptors is the same in every process, whatever the seed of its hashes."""

from __future__ import annotations

import os
import subprocess
import sys

from core.settings import ROOT

CODE = """
import hashlib, sys
from core.concepts.descriptors import build_bank, wordnet_lexicon
bank = build_bank(("cat", "dog", "violin"), wordnet_lexicon(), most=600)
print(hashlib.sha256(repr(bank).encode()).hexdigest(), hash("cat"))
"""


def test_two_processes_build_the_same_bank() -> None:
    answers = []
    for seed in ("1", "2"):
        variables = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", CODE], cwd=ROOT, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout.split())
    (one, first), (two, second) = answers
    assert first != second, "the processes hash alike, so that this test could not fail"
    assert one == two
