"""Libraries are imported without torch's compiler, and everything that would need it finds it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from core.settings import ROOT

HEAD = "import json, sys, torch\nfrom core.models.compiler import without_compiler\n"
LOADED = "any('StandIn' not in type(m).__name__ for n, m in sys.modules.items() if n.partition('.')[2] == '_dynamo')"


def told(code: str) -> list[object]:
    """The values that the code prints, from a process of its own."""
    done = subprocess.run([sys.executable, "-c", HEAD + code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_libraries_are_imported_without_the_compiler() -> None:
    code = f"with without_compiler():\n    import open_clip, timm, torchvision\nprint(json.dumps({LOADED}))\n"
    # Nothing of the stand-ins is left, and the compiler is there as soon as somebody asks for it.
    code += "print(json.dumps('torch._dynamo' in sys.modules))\n"
    code += "import torch._dynamo\nprint(json.dumps([torch._dynamo.__name__, hasattr(torch._dynamo, 'optimize')]))"
    assert told(code) == [False, False, ["torch._dynamo", True]]
    assert told(f"import open_clip\nprint(json.dumps({LOADED}))") == [True]


def test_what_was_imported_without_it_works() -> None:
    boxes = "[torch.tensor([[0.0, 0.0, 4.0, 4.0]])]"
    code = f"""
with without_compiler():
    from torchvision.ops import roi_align
    from torchvision.ops.roi_align import is_compile_supported
    from timm.models.naflexvit import NaFlexRopeIterator
    from transformers.masking_utils import TransformGetItemToIndex
print(json.dumps(roi_align(torch.ones(1, 1, 4, 4), {boxes}, 1).tolist()))
with TransformGetItemToIndex():
    print(json.dumps([is_compile_supported("cpu"), callable(NaFlexRopeIterator)]))
print(json.dumps({LOADED}))
"""
    assert told(code) == [[[[[1.0]]]], [True, True], True]


@pytest.mark.parametrize(
    "asks",
    [
        "import torch._dynamo\n    torch._dynamo.optimize",
        "from torch._dynamo import optimize",
        "import torch._dynamo.config",
        "from torch._dynamo.utils import counters",
        "torch.compiler.reset()",
    ],
)
def test_whoever_asks_for_more_gets_the_compiler(asks: str) -> None:
    code = f"with without_compiler():\n    {asks}\nprint(json.dumps({LOADED}))\n"
    code += "print(json.dumps(hasattr(sys.modules['torch._dynamo'], 'optimize')))"
    assert told(code) == [True, True]


def test_a_compiler_that_is_there_stays() -> None:
    code = "import torch._dynamo\nbefore = torch._dynamo\nwith without_compiler():\n    import torchvision\n"
    code += "print(json.dumps(sys.modules['torch._dynamo'] is before and torch.compiler.disable is not None))"
    assert told(code) == [True]


def test_a_function_that_is_not_to_be_compiled_stays_as_it_is() -> None:
    code = """
def f(): return 1
with without_compiler():
    same = torch.compiler.disable(f) is f
    also = torch.compiler.disable(recursive=False)(f) is f
    in_graph = torch.compiler.allow_in_graph(f) is f
print(json.dumps([same, also, in_graph]))
"""
    assert told(code) == [[True, True, True]]
