"""Who holds a run or a unit: a process that still runs, for as long as its lease lasts. No torch.

A worker renews its lease while it works. A lease that has run out is nobody's, so that neither a machine that is gone
nor a process that hangs holds a run for ever. Of a process on this machine more is known: once it has ended, it holds
nothing, whatever its lease says.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from core.processes import host_of, is_here, runs_here

LEASE_SECONDS = 60.0
# Clocks of two machines that share a disk may differ by so much.
SKEW_SECONDS = 5.0


@dataclass(frozen=True)
class Holder:
    """Who holds something, and for how many seconds at most from now."""

    owner: str
    seconds: float

    @property
    def title(self) -> str:
        """How a person finds it."""
        if is_here(self.owner):
            return f"process {self.owner.rsplit(':', 2)[1]} on this machine"
        return f"a process on host {host_of(self.owner)[:64]!r}"


def lease_end() -> float:
    """When a lease that is taken or renewed now runs out, in seconds since 1970."""
    return time.time() + LEASE_SECONDS


def holder(owner: str | None, lease: float | str | None) -> Holder | None:
    """Who holds what `owner` has leased until `lease`; None if its process has ended or the lease has run out.

    A lease that ends later than any that is taken now was written by another clock. Of a process elsewhere it is not
    believed; one that runs here will renew it within seconds. A process here without a lease holds on while it runs.
    """
    if not owner or owner.count(":") < 2:
        return None
    try:
        left = LEASE_SECONDS if lease in (None, "") else float(lease) - time.time()
    except ValueError:
        return None
    if not left >= 0:
        return None
    if is_here(owner):
        return Holder(owner, min(left, LEASE_SECONDS)) if runs_here(owner) else None
    if lease in (None, "") or left > LEASE_SECONDS + SKEW_SECONDS:
        return None
    return Holder(owner, min(left, LEASE_SECONDS))
