"""Names of tensors as trainers write them: what wraps a network, and what lies beside it in its file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from torch import Tensor

State = dict[str, Tensor]

# What trainers and wrappers put before the name of a tensor, in any order and number.
WRAPPERS = (
    "module.", "model.", "clip.", "student.", "net.", "network.", "backbone.", "clip_model.", "base_model.",
    "model_state_dict.", "state_dict.", "ema.", "ema_model.", "online_model.",
)  # fmt: skip
# What torch itself puts anywhere inside of a name.
_INSIDE = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Numbers that OpenAI's files carry beside the weights.
_NUMBERS = ("input_resolution", "context_length", "vocab_size")
_DEPTH = 6


def unwrapped(state: Mapping[str, Tensor], known: Callable[[str], bool]) -> tuple[State, tuple[str, ...]]:
    """The state by the names of its network, and notes on what was left out.

    `known` says whether the network may have a tensor of that name. The wrapping under which most names are known is
    taken off; what lies beside it is left out with a note. Where no wrapping helps, the state stays as it is.
    """
    plain = {_INSIDE.sub("", key): value for key, value in state.items()}
    if len(plain) < len(state):
        plain = dict(state)
    plain = {key: value for key, value in plain.items() if key not in _NUMBERS or value.numel() != 1}
    counts = Counter(prefix for key in plain for prefix in _wrappings(key) if known(key[len(prefix) :]))
    best = max(counts, key=lambda prefix: (counts[prefix], prefix.endswith("student."), -len(prefix)), default="")
    if not best:
        return plain, ()
    inside = {key.removeprefix(best): value for key, value in plain.items() if key.startswith(best)}
    beside = sorted(key for key in plain if not key.startswith(best))
    beside = [key for key in beside if key.rpartition(".")[2] not in _NUMBERS]
    inside = {key: value for key, value in inside.items() if key not in _NUMBERS or value.numel() != 1}
    if not beside:
        return inside, ()
    more = f" and {len(beside) - 1} more" if len(beside) > 1 else ""
    return inside, (
        f"The weights are those under {best}*; tensors beside them were left out ({beside[0][:100]}{more}).",
    )


def _wrappings(key: str) -> Iterator[str]:
    """Every wrapping that a name may have, the empty one first."""
    prefix = ""
    for _ in range(_DEPTH):
        yield prefix
        for wrapper in WRAPPERS:
            if key.startswith(wrapper, len(prefix)):
                prefix += wrapper
                break
        else:
            return
