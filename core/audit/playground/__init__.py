"""Single questions to a model: maps of one image from a warm process. Only `worker` and `work` load torch."""

from __future__ import annotations

from core.audit.playground.desk import Desk, Request
from core.audit.playground.question import Answer, Box, Map, Question, Region, Scores

__all__ = ["Answer", "Box", "Desk", "Map", "Question", "Region", "Request", "Scores"]
