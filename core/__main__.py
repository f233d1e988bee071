"""`python -m core`."""

import os

# Waiting threads must sleep, not spin: two busy processes on the same cores otherwise run ten times slower. Torch's
# thread library reads this once, when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from core.cli import main

raise SystemExit(main())
