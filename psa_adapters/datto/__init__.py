"""Datto Autotask PSA."""

from psa_adapters.datto.adapter import Datto

__all__ = ["Datto"]
