"""The PSAs we speak, in the order they are shown."""

from __future__ import annotations

from psa_adapters.base import PSAAdapter

ADAPTERS: dict[str, type[PSAAdapter]] = {}
