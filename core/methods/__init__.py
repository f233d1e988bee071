"""The catalogue: what each attribution method is, needs, costs and gets wrong. No torch, so pages can read it."""

from core.methods.capability import CAPABILITIES, reason_missing
from core.methods.catalogue import METHODS, method_info
from core.methods.info import Cost, MethodInfo, OptionInfo, Options

__all__ = [
    "CAPABILITIES",
    "METHODS",
    "Cost",
    "MethodInfo",
    "OptionInfo",
    "Options",
    "method_info",
    "reason_missing",
]
