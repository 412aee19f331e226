"""The MSP behind the practice ConnectWise PSA: its boards, category tree, people and clients."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

COMPANY_ID = "northwind"
CODEBASE = "v2025_1/"

Tree = dict[str, dict[str, tuple[str | None, ...]]]
"""Type -> subtype -> items; None stands for "no item" beside real items, () for no items at all."""

HELP_DESK: Tree = {
    "Hardware": {
        "Laptop": ("Battery", "Keyboard", "Screen", "Will not start"),
        "Desktop": ("Power supply", "Slow", "Will not start"),
        "Docking station": ("Firmware", "No display", "Power"),
        "Monitor": (),
        "Peripheral": ("Headset", "Mouse or keyboard", "Webcam"),
    },
    "Software": {
        "Microsoft Office": ("Activation", "Crash", "Excel", "Word"),
        "Web browser": ("Certificate warning", "Extension", "Slow"),
        "Operating system": ("Blue screen", "Slow", "Update failed"),
        "Installation": (),
        "Adobe": ("Acrobat", "Licence"),
    },
    "Software request": {"New application": (), "Upgrade": (), "Removal": ()},
    "Line of business": {"Accounting": ("Access", "Error", "Slow"), "Dental imaging": (), "Legal documents": ()},
    "Network": {
        "Wi-Fi": ("Guest network", "No connection", "Slow"),
        "VPN": ("Client", "Cannot connect", "Drops"),
        "Internet": ("Outage", "Slow"),
        "Switch": (),
        "Firewall": ("Blocked site", "Rule change"),
        "Cabling": (),
    },
    "Email": {
        "Outlook": ("Add-in", "Profile", "Search", "Will not open"),
        "Mailbox full": (),
        "Shared mailbox": ("Create", "Permission"),
        "Distribution list": ("Create", "Members"),
        "Delivery": (None, "Bounce", "Delayed", "Missing"),
    },
    "Security": {
        "Phishing": ("Clicked a link", "Reported", "Sent credentials"),
        "Malware": ("Detected", "Ransomware"),
        "Lost device": (),
        "Suspicious sign-in": (),
        "Spam filter": ("Allow", "Block"),
    },
    "Printing": {
        "Printer offline": (),
        "Paper jam": (),
        "Print quality": (),
        "Scan to email": ("Authentication", "Not received"),
        "Driver": (),
    },
    "Account & Access": {
        "Password reset": (),
        "Locked account": (),
        "MFA": ("Lost phone", "New phone", "Not prompted"),
        "Permission": ("Folder", "Mailbox", "Site"),
        "New user": (),
    },
    "Phone": {"Desk phone": (), "Softphone": ("Audio", "Sign-in"), "Voicemail": (), "Call routing": ()},
    "Mobile device": {"Enrolment": (), "Mail on phone": (), "Lost device": (), "Replacement": ()},
    "Collaboration": {
        "Teams": ("Audio", "Meeting", "Sign-in"),
        "SharePoint": ("Permission", "Sync"),
        "OneDrive": (),
    },
    "Remote access": {"Remote desktop": (), "VPN": ("Client", "Cannot connect"), "Remote app": ()},
    "File sharing": {"Mapped drive": (), "Permission": ("Folder",), "Restore file": ()},
    "Backup": {"Failed job": (), "Restore": ("File", "Mailbox", "Server"), "New device": ()},
    "Backup & recovery test": {"Quarterly test": ()},
    "Server": {"Disk space": (), "Down": (), "Slow": (), "Patching": ("Failed", "Reboot needed")},
    "Virtual desktop": {"Cannot sign in": (), "Session frozen": (), "Slow": ()},
    "Database": {"Query slow": (), "Connection": ()},
    "Website & DNS": {"Certificate": ("Expired", "Renewal"), "DNS record": (), "Website down": ()},
    "Cloud": {"Licence": ("Add", "Remove"), "Tenant setting": (), "Azure": ()},
    "Monitoring alert": {"Offline": (), "Disk space": (), "CPU or memory": (), "Antivirus": ()},
    "Onboarding": {"New user": ("Accounts", "Equipment"), "New client": (), "New site": ()},
    "Offboarding": {"User leaves": ("Accounts", "Equipment"), "Client leaves": ()},
    "Procurement": {"Quote": (), "Order": (), "Return": ()},
    "Licensing": {"Renewal": (), "Audit": ()},
    "Project/Change": {"Move": (), "Migration": (), "Change request": ("Emergency", "Standard")},
    "Billing": {"Invoice question": (), "Agreement question": ()},
    "Training": {"How do I": (), "Workshop": ()},
    "Scheduled maintenance": {"Server": (), "Network": (), "Workstation": ()},
    "Compliance": {"Audit request": (), "Policy question": ()},
    "Internal": {"Meeting": (), "Documentation": (), "Tooling": ()},
    "Inquiry": {},
}

MANAGED_SERVICES: Tree = {
    "Monitoring alert": {"Offline": (), "Disk space": (), "Antivirus": ("Outdated", "Threat found")},
    "Patching": {"Failed": (), "Reboot needed": ()},
    "Backup": {"Failed job": (), "Missed job": ()},
    "Security": {"Suspicious sign-in": (), "Malware": ("Detected",)},
}

INACTIVE_TYPES = ("Fax", "Networking", "E-mail (old)")
"""Types that were renamed or given up; their rows are still in the association list."""
INACTIVE_SUBTYPES = (("Hardware", "Pager"), ("Network", "Dial-up"), ("Printing", "Plotter"))
INACTIVE_ITEMS = (("Hardware", "Laptop", "Floppy drive"), ("Software", "Web browser", "Flash player"))
ORPHANED_SUBTYPES = ("Typewriter", "Telex")
"""Active subtypes that belong to no type any more."""
ORPHANED_ITEMS = ("Cassette", "Ribbon")
"""Active items without a row."""
NEVER_LEGAL = (
    *((name, "Other") for name in INACTIVE_TYPES),
    *INACTIVE_SUBTYPES,
    *INACTIVE_ITEMS,
    *(("Hardware", name) for name in ORPHANED_SUBTYPES),
    *(("Hardware", "Laptop", name) for name in ORPHANED_ITEMS),
    ("Printing", "Laptop"),
    ("Printing", "Laptop", "Battery"),
    ("Hardware", "Laptop", "Ransomware"),
    ("Email", "VPN"),
    ("Remote access", "VPN", "Drops"),
    ("File sharing", "Permission", "Mailbox"),
    *((name,) for name in INACTIVE_TYPES),
)

PRIORITIES = (
    # id, name, sortOrder, colour, level; listed as an administrator created them, most serious sorted first
    (4, "Priority 3 - Medium", 3, "Yellow", "Level3"),
    (6, "Priority 1 - Critical", 1, "Red", "Level1"),
    (7, "Priority 4 - Low", 4, "Green", "Level4"),
    (15, "Priority 2 - High", 2, "Orange", "Level2"),
    (16, "Do not respond", 5, "White", "Level5"),
)
DEFAULT_PRIORITY = 4

STATUSES = (
    # name, sortOrder, closed, inactive
    ("New", 10, False, False),
    ("Assigned", 20, False, False),
    ("In progress", 30, False, False),
    ("Waiting on customer", 40, False, False),
    ("Escalated", 50, False, False),
    ("On hold (old)", 55, False, True),
    ("Completed", 60, True, False),
    (">Closed", 70, True, False),
)
SOURCES = ("Email Connector", "Phone", "Portal", "Monitoring", "Walk-in")

MEMBERS = (
    # identifier, first, last, licence class, inactive
    ("asmith", "Alex", "Smith", "F", False),
    ("bjones", "Bailey", "Jones", "F", False),
    ("cnguyen", "Casey", "Nguyen", "F", False),
    ("dgarcia", "Devon", "Garcia", "F", False),
    ("emuller", "Emery", "Müller", "X", False),
    ("fold", "Former", "Colleague", "F", True),
    ("AIBridge", "AI", "Bridge", "A", False),
    ("EmailConnector", "Email", "Connector", "A", False),
)
BRIDGE_MEMBER = "AIBridge"
MAIL_MEMBER = "EmailConnector"

CLIENTS = {
    "Contoso Dental": ("contosodental", ("Mina Park", "Otto Lang")),
    "Fabrikam Legal": ("fabrikamlegal", ("Rosa Diaz", "Kim Abel")),
    "Adventure Works Cycles": ("adventureworks", ("Sam Rider", "Toni Berg")),
    "Litware Logistics": ("litware", ("Jo Carter", "Lee Frey")),
    "Wingtip Toys": ("wingtiptoys", ("Ada Moss", "Noel Hart")),
    "Tailspin Aviation": ("tailspin", ("Max Flyer", "Uma Rao")),
    "Woodgrove Credit Union": ("woodgrove", ("Vera Cash", "Ian Vault")),
    "Proseware Media": ("proseware", ("Pia Lens", "Gus Reel")),
}


@dataclass
class Board:
    """One board with its own lists; every list maps an id to the record as the API shows it."""

    id: int
    name: str
    project: bool = False
    inactive: bool = False
    types: dict[int, dict[str, Any]] = field(default_factory=dict)
    subtypes: dict[int, dict[str, Any]] = field(default_factory=dict)
    items: dict[int, dict[str, Any]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    legal: set[tuple[int, int | None, int | None]] = field(default_factory=set)
    pairs: set[tuple[int, int | None]] = field(default_factory=set)
    statuses: dict[int, dict[str, Any]] = field(default_factory=dict)
    teams: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def ref(self) -> dict[str, Any]:
        return {"id": self.id, "name": self.name}

    def named(self, kind: str, name: str) -> int | None:
        """Return the id of a type, subtype, item, status or team by name."""
        records: dict[int, dict[str, Any]] = getattr(self, kind)
        return next((i for i, record in records.items() if record["name"] == name), None)


def build_board(number: int, name: str, tree: Tree, *, ghosts: bool) -> Board:
    """Build a board from a tree; with `ghosts` it also gets inactive, orphaned and dangling values."""
    board = Board(number, name)
    base = number * 1000
    for position, (status, order, closed, inactive) in enumerate(STATUSES, start=1):
        board.statuses[base + position] = {
            "id": base + position,
            "name": status,
            "board": board.ref,
            "sortOrder": order,
            "displayOnBoard": not closed,
            "inactive": inactive,
            "closedStatus": closed,
            "timeEntryNotAllowed": False,
            "defaultFlag": status == "New",
            "escalationStatus": "Resolved" if closed else "NotResponded",
        }
    for position, team in enumerate(("Service Desk", "Escalation", "Field Service"), start=1):
        board.teams[base + position] = {
            "id": base + position,
            "name": team,
            "boardId": board.id,
            "members": [150 + position, 151 + position],
            "defaultFlag": position == 1,
        }
    builder = _Tree(board, base)
    for type_name, subtypes in tree.items():
        builder.row(type_name)
        for subtype_name, items in subtypes.items():
            for item_name in items or (None,):
                builder.row(type_name, subtype_name, item_name)
    if ghosts:
        _haunt(builder)
    builder.settle()
    return board


def _haunt(builder: _Tree) -> None:
    for name in INACTIVE_TYPES:
        builder.row(name, "Other")
        builder.type(name)["inactiveFlag"] = True
    for type_name, subtype_name in INACTIVE_SUBTYPES:
        builder.row(type_name, subtype_name)
        builder.subtype(subtype_name)["inactiveFlag"] = True
    for type_name, subtype_name, item_name in INACTIVE_ITEMS:
        builder.row(type_name, subtype_name, item_name)
        builder.item(item_name)["inactiveFlag"] = True
    for name in ORPHANED_SUBTYPES:
        builder.subtype(name)
    for name in ORPHANED_ITEMS:
        builder.item(name)


class _Tree:
    """Hands out ids and association rows; one subtype or item of a board serves many types."""

    def __init__(self, board: Board, base: int) -> None:
        self.board = board
        self._next = base + 100

    def _id(self) -> int:
        self._next += 1
        return self._next

    def _of(self, records: dict[int, dict[str, Any]], name: str, **more: Any) -> dict[str, Any]:
        for record in records.values():
            if record["name"] == name:
                return record
        number = self._id()
        records[number] = {"id": number, "name": name, "board": self.board.ref, "inactiveFlag": False, **more}
        return records[number]

    def type(self, name: str) -> dict[str, Any]:
        category = "Proactive" if "onitoring" in name or "maintenance" in name else "Reactive"
        return self._of(
            self.board.types, name, category=category, defaultFlag=False, requestForChangeFlag="Change" in name
        )

    def subtype(self, name: str) -> dict[str, Any]:
        return self._of(self.board.subtypes, name, typeAssociationIds=[])

    def item(self, name: str) -> dict[str, Any]:
        return self._of(self.board.items, name)

    def row(self, type_name: str, subtype_name: str | None = None, item_name: str | None = None) -> None:
        type_ = self.type(type_name)
        row: dict[str, Any] = {"id": self._id(), "type": _named(type_), "board": self.board.ref}
        if subtype_name is not None:
            subtype = self.subtype(subtype_name)
            row["subType"] = _named(subtype)
            if type_["id"] not in subtype["typeAssociationIds"]:
                subtype["typeAssociationIds"].append(type_["id"])
        if item_name is not None:
            row["item"] = _named(self.item(item_name))
        self.board.rows.append(row)

    def settle(self) -> None:
        """Write down which triples are legal, and mark rows of inactive values as the vendor does."""
        board = self.board
        with_subtypes = {row["type"]["id"] for row in board.rows if "subType" in row}
        # A bare type row stands only where the type has no subtypes; the others were just this builder's start.
        board.rows = [r for r in board.rows if "subType" in r or r["type"]["id"] not in with_subtypes]
        for row in board.rows:
            chain = [
                (board.types, row["type"]),
                (board.subtypes, row.get("subType")),
                (board.items, row.get("item")),
            ]
            inactive = False
            for records, ref in chain:
                if ref is not None and records[ref["id"]]["inactiveFlag"]:
                    ref["_info"] = {"inactiveFlag": "True"}
                    inactive = True
            if not inactive:
                subtype, item = (row[key]["id"] if key in row else None for key in ("subType", "item"))
                ids = (row["type"]["id"], subtype, item)
                board.legal.add(ids)
                board.pairs |= {ids[:2], (ids[0], None)}


def _named(record: dict[str, Any]) -> dict[str, Any]:
    return {"id": record["id"], "name": record["name"]}
