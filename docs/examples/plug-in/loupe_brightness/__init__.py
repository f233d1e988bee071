"""An example of a plug-in for Loupe. Importing it loads nothing but the path of its framework."""

from pathlib import Path

FRAMEWORK = Path(__file__).with_name("framework.toml")
