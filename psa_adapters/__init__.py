"""The PSAs we speak, in the order they are shown."""

from __future__ import annotations

from psa_adapters.base import PSAAdapter
from psa_adapters.connectwise import ConnectWise
from psa_adapters.datto import Datto
from psa_adapters.halopsa import HaloPSA
from psa_adapters.kaseya_bms import KaseyaBMS

ADAPTERS: dict[str, type[PSAAdapter]] = {
    "connectwise": ConnectWise,
    "datto": Datto,
    "halopsa": HaloPSA,
    "kaseya_bms": KaseyaBMS,
}
