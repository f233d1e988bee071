"""How the units of a run are computed: by how many worker processes, and who starts these. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EngineName = Literal["local", "ray"]
# More threads than these hardly speed up one image.
MAX_THREADS = 8
MOST_WORKERS = 256


@dataclass(frozen=True)
class Engine:
    """Who computes units: worker processes of this machine, or actors of a Ray cluster.

    It is no part of the plan: rows depend on the number of threads that compute a unit, and on nothing else of it.
    """

    name: EngineName = "local"
    workers: int = 1
    threads: int = 0  # of each worker; 0: all cores for one worker, one for each of several
    address: str = ""  # of a Ray cluster; empty: one is started on this machine

    def threads_each(self, cores: int) -> int:
        """How many threads each worker computes with on a machine of so many cores.

        Several have one each: were the cores divided, another number of workers would round sums otherwise.
        """
        return self.threads or (min(cores, MAX_THREADS) if self.workers == 1 else 1)

    def describe(self) -> dict[str, str | int]:
        """What the manifest says of it; an address stays here."""
        return {"engine": self.name, "workers": self.workers}
