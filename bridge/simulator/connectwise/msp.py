"""The catalogue as records with ids, in the shapes the API shows."""

from __future__ import annotations

from typing import Any

from bridge.simulator.connectwise.catalogue import (
    CLIENTS,
    DEFAULT_PRIORITY,
    HELP_DESK,
    MANAGED_SERVICES,
    MEMBERS,
    PRIORITIES,
    SOURCES,
    Board,
    build_board,
)

Record = dict[str, Any]


class MSP:
    """Boards, priorities, members, sources, clients and their contacts. Does not change."""

    def __init__(self) -> None:
        self.boards: dict[int, Board] = {
            1: build_board(1, "Help Desk", HELP_DESK, ghosts=True),
            12: build_board(12, "Managed Services", MANAGED_SERVICES, ghosts=False),
            20: Board(20, "Client projects", project=True),
            21: Board(21, "Old board", inactive=True),
        }
        self.priorities: dict[int, Record] = {
            number: {
                "id": number,
                "name": name,
                "color": colour,
                "sortOrder": order,
                "defaultFlag": number == DEFAULT_PRIORITY,
                "level": level,
            }
            for number, name, order, colour, level in PRIORITIES
        }
        self.members: dict[int, Record] = {
            number: {
                "id": number,
                "identifier": identifier,
                "firstName": first,
                "lastName": last,
                "licenseClass": licence,
                "inactiveFlag": inactive,
                "primaryEmail": f"{first}.{last}@northwind.example".lower(),
                "defaultEmail": "Office",
            }
            for number, (identifier, first, last, licence, inactive) in enumerate(MEMBERS, start=150)
        }
        self.member_by_identifier = {m["identifier"]: m for m in self.members.values()}
        self.sources: dict[int, Record] = {n: {"id": n, "name": name} for n, name in enumerate(SOURCES, start=1)}
        self.clients: dict[str, Record] = {}
        self.contacts: dict[str, tuple[Record, Record]] = {}
        for number, (name, (identifier, people)) in enumerate(CLIENTS.items(), start=250):
            client = {"id": number, "identifier": identifier, "name": name}
            self.clients[name] = client
            for position, person in enumerate(people):
                mail = f"{person.split()[0].lower()}@{identifier}.example"
                contact = {"id": number * 10 + position, "name": person, "mail": mail}
                self.contacts[person] = (client, contact)
