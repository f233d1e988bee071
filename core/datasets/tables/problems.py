"""What is wrong with many rows, said once."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.datasets.dataset import Refusal, Remark

_PLACES, _LONGEST_PLACE, _REASONS = 3, 200, 1_000


@dataclass
class Problems:
    """Collects what is wrong with many rows, to tell it once instead of thousands of times."""

    where: dict[str, tuple[int, list[str]]] = field(default_factory=dict)  # how often, and the first places

    def add(self, reason: str, place: str) -> None:
        """Notes that `reason` holds for `place` (a row or an image)."""
        if reason not in self.where and len(self.where) >= _REASONS:
            reason = "has problems of more kinds than are listed"
        count, places = self.where.get(reason, (0, []))
        if count < _PLACES:
            places.append(place[:_LONGEST_PLACE])
        self.where[reason] = count + 1, places

    def refusals(self, name: str) -> tuple[Refusal, ...]:
        """One refusal a reason, naming the first three places."""
        return tuple(Refusal(name=name, reason=line) for line in self.lines())

    def remarks(self, name: str) -> tuple[Remark, ...]:
        """The same as remarks on a file that was read."""
        return tuple(Remark(name=name, reason=line) for line in self.lines())

    def lines(self) -> list[str]:
        """One line a reason, naming the first three places."""
        lines = []
        for reason, (count, places) in self.where.items():
            more = f" and {count - _PLACES:,} more" if count > _PLACES else ""
            where = ", ".join(place for place in places if place)
            lines.append(f"{reason} ({where}{more})" if where else reason)
        return lines
