"""Whether the comparisons of a bundle follow from its own result rows and from the rows of the other runs in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from core.errors import LoupeError
from core.evaluation.comparison import (
    FILE,
    ROWS,
    Comparison,
    compared,
    comparison_values,
    load_comparisons,
    model_name,
    read_rows,
)
from core.reporting.binding import Content
from core.reporting.bundle import OpenBundle
from core.reporting.tolerance import is_alike
from core.runs import Run


def comparison_problems(bundle: OpenBundle, run: Run, content: Content, sums: Mapping[str, str]) -> list[str]:
    """Which comparisons are not what the rows give, one line each.

    One that an earlier version stored has no rows of the other run, and cannot be made again.
    """
    try:
        stored = load_comparisons(run)
    except LoupeError:
        return [f"{FILE} is damaged"]
    held = {name for name in bundle.names if name.startswith(f"{ROWS}/")}
    problems = [f"{name} belongs to no comparison" for name in sorted(held - {one.file for one in stored})]
    for number, one in enumerate(stored, start=1):
        problems += [f"{FILE}, comparison {number}: {line}" for line in _problems(one, bundle, run, content, sums)]
    return problems


def _problems(
    one: Comparison, bundle: OpenBundle, run: Run, content: Content, sums: Mapping[str, str]
) -> Iterator[str]:
    if not one.file:
        return
    if one.file not in bundle.names:
        yield f"{one.file}, the rows of the other run, is missing"
        return
    if sums[one.file] != one.sha256:
        yield f"{one.file} is not the file that was compared"
        return
    told = {name: getattr(one, name) for name in ("other", "other_run", "other_plan", "other_model")}
    try:
        again = compared(content.rows, read_rows(bundle.read(one.file)), {"own": model_name(run), **told})
    except (LoupeError, ValueError, KeyError, TypeError, ArithmeticError, IndexError, AttributeError) as error:
        yield f"it cannot be made again from the content of the bundle ({type(error).__name__})"
        return
    ours = comparison_values(replace(again, file=one.file, sha256=one.sha256))
    theirs = comparison_values(one)
    yield from (
        f"`{name}` is not what the rows of the two runs give" for name in ours if not is_alike(ours[name], theirs[name])
    )
