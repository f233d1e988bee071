"""Doing the work of an audit. `launch` and `cost` need no torch; the worker does."""
