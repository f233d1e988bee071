"""Rules that plug-ins bring, beside those of their applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core import plugins
from core.errors import InputError
from core.rules.card import Rule, Wording
from core.rules.thresholds import load_thresholds


def check_rule(rule: Any) -> Rule:
    """A rule of a plug-in. Raises `InputError` for what its card owes and lacks."""
    if not isinstance(rule, Rule):
        raise InputError(f"it is {type(rule).__name__}, not a Rule")
    if not isinstance(rule.wordings, Mapping) or not all(isinstance(one, Wording) for one in rule.wordings.values()):
        raise InputError(f"the wordings of the rule {rule.id!r} must be Wording by the name of the outcome")
    if "." not in rule.id:
        raise InputError(f"the rule {rule.id!r} needs a name of two parts, such as brightness.mean")
    thresholds = load_thresholds()
    for name in (*rule.thresholds, f"impact.{rule.id}"):
        try:
            thresholds[name]
        except KeyError:
            raise InputError(f"{name} of the rule {rule.id!r} is in no limits.toml beside its module") from None
    return rule


def usable(name: str, part: Any) -> tuple[Rule, ...]:
    """The rules that a plug-in offers under this name: one, or several. Raises `InputError` for what they lack."""
    rules = (part,) if isinstance(part, Rule) else part
    if not isinstance(rules, tuple | list) or not rules:
        raise InputError(f"it is {type(part).__name__}, not a Rule or a tuple of them")
    return tuple(check_rule(rule) for rule in rules)


def plugged_rules(taken: set[str]) -> dict[str, tuple[plugins.Entry, Rule]]:
    """The rules of plug-ins by id, each with where it comes from; one whose id is taken is a fault and left out."""
    found: dict[str, tuple[plugins.Entry, Rule]] = {}
    for name, rules in plugins.offered(plugins.RULES, usable).items():
        entry = plugins.provider(plugins.RULES, name)
        assert entry is not None
        for rule in rules:
            if rule.id in taken or rule.id in found:
                plugins.report_fault(entry, f"another rule is called {rule.id}")
            else:
                found[rule.id] = entry, rule
    return found
