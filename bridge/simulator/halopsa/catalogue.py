"""The fictional MSP "Northwind IT Services" as a HaloPSA tenant holds it: clients, people, lists, categories."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

CLIENTS = {
    "Contoso Dental": ("Amara Okafor", "contosodental.example"),
    "Fabrikam Legal": ("Jonas Lindqvist", "fabrikamlegal.example"),
    "Adventure Works Cycles": ("Priya Raman", "adventureworks.example"),
    "Litware Logistics": ("Tomás Herrera", "litware.example"),
    "Wingtip Toys": ("Mei Tanaka", "wingtiptoys.example"),
    "Tailspin Aviation": ("Charlotte Dubois", "tailspin.example"),
    "Woodgrove Credit Union": ("Samuel Osei", "woodgrove.example"),
    "Proseware Media": ("Ingrid Solberg", "proseware.example"),
}

# One line per top level: its second levels, each with third levels in parentheses.
TREE = """
Hardware: Laptop (Battery; Screen; Keyboard; Will not start), Desktop (Will not start; Upgrade), Docking station,
    Monitor (No picture; Flicker), Mobile device (Lost or stolen; Broken screen),
    Peripherals (Mouse & keyboard; Headset)
Software: Office suite (Excel; Word; Licence), Line of business app (Error message; Slow), Installation, Browser,
    Teams, Licence renewal
Network: VPN (Cannot connect; Slow), Wi-Fi (No signal; Slow), Internet outage, Firewall, Switch, DNS
Email: Outlook (Search; Profile; Calendar), Mailbox full, Shared mailbox (Access; New), Spam filter,
    Distribution list, Delivery failure
Security: Phishing (Reported; Clicked), Malware, Lost device, Suspicious sign-in, Data loss, Security training
Printing: Printer offline, Paper jam, Toner, Scan to email, New printer
Account & Access: Password reset, MFA (New phone; Locked out), Locked account, Folder permissions,
    Group membership, Remote desktop
