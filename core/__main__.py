"""`python -m core`."""

import os

# How long a waiting thread spins before it sleeps. Without a limit, two busy processes on the same cores stop each
# other; sleeping at once doubles the time of a process that has them for itself. Torch's thread library reads this when
# it is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

from core.memory import keep_freed, without_collection

with without_collection(lasting=True):
    from core.cli import main

keep_freed()
raise SystemExit(main())
