"""The whole practice world in one process: every practice PSA, the practice AI, and a configuration for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.simulator.ai import PracticeAI
from bridge.simulator.connectwise import PracticeConnectWise
from bridge.simulator.datto import PracticeDatto
from bridge.simulator.halopsa import PracticeHaloPSA
from bridge.simulator.kaseya_bms import PracticeKaseyaBMS
from bridge.simulator.world import PracticePSA

PSAS: Mapping[str, type[PracticePSA]] = {
    "connectwise": PracticeConnectWise,
    "datto": PracticeDatto,
    "halopsa": PracticeHaloPSA,
    "kaseya_bms": PracticeKaseyaBMS,
}


class PracticeWorld:
    """Practice PSAs by key and a practice AI, started together. One connection per PSA, named after it."""

    def __init__(self, psas: Sequence[str] = tuple(PSAS)) -> None:
        self.psas: dict[str, PracticePSA] = {psa: PSAS[psa]() for psa in psas}
        self.ai = PracticeAI()

    def start(self) -> PracticeWorld:
        self.ai.start()
        for psa in self.psas.values():
            psa.server.start()
        return self

    def stop(self) -> None:
        for psa in self.psas.values():
            psa.server.stop()
        self.ai.stop()

    @staticmethod
    def connection(psa: str) -> str:
        return psa.replace("_", "-")

    def secrets(self) -> dict[str, str]:
        """Return the environment that the configuration refers to."""
        merged: dict[str, str] = {}
        for psa in self.psas.values():
            merged.update(psa.secrets())
        return merged

    def subscribe(self, public_url: str) -> None:
        """Register the bridge's webhooks in every practice PSA."""
        for key, psa in self.psas.items():
            psa.subscribe(f"{public_url}/webhooks/{key}/{self.connection(key)}")

    def config(
        self, *, database: str, listen: str = "127.0.0.1:0", public_url: str = "", **organization: Any
    ) -> str:
        """Return a bridge.yaml (JSON is YAML) for one organization on this world, everything applied."""
        settings: dict[str, Any] = {
            "name": "Northwind IT Services",
            "ai": {
                "enabled": True,
                "provider": "local",
                "base_url": self.ai.base_urls["local"],
                "model": "practice-stand-in",
            },
            "variables": {"ticket_cat_max_tokens": 4000, "ticket_sent_max_tokens": 4000},
            "categorization": {"mode": "apply", "min_confidence": 0, "overwrite": "empty"},
            "connections": {
                self.connection(key): {"psa": key, "enabled": True, "sweep_minutes": 10, **psa.options()}
                for key, psa in self.psas.items()
            },
        }
        for key, value in organization.items():
            below = settings.get(key)
            settings[key] = {**below, **value} if isinstance(below, dict) and isinstance(value, dict) else value
        document = {
            "server": {"listen": listen, "public_url": public_url or "http://127.0.0.1:8080"},
            "database": database,
            "organizations": {"northwind": settings},
        }
        return json.dumps(document, indent=2)
