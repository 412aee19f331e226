"""A practice Kaseya BMS: the service desk part of REST API v2, and its webhooks."""

from bridge.simulator.kaseya_bms.practice import PracticeKaseyaBMS

__all__ = ["PracticeKaseyaBMS"]
