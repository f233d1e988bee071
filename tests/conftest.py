"""For every test: waiting threads of torch sleep instead of spinning, so that processes can share the cores."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