Phone: Handset, Softphone, Voicemail, Call quality, Number porting
Backup: Restore (File; Mailbox; Server), Failed job, Retention, New job
Server: Disk space, Patching, Reboot, Performance, Virtual machine (New; Resize), Remote desktop
Cloud: Azure, SharePoint (Permissions; Sync), OneDrive (Sync; Recovery), Licences
Onboarding: New starter (Laptop; Account), Name change, Department move
Offboarding: Leaver, Mailbox handover, Device return
Project/Change: Office move, Migration, Upgrade, Change request
Monitoring alert: Disk, CPU, Offline, Backup, Certificate
Billing: Invoice question, Contract, Quote request, Credit note
Internal: Training, Meeting, Documentation, Administration
Website: Content, Outage, Domain renewal
Database: Performance, Access, Restore
Audio - Video: Meeting room, Projector, Conference phone
"""

RESOLUTIONS = (
    "User error",
    "Hardware replaced",
    "Configuration",
    "Vendor fix",
    "No fault found",
    "Training given",
)
PURCHASES = ("Hardware>Purchase - Quotation", "Hardware>Purchase - Order", "Software>Purchase - Licence", "Toner")
BROKEN = ("Hardware>>Ghost", ">Floating", "Retired>")
"""Rows an import left behind: a path with an empty segment cannot be chosen on a ticket screen."""

UNASSIGNED = 1
TYPES: list[Row] = [
    {"id": 1, "name": "Incident", "visible": True, "default_sla": 1, "workflow_id": 11, "itilrequesttype": 1},
    {
        "id": 3,
        "name": "Service Request",
        "visible": True,
        "default_sla": 1,
        "workflow_id": 11,
        "itilrequesttype": 3,
    },
    {"id": 21, "name": "Alert", "visible": True, "default_sla": 2, "workflow_id": 12, "itilrequesttype": 1},
    {
        "id": 23,
        "name": "Change Request",
        "visible": True,
        "default_sla": 2,
        "workflow_id": 11,
        "itilrequesttype": 2,
    },
    {"id": 9, "name": "Old Helpdesk", "visible": False, "default_sla": 1, "workflow_id": 11, "itilrequesttype": 1},
]
CLOSED_TO_TYPE: dict[int, tuple[str, ...]] = {1: ("Internal", "Project/Change"), 3: ()}
"""Ticket types that may not use some top levels of list 1; a type that is not here may use all."""
ALERT_ONLY = ("Monitoring alert", "Backup", "Server", "Network")

SLAS: list[Row] = [{"id": 1, "name": "Standard"}, {"id": 2, "name": "Gold"}]
# The order is that of the list, not of seriousness; ids overlap between the SLAs on purpose.
PRIORITIES: list[tuple[int, int, str, bool]] = [
    (1, 3, "Medium", False),
    (1, 1, "Critical", False),
    (1, 4, "Low", False),
    (1, 2, "High", False),
    (1, 5, "Legacy P5", True),
    (2, 1, "P1 - Business down", False),
    (2, 2, "P2 - Major", False),
    (2, 3, "P3 - Minor", False),
    (2, 7, "P4 - Request", False),
]
DEFAULT_PRIORITY = {1: 3, 2: 3}

STATUSES: list[Row] = [
    {"id": 1, "name": "New", "type": 0, "sequence": 1},
    {"id": 2, "name": "In Progress", "type": 0, "sequence": 2},
    {"id": 4, "name": "With User", "type": 1, "sequence": 3},
    {"id": 5, "name": "Escalated", "type": 0, "sequence": 4},
    {"id": 9, "name": "Closed", "type": 2, "sequence": 9},
    {"id": 24, "name": "Awaiting Approval", "type": 1, "sequence": 6},
]
CLOSED = 9
STATUSES_OF_ALERT = (1, 2, 5, 9)

TEAMS: list[Row] = [
    {"id": 5, "name": "Service Desk", "inactive": False, "forrequests": True},
    {"id": 6, "name": "Escalations", "inactive": False, "forrequests": True},
    {"id": 7, "name": "Projects", "inactive": False, "forrequests": False},
    {"id": 8, "name": "Night Shift", "inactive": True, "forrequests": True},
]
AGENTS: list[Row] = [
    {"id": 1, "name": "Unassigned", "email": "", "isdisabled": False, "isapiagent": False},
    {
        "id": 3,
        "name": "Dana Whitfield",
        "email": "dana@northwind-it.example",
        "isdisabled": False,
        "isapiagent": False,
    },
    {
        "id": 4,
        "name": "Ravi Menon",
        "email": "ravi@northwind-it.example",
        "isdisabled": False,
        "isapiagent": False,
    },
    {"id": 6, "name": "Old Tech", "email": "old@northwind-it.example", "isdisabled": True, "isapiagent": False},
    {"id": 12, "name": "Bridge API", "email": "", "isdisabled": False, "isapiagent": True},
]
API_AGENT = 12

OUTCOMES: list[Row] = [
    {"id": 1, "outcome": "Email User", "hidefromuser": False, "sendemail": True, "newstatus": -1, "hidden": False},
    {"id": 5, "outcome": "Close", "hidefromuser": False, "sendemail": True, "newstatus": 9, "hidden": False},
    {
        "id": 7,
        "outcome": "Internal Note",
        "hidefromuser": True,
        "sendemail": False,
        "newstatus": -1,
        "hidden": False,
    },
    {
        "id": 31,
        "outcome": "Public Note",
        "hidefromuser": False,
        "sendemail": False,
        "newstatus": -1,
        "hidden": False,
    },
    {
        "id": 44,
        "outcome": "Private Note",
        "hidefromuser": True,
        "sendemail": False,
        "newstatus": -1,
        "hidden": False,
    },
    {"id": 60, "outcome": "New", "hidefromuser": False, "sendemail": False, "newstatus": -1, "hidden": True},
]

IMPACTS = {1: "Company Wide", 2: "Department", 3: "Single User"}
URGENCIES = {1: "High", 2: "Medium", 3: "Low"}
SOURCES = {0: "Email", 1: "Manual", 2: "Self Service Portal", 9: "Alert"}

_AREAS = (
    "calendar", "customers", "crm", "contracts", "suppliers", "items", "projects", "sales", "quotes", "sos", "pos",
    "invoices", "reporting", "software", "softwarelicensing", "kb", "assets", "chat", "tickets",
)  # fmt: skip
SCOPES = frozenset(
    {"all", "all:standard", "admin", "offline_access", "access:adldap", "read:agents"}
    | {f"{verb}:{area}" for area in _AREAS for verb in ("read", "edit")}
)


def paths(tree: str = TREE) -> list[str]:
    """Turn the tree into paths, each node a row of its own."""
    rows: list[str] = []
    for line in tree.replace("\n    ", " ").strip().splitlines():
        top, _, rest = line.partition(": ")
        rows.append(top)
        for branch in rest.split(","):
            second, _, third = branch.strip().partition(" (")
            rows.append(f"{top}>{second}")
            rows += [f"{top}>{second}>{leaf.strip()}" for leaf in third.rstrip(")").split(";") if leaf.strip()]
    return rows


def categories() -> list[Row]:
    """Return all rows of /Category: list 1 is the tree, lists 2 and 3 are independent of it."""
    rows: list[Row] = []
    for kind, values in ((1, [*paths(), *BROKEN]), (2, RESOLUTIONS), (3, PURCHASES)):
        for value in values:
            rows.append(
                {
                    "id": 100 + len(rows),
                    "value": value,
                    "category_name": value,
                    "type_id": kind,
                    "sla_id": -1,
                    "priority_id": -1,
                    "category_group_id": 0,
                }
            )
    return rows


def may_use(type_id: int, value: str) -> bool:
    """Tell whether a ticket type may use a path of list 1."""
    top = value.split(">")[0]
    if type_id == 21:
        return top in ALERT_ONLY
    return top not in CLOSED_TO_TYPE.get(type_id, ())


def restrictions(type_id: int, rows: list[Row]) -> Row:
    """Return allowall_category1..4 and allowed_category1..4 of a ticket type."""
    shape: Row = {f"allowall_category{n}": True for n in (1, 2, 3, 4)}
    shape |= {f"allowed_category{n}": [] for n in (1, 2, 3, 4)}
    listed = [row for row in rows if row["type_id"] == 1]
    if all(may_use(type_id, row["value"]) for row in listed):
        return shape
    shape["allowall_category1"] = False
    if type_id == 21:
        # This one is kept by prefix, as an admin does who restricts by "begins with".
        shape["allowed_category1"] = [
            {
                "id": n, "type": 1, "tickettype_id": type_id, "category_id": 0, "category_value": "",
                "partial_match_category": True, "category_name_partial": top,
            }
            for n, top in enumerate(ALERT_ONLY, start=1)
        ]  # fmt: skip
    else:
        shape["allowed_category1"] = [
            {
                "id": n, "type": 1, "tickettype_id": type_id, "category_id": row["id"],
                "category_value": row["value"], "partial_match_category": False, "category_name_partial": "",
            }
            for n, row in enumerate((r for r in listed if may_use(type_id, r["value"])), start=1)
        ]  # fmt: skip
    return shape
