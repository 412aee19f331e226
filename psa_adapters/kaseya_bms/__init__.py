"""Kaseya BMS, Vorex and Pulseway PSA (one product, REST API v2)."""

from psa_adapters.kaseya_bms.adapter import KaseyaBMS

__all__ = ["KaseyaBMS"]
