"""What Loupe asks of every plug-in, for pytest in an environment in which Loupe and this package are installed."""

from loupe.testing import *  # noqa: F403
