"""From the arguments of a command to the parts of a plan. Whatever is wrong with them is said in one line."""

from __future__ import annotations

import argparse
import json
from typing import Any

from pydantic import ValidationError

from core.datasets import read_texts
from core.errors import InputError
from core.methods import METHODS, method_info
from core.methods.applications import APPLICATIONS, application_info
from core.methods.presets import EFFORTS
from core.runs import ApplicationPlan, MethodPlan, TextPlan


def text_plan(chosen: argparse.Namespace) -> TextPlan:
    """The texts that the pictures are explained with."""
    parts: dict[str, Any] = {"captions": not chosen.no_captions, "top_classes": chosen.top_classes}
    for name, path in (("prompts", chosen.texts), ("classes", chosen.classes)):
        if path:
            parts[name] = read_texts(path)
            if not parts[name]:
                raise InputError(f"{path} holds no text; write one a line")
    if chosen.template:
        parts["templates"] = tuple(chosen.template)
    return _checked(TextPlan, parts)


def method_plans(chosen: argparse.Namespace) -> tuple[MethodPlan, ...]:
    """The named methods (every method if none is named), with the options of the effort and those given."""
    names = [name.strip() for name in chosen.methods.split(",")] if chosen.methods else list(METHODS)
    options: dict[str, dict[str, Any]] = {name: EFFORTS[chosen.effort].of(method_info(name).name) for name in names}
    for entry in chosen.option:
        left, equals, value = entry.partition("=")
        method, dot, name = left.partition(".")
        if not (equals and dot) or method not in options:
            raise InputError(f"--option {entry!r} must be METHOD.NAME=VALUE with a method of this audit")
        options[method][name] = _value(value)
    return tuple(_checked(MethodPlan, {"name": name, "options": options[name]}) for name in names)


def application_plans(chosen: argparse.Namespace) -> tuple[ApplicationPlan, ...]:
    """The named applications (every one if none is named), with the options of the effort."""
    asked = list(APPLICATIONS) if chosen.applications is None else chosen.applications.split(",")
    names = [name.strip() for name in asked if name.strip() not in ("", "none")]
    effort = EFFORTS[chosen.effort]
    return tuple(
        _checked(ApplicationPlan, {"name": name, "options": effort.of(application_info(name).name)}) for name in names
    )


def _checked(kind: Any, parts: dict[str, Any]) -> Any:
    try:
        return kind(**parts)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{where}: {first['msg']}".removeprefix(": ").replace("Value error, ", "")) from error


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
