"""Who is who: resources and the roles they work in, client companies, contacts. All cached for an hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bridge.errors import PermanentError, ValueRejected
from bridge.model import Choice
from psa_adapters.base import Runtime
from psa_adapters.cache import Cache
from psa_adapters.datto.client import LABEL, Client, condition

HOUR = 3600.0
PSEUDO_ROLES = frozenset({110, 112})
"""Rows of ResourceRoles that stand for no role that can be assigned; by observation."""

RESOURCE_FIELDS = (
    "id", "firstName", "lastName", "email", "userName", "licenseType", "isActive", "defaultServiceDeskRoleID",
)  # fmt: skip


@dataclass(frozen=True)
class Staff:
    """Active resources by id, and the roles each may be assigned in: (role id, queue id or None for any)."""

    resources: Mapping[int, Mapping[str, Any]]
    roles: Mapping[int, tuple[tuple[int, int | None], ...]]

    def role_for(self, resource: int, queue: int | None) -> int | None:
        """Return the role to assign a resource with, on a ticket of that queue; None where there is none."""
        usable = [role for role, only in self.roles.get(resource, ()) if only is None or only == queue]
        return usable[0] if usable else None

    def by_name(self, wanted: str) -> int | None:
        return next((id_ for id_, row in self.resources.items() if choice_of(row).answers_to(wanted)), None)


def choice_of(row: Mapping[str, Any]) -> Choice:
    """Return a resource as a choice; e-mail and user name also name it."""
    aliases = tuple(str(row[key]) for key in ("email", "userName") if row.get(key))
    return Choice(str(row["id"]), full_name(row) or f"#{row['id']}", aliases=aliases)


def full_name(row: Mapping[str, Any]) -> str:
    return " ".join(str(row[key]).strip() for key in ("firstName", "lastName") if row.get(key))


class People:
    """The directory of one tenant."""

    def __init__(self, client: Client, runtime: Runtime) -> None:
        self._client = client
        self._cache = Cache(runtime.clock)

    def staff(self, *, fresh: bool = False) -> Staff:
        return self._cache.get("staff", self._read_staff, seconds=HOUR, fresh=fresh)

    def _read_staff(self) -> Staff:
        client = self._client
        what = "read resources and their roles"
        active = condition("eq", "isActive", True)
        resources = {
            row["id"]: row for row in client.query("Resources", active, fields=RESOURCE_FIELDS, what=what)
        }
        held: dict[int, list[tuple[int, int, int | None]]] = {}
        for row in client.query("ResourceServiceDeskRoles", active, what=what):
            owner, role = row.get("resourceID"), row.get("roleID")
            if not isinstance(owner, int) or not isinstance(role, int):
                continue
            default = resources.get(owner, {}).get("defaultServiceDeskRoleID")
            rank = 0 if row.get("isDefault") is True else 1 if role == default else 2
            held.setdefault(owner, []).append((rank, role, None))
        # ResourceRoles is the older list, by department or queue; only who has no service desk role needs it.
        desk = frozenset(held)
        if resources.keys() - desk:
            for row in client.query("ResourceRoles", condition("gte", "id", 0), what=what):
                owner = row.get("resourceID")
                role = row.get("roleID")
                if not isinstance(owner, int) or not isinstance(role, int) or owner in desk:
                    continue
                if role in PSEUDO_ROLES or row.get("isActive") is False:
                    continue
                held.setdefault(owner, []).append((3, role, row.get("queueID")))
        for id_, person in resources.items():
            role = person.get("defaultServiceDeskRoleID")
            if id_ not in held and isinstance(role, int):
                held[id_] = [(4, role, None)]
        roles = {
            resource: tuple((role, only) for _, role, only in sorted(rows, key=lambda row: row[0]))
            for resource, rows in held.items()
        }
        return Staff(resources, roles)

    def owners(self, queue: int | None, *, fresh: bool = False) -> tuple[Choice, ...]:
        """Return the people who can be assigned in this queue: active, and with a role for it."""
        staff = self.staff(fresh=fresh)
        found = [choice_of(row) for id_, row in staff.resources.items() if staff.role_for(id_, queue) is not None]
        return tuple(sorted(found, key=lambda choice: (choice.name.casefold(), choice.id)))

    def role_for(self, resource: int, queue: int | None) -> int:
        """Return the role for an assignment; a resource must always be assigned together with one."""
        role = self.staff().role_for(resource, queue)
        if role is None:
            role = self.staff(fresh=True).role_for(resource, queue)
        if role is None:
            raise ValueRejected(
                f"{LABEL}: assign",
                "this resource is inactive or has no role for the ticket's queue; give it a service desk role "
                "(Admin > Resources/Users > Associations > Service Desk)",
            )
        return role

    def resource(self, id_: int) -> Choice:
        """Return any resource by id, inactive ones too; an unknown one names itself."""
        row: Mapping[str, Any] | None = self.staff().resources.get(id_)
        return choice_of(row or self._row("Resources", id_) or {"id": id_})

    def company(self, id_: int) -> Choice:
        """Return the ticket's company; 0 is a real one, the MSP itself.

        Rules about a client hang on its name, so a company that cannot be read stops the ticket.
        """
        row = self._row("Companies", id_)
        name = str(row.get("companyName") or "").strip()
        if not name:
            raise PermanentError(
                f"{LABEL}: read company",
                "the ticket's company cannot be read; the API user's security level needs CRM > Account & "
                "Contact Access: All",
            )
        return Choice(str(id_), name)

    def contact(self, id_: int) -> tuple[str, str]:
        """Return a contact's name and e-mail address; "" where it is gone."""
        row = self._row("Contacts", id_)
        return full_name(row), str(row.get("emailAddress") or "")

    def _row(self, entity: str, id_: int) -> Mapping[str, Any]:
        key = f"{entity}/{id_}"

        def read() -> Mapping[str, Any]:
            return self._client.item(key, what=f"read {entity.lower()}") or {}

        # A row that could not be seen is looked for again at once; it may only have been too young.
        return self._cache.get(key, read, seconds=lambda row: HOUR if row else 0.0)
