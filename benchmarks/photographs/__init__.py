"""Captioned photographs with and without planted flaws."""
