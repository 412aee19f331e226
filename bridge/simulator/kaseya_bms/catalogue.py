"""The lists of Northwind IT Services, a managed service provider that does not exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

COMPANY = "Northwind IT Services"
USER_NAME = "bridge.api"
USER_ID = 70511
USER_FULL_NAME = "Bridge Api"

ISSUE_TYPES: dict[str, tuple[str, ...]] = {
    "Hardware": ("Laptop", "Desktop", "Docking station", "Monitor", "Keyboard or mouse", "Mobile device"),
    "Software": ("Installation", "Update", "Crash or error", "License", "Office apps", "Line-of-business app"),
    "Network": ("Wi-Fi", "VPN", "Internet down", "Slow connection", "Switch or router", "Firewall rule"),
    "Email": ("Outlook", "Mailbox full", "Shared mailbox", "Delivery failure", "Distribution list", "Spam filter"),
    "Security": ("Phishing", "Malware", "Suspicious login", "Lost device", "Encryption"),
    "Printing": ("Printer offline", "Paper jam", "Print quality", "Scanner", "Print driver"),
    "Account & Access": ("Password reset", "MFA", "Account locked", "Folder permissions", "New permission"),
    "Phone": ("Desk phone", "Voicemail", "Call quality", "Number change", "Softphone"),
    "Backup": ("Backup failed", "File restore", "Backup storage full", "Restore test"),
    "Server": ("Server down", "Disk space", "Slow server", "Virtual machine", "Reboot needed"),
    "Collaboration": ("Teams", "SharePoint", "OneDrive", "Video meeting"),
    "Onboarding": ("New employee", "Equipment order", "Workplace set-up"),
    "Offboarding": ("Leaving employee", "Equipment return", "Data handover"),
    "Project/Change": ("Office move", "Migration", "New site", "Change request"),
    "Monitoring alert": ("Host offline", "High CPU", "Service stopped", "Certificate expiring", "Disk failure"),
    "Billing": ("Invoice question", "Contract question", "Quote request"),
    "Internal": ("Internal meeting", "Training", "Documentation"),
    "Database": ("Database down", "Slow query", "Database permissions"),
    "Website": ("Website down", "Content change", "Domain or DNS", "SSL certificate"),
    "Cloud": ("Azure", "AWS", "Subscription", "Cost question"),
    "Remote work": ("Remote Desktop", "Home office", "Citrix"),
    "Procurement": ("Hardware order", "Software order", "Delivery date"),
    "Compliance": ("Audit request", "Data request", "Retention"),
    "Facilities": ("Door access", "Camera", "Power"),
    "Point of sale": ("Till", "Card reader", "Receipt printer"),
    "Browser": ("Chrome", "Edge", "Certificate warning"),
    "File services": ("Drive mapping", "Missing file", "Share full"),
    "Mobile management": ("Enrollment", "App deployment", "Wipe device"),
    "Vendor liaison": ("Provider outage", "Warranty", "Third-party support"),
    "How-to question": (),
    "Other": (),
}
"""Active types; the last two have no sub types."""

INACTIVE_TYPES: dict[str, tuple[str, ...]] = {
    "E-mail": ("Outlook 2010", "Public folder"),
    "Network (old)": ("VPN", "Modem"),
    "Fax": ("Fax line",),
}
ORPHANED_SUBTYPES = ("Token Ring", "Pager")
"""Sub types whose issue type was deleted; tickets may still hold them, no lookup serves them."""

PRIORITIES = ("High", "Critical", "Low", "Medium")
STATUSES = (
    ("New", True),
    ("In Progress", True),
    ("Waiting Customer", True),
    ("Escalated", True),
    ("Completed", True),
    ("Closed", True),
    ("On Hold (old)", False),
)
CLOSING = frozenset({"Completed", "Closed"})
QUEUES = (
    ("Service Desk", True),
    ("Escalations", True),
    ("Projects", True),
    ("Security Operations", True),
    ("Night Shift (old)", False),
)
ASSIGNEES = (
    "Ana Trujillo", "Bernd Kraus", "Chioma Eze", "Dara Singh", "Elif Demir", "Farid Haddad", "Greta Olsen",
    "Hiro Tanaka", "Ines Costa", "Jonas Lind",
)  # fmt: skip
SOURCES = {
    0: "Client Portal",
    1: "Phone",
    2: "In Person",
    3: "On Site",
    4: "Email",
    5: "Monitoring System",
    6: "Voice Mail",
    7: "Verbal",
    8: "Other",
    9: "Recurring",
}
TICKET_TYPES = {8: "Incident", 9: "Service Request", 10: "Problem", 11: "Change"}
NOTE_TYPES = {31: "General Notes", 32: "Internal Note", 33: "Customer Reply", 34: "Resolution"}
ACCOUNTS: dict[str, tuple[str, ...]] = {
    "Contoso Dental": ("Mia Castillo", "Paul Ortega"),
    "Fabrikam Legal": ("Nora Whitfield", "Sam Achebe"),
    "Adventure Works Cycles": ("Lena Fischer", "Tom Baker"),
    "Litware Logistics": ("Omar Nasser", "Ruth Klein"),
    "Wingtip Toys": ("Ivy Chen", "Max Rossi"),
    "Tailspin Aviation": ("Carl Jensen", "Dina Popescu"),
    "Woodgrove Credit Union": ("Grace Obi", "Luis Moreno"),
    "Proseware Media": ("Yara Silva", "Erik Dahl"),
}
WEBHOOK_EVENTS = {501: "Created", 502: "Updated", 503: "Deleted"}
CONTENT_TYPES = {1: "application/json", 2: "application/x-www-form-urlencoded"}


@dataclass
class Catalogue:
    """The lists with ids, as one tenant has them: large and in no helpful order."""

    types: dict[int, dict[str, Any]] = field(default_factory=dict)
    subtypes: dict[int, dict[str, Any]] = field(default_factory=dict)  # id -> name, parent (None: orphaned)
    below: dict[int, list[int]] = field(default_factory=dict)  # type id -> sub type ids
    priorities: dict[int, str] = field(default_factory=dict)
    statuses: dict[int, tuple[str, bool]] = field(default_factory=dict)
    queues: dict[int, tuple[str, bool]] = field(default_factory=dict)
    assignees: dict[int, str] = field(default_factory=dict)
    accounts: dict[int, str] = field(default_factory=dict)
    locations: dict[int, int] = field(default_factory=dict)  # account id -> its location "Main"
    contacts: dict[int, tuple[str, int]] = field(default_factory=dict)  # id -> name, account

    def __post_init__(self) -> None:
        number = 61_000
        for active, tree in ((True, ISSUE_TYPES), (False, INACTIVE_TYPES)):
            for name, below in tree.items():
                type_id = number = number + 7
                self.types[type_id] = {"Name": name, "IsActive": active}
                self.below[type_id] = []
                for subtype in below:
                    number += 3
                    self.subtypes[number] = {"Name": subtype, "Parent": type_id}
                    self.below[type_id].append(number)
        for name in ORPHANED_SUBTYPES:
            number += 3
            self.subtypes[number] = {"Name": name, "Parent": None}
        self.priorities = {40_481 + n: name for n, name in enumerate(PRIORITIES)}
        self.statuses = {49_958 + n: value for n, value in enumerate(STATUSES)}
        self.queues = {38_402 + n: value for n, value in enumerate(QUEUES)}
        self.assignees = {70_600 + n: name for n, name in enumerate(ASSIGNEES)}
        for n, (account, contacts) in enumerate(ACCOUNTS.items()):
            account_id = 22_010 + 10 * n
            self.accounts[account_id] = account
            self.locations[account_id] = 33_000 + n
            for m, contact in enumerate(contacts):
                self.contacts[91_000 + 10 * n + m] = (contact, account_id)
        self.ids: dict[str, dict[str, int]] = {
            "priority": {name: id_ for id_, name in self.priorities.items()},
            "status": {name: id_ for id_, (name, _active) in self.statuses.items()},
            "team": {name: id_ for id_, (name, _active) in self.queues.items()},
            "owner": {name: id_ for id_, name in self.assignees.items()},
            "type": {entry["Name"]: id_ for id_, entry in self.types.items()},
            "account": {name: id_ for id_, name in self.accounts.items()},
            "contact": {name: id_ for id_, (name, _account) in self.contacts.items()},
            "source": {name: id_ for id_, name in SOURCES.items()},
        }

    def path(self, type_id: int | None, subtype_id: int | None) -> tuple[str, ...]:
        names = []
        if type_id in self.types:
            names.append(str(self.types[type_id]["Name"]))
        if subtype_id in self.subtypes:
            names.append(str(self.subtypes[subtype_id]["Name"]))
        return tuple(names)

    def find_path(self, path: str) -> tuple[int, int | None]:
        """Return the ids of "Type / Subtype" or "Type"."""
        name, _, below = path.partition(" / ")
        type_id = self.ids["type"][name]
        if not below:
            return type_id, None
        return type_id, next(id_ for id_ in self.below[type_id] if self.subtypes[id_]["Name"] == below)


def email_of(name: str, company: str) -> str:
    """Return an invented address."""
    return f"{name.lower().replace(' ', '.')}@{company.lower().replace(' ', '')}.example"
