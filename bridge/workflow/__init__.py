"""The only package that knows the durable engine: jobs survive a kill at any moment, and each runs once per id.

`engine` starts and stops it and puts jobs in, `flow` is what a job does, `jobs` looks after those that are there.
"""

from __future__ import annotations

from bridge.workflow.engine import Engine, default_executor
from bridge.workflow.flow import Handler, Patience

__all__ = ["Engine", "Handler", "Patience", "default_executor"]
