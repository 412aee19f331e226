"""The values a PSA has for the fields that scores raise, to choose from. Asked for by a button, stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.app import Bridge
from bridge.checkup import LOOK_BACK
from bridge.errors import BridgeError
from bridge.model import Field
from bridge.policy import RAISED_BY
from bridge.settings.model import Organization
from bridge.triage.act import value_lists
from psa_adapters.base import PSAAdapter


@dataclass
class Offer:
    """Names by field, by rising seriousness; `lists` tells how many connections had some; `troubles` in words."""

    names: dict[str, list[str]] = field(default_factory=dict)
    lists: dict[str, int] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def one_list(self, key: str) -> tuple[str, ...]:
        """Return the names of a field where all come from one list, so that their order means something."""
        return tuple(self.names.get(key, ())) if self.lists.get(key) == 1 else ()


def offered(bridge: Bridge, organization: Organization) -> Offer:
    """Ask every connection of an organization, with one of its newest tickets; only reads."""
    offer = Offer()
    for connection in organization.connections.values():
        try:
            found = _of(bridge, bridge.adapter(connection))
        except BridgeError as error:
            offer.troubles.append(f"{connection.id}: {error}.")
            continue
        if not found:
            offer.troubles.append(f"{connection.id}: no ticket is there to read the values from.")
        for key, names in found.items():
            known = offer.names.setdefault(key, [])
            known += [name for name in names if name not in known]
            offer.lists[key] = offer.lists.get(key, 0) + 1
    return offer


def _of(bridge: Bridge, adapter: PSAAdapter) -> Mapping[str, list[str]]:
    for back in LOOK_BACK:
        ref = next(iter(adapter.list_created(bridge.clock.now() - back)), None)
        if ref is not None:
            fields: set[Field] = set(RAISED_BY) & set(adapter.writes)
            taxonomy, _unreadable = value_lists(adapter, adapter.get_ticket(ref), fields, None)
            return {
                field_.value: [choice.name for choice in choices]
                for field_, choices in taxonomy.choices.items()
                if field_ in fields and choices
            }
    return {}
