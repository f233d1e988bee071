"""From verdicts to numbers: recall, false alarms, how severity follows strength, the weakest strength still found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import spearmanr

from benchmarks.planting.flaw import CLEAN, Flaw, Verdict
from core.statistics import wilson

# The weakest strength that is still found: the weakest of which, as of all above it, this share is found.
STILL = 0.5


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, with Wilson's 95 % interval (1927)."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high; everything is possible of nothing."""
        return wilson(self.hits, self.n)

    def __str__(self) -> str:
        if not self.n:
            return "–"
        low, high = self.interval
        return f"{self.hits}/{self.n} = {self.hits / self.n:.2f} ({low:.2f} to {high:.2f})"


@dataclass(frozen=True)
class Score:
    """One flaw's row. `by_strength` holds recall, mean grade and severities of each strength, the strongest first."""

    flaw: str
    title: str
    rules: tuple[str, ...]
    recall: Share
    planted: Share
    false_alarms: Share
    unsure: int
    silent: int
    weakest: float | None
    calibration: float | None
    by_strength: dict[float, dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data."""
        shares = {}
        for name in ("recall", "planted", "false_alarms"):
            share: Share = getattr(self, name)
            low, high = share.interval
            shares[name] = {"hits": share.hits, "n": share.n, "value": share.value, "low": low, "high": high}
        return {
            "flaw": self.flaw,
            "title": self.title,
            "rules": list(self.rules),
            **shares,
            "unsure": self.unsure,
            "silent": self.silent,
            "weakest_found": self.weakest,
            "grade_follows_strength": self.calibration,
            "by_strength": {f"{strength:g}": told for strength, told in self.by_strength.items()},
        }


def score(flaw: Flaw, verdicts: Iterable[Verdict]) -> Score:
    """The row of one flaw.

    Recall counts the strongest trials in which the flaw is really there (`present` at least the flaw's floor);
    `planted` says how many of them those are. False alarms count clean twins.
    """
    own = [each for each in verdicts if each.flaw == flaw.name]
    clean = [each for each in own if each.strength == CLEAN]
    strong = sorted({each.strength for each in own if each.strength != CLEAN}, reverse=True)
    full = [each for each in own if strong and each.strength == strong[0]]
    there = [each for each in full if each.present >= flaw.floor]
    by_strength = {strength: _at(flaw, [each for each in own if each.strength == strength]) for strength in strong}
    weakest = None
    for strength in strong:
        told = by_strength[strength]
        if not told["n"] or told["found"] / told["n"] < STILL:
            break
        weakest = strength
    return Score(
        flaw=flaw.name,
        title=flaw.title,
        rules=flaw.rules,
        recall=Share(sum(each.found for each in there), len(there)),
        planted=Share(len(there), len(full)),
        false_alarms=Share(sum(each.found for each in clean), len(clean)),
        unsure=sum(each.unsure for each in there),
        silent=sum(each.silent for each in there),
        weakest=weakest,
        calibration=_follows(own),
        by_strength=by_strength,
    )


def _at(flaw: Flaw, some: Sequence[Verdict]) -> dict[str, Any]:
    there = [each for each in some if each.present >= flaw.floor]
    grades = [each.grade for each in there if each.grade is not None]
    words = [each.severity for each in there if each.severity]
    return {
        "n": len(there),
        "all": len(some),
        "found": sum(each.found for each in there),
        "present": sum(each.present for each in some) / len(some) if some else None,
        "grade": sum(grades) / len(grades) if grades else None,
        "severities": {word: words.count(word) for word in ("high", "medium", "low") if word in words},
    }


def _follows(own: Sequence[Verdict]) -> float | None:
    """Rank correlation of how far a flaw is there with the grade it got (0 where nothing was found), twins included."""
    present = [each.present if each.strength != CLEAN else 0.0 for each in own]
    grades = [each.grade or 0.0 for each in own]
    if len(set(present)) < 2 or len(set(grades)) < 2:
        return None
    return round(float(spearmanr(present, grades).statistic), 3)


def alarms(records: Iterable[dict[str, Any]]) -> dict[str, Share]:
    """For every finding id how many audits of clean twins raise it, whatever flaw they are the twin of."""
    runs = {record["run"]: record for record in records if record["strength"] == CLEAN}
    judged: dict[str, list[bool]] = {}
    for record in runs.values():
        for finding in record["findings"]:
            if finding["status"] != "cannot_conclude":
                judged.setdefault(finding["id"], []).append(finding["status"] == "finding")
    return {name: Share(sum(found), len(found)) for name, found in sorted(judged.items())}


def table(scores: Sequence[Score]) -> str:
    """The rows as Markdown."""
    head = ("flaw", "rules", "recall at full strength", "really planted", "false alarms on twins", "weakest found",
            "grade follows", "severity at full strength")  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in scores:
        full = next(iter(row.by_strength.values()), {})
        words = ", ".join(f"{count} {word}" for word, count in full.get("severities", {}).items())
        cells = (
            row.title,
            ", ".join(f"`{rule}`" for rule in row.rules),
            str(row.recall) + (f"; {row.silent} without a rule" if row.silent else ""),
            f"{row.planted.hits}/{row.planted.n}",
            str(row.false_alarms),
            "–" if row.weakest is None else f"{row.weakest:g}",
            "–" if row.calibration is None else f"{row.calibration:+.2f}",
            words or "–",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
