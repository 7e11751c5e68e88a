"""Where jobs run: a registry of executors, each of four verbs."""

from __future__ import annotations

from scaling_core.jobs.executors.base import EXECUTORS, Executor, Seen, make_executor

__all__ = ["EXECUTORS", "Executor", "Seen", "make_executor"]
