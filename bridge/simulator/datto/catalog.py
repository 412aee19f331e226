"""The practice tenant's lists: picklists, people, clients. Plain data and its lookups."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

# Issue type -> sub-issue types, in the order of the tenant's own sort numbers.
TREE: dict[str, list[str]] = {
    "Hardware": ["Laptop", "Desktop", "Docking station", "Monitor", "Keyboard & mouse", "Battery"],
    "Software": ["Install request", "Crash or error", "Licensing", "Update", "Line-of-business app"],
    "Network": ["VPN", "Wi-Fi", "Switch or cabling", "Firewall", "Internet down", "DNS"],
    "Email": ["Mailbox full", "Shared mailbox", "Outlook", "Distribution list", "Delivery failure"],
    "Security": ["Phishing", "Malware", "Suspicious sign-in", "MFA", "Certificate"],
    "Printing": ["Printer offline", "Paper jam", "Driver", "Scan to email", "Toner"],
    "Account & Access": ["Password reset", "MFA", "Locked out", "Permissions", "Guest access"],
    "Phone": ["Handset", "Voicemail", "Call quality", "Number porting"],
    "Mobile device": ["Enrolment", "Email on phone", "Lost or stolen", "Replacement"],
    "Backup": ["Failed job", "Restore request", "Retention", "Capacity"],
    "Server": ["Disk space", "Reboot", "Performance", "Patch", "Virtual machine"],
    "Cloud": ["Microsoft 365", "Azure", "SharePoint", "OneDrive"],
    "Collaboration": ["Teams", "Zoom", "Meeting room", "Calendar"],
    "Web & Domain": ["Website down", "Domain renewal", "SSL certificate", "DNS record"],
    "Database": ["Slow query", "Access", "Backup", "Upgrade"],
    "Onboarding": ["New user", "New computer", "Access request"],
    "Offboarding": ["Disable account", "Collect equipment", "Mailbox handover"],
    "Project/Change": ["Change request", "Migration", "Office move", "Quote"],
    "Monitoring alert": ["CPU", "Disk", "Offline", "Backup alert", "Antivirus alert"],
    "Billing": ["Invoice question", "Contract", "Renewal"],
    "Procurement": ["Quote request", "Order status", "Return"],
    "Training": ["How-to question", "Session request", "Documentation"],
    "Compliance": ["Audit", "Data request", "Policy"],
    "Physical security": ["Camera", "Door access", "Alarm"],
    "Audio & Video": ["Projector", "Conference system", "Headset"],
    "Remote work": ["Remote desktop", "Home network", "Virtual desktop"],
    "Power": ["UPS", "Outage", "Cabling"],
    "Storage": ["File share", "Quota", "Restore file"],
    "Vendor": ["Escalation", "Warranty", "Third-party app"],
    "Facilities": ["Desk move", "Room booking", "Badge"],
    "Point of sale": ["Terminal", "Receipt printer", "Payment error"],
    "Internal": [],
    "Feature request": [],
}

CLIENTS = (
    "Contoso Dental",
    "Fabrikam Legal",
    "Adventure Works Cycles",
    "Litware Logistics",
    "Wingtip Toys",
    "Tailspin Aviation",
    "Woodgrove Credit Union",
    "Proseware Media",
)
PEOPLE = (
    ("Ada", "Miller"), ("Ben", "Okafor"), ("Chloe", "Nguyen"), ("David", "Rossi"), ("Elif", "Demir"),
    ("Frank", "Jansen"), ("Grace", "Lindqvist"), ("Hugo", "Moreau"), ("Ines", "Costa"), ("Jonas", "Weber"),
    ("Kira", "Petrov"), ("Liam", "Byrne"), ("Maya", "Shah"), ("Noah", "Fischer"), ("Olivia", "Grant"),
    ("Pavel", "Novak"),
)  # fmt: skip

API_USER_ID = 30691780
NEW, COMPLETE = 1, 5


def pick(value: int, label: str, sort: int, **more: Any) -> Row:
    return {
        "value": str(value), "label": label, "isDefaultValue": False, "sortOrder": sort,
        "parentValue": "", "isActive": True, "isSystem": False, **more,
    }  # fmt: skip


def _issue_values() -> tuple[list[Row], list[Row]]:
    types: list[Row] = []
    subs: list[Row] = []
    sub_id = 100
    for number, (name, names) in enumerate(TREE.items(), start=10):
        types.append(pick(number, name, number - 9))
        for order, sub in enumerate(names, start=1):
            subs.append(pick(sub_id, sub, order, parentValue=str(number)))
            sub_id += 1
    hardware, software, feature = "10", "11", str(10 + len(TREE) - 1)
    types.append(pick(90, "Fax", 90, isActive=False))
    subs += [
        pick(900, "Floppy drive", 90, parentValue=hardware, isActive=False),
        pick(901, "Laptop", 91, parentValue=hardware, isActive=False),
        pick(902, "Fax line", 1, parentValue="90"),
        pick(903, "Unsorted", 1, parentValue=""),
        pick(904, "Legacy system", 1, parentValue=None),
        pick(905, "Ghost", 1, parentValue="999"),
        pick(906, "Beta wish", 1, parentValue=feature, isActive=False),
        pick(907, "Crash or Error", 92, parentValue=software, isActive=False),
    ]
    return types, subs


ISSUE_TYPES, SUB_ISSUE_TYPES = _issue_values()
PRIORITIES = [
    pick(4, "Critical", 1),
    pick(1, "High", 2),
    pick(2, "Medium", 3, isDefaultValue=True),
    pick(3, "Low", 4),
    pick(6, "Someday", 5, isActive=False),
]
STATUSES = [
    pick(NEW, "New", 1, isSystem=True, isDefaultValue=True),
    pick(8, "In Progress", 2),
    pick(7, "Waiting Customer", 3),
    pick(12, "Waiting Vendor", 4),
    pick(10, "Escalated", 5),
    pick(14, "Parked", 6, isActive=False),
    pick(COMPLETE, "Complete", 9, isSystem=True),
]
QUEUES = [
    pick(29682833, "Service Desk", 1, isDefaultValue=True),
    pick(29682969, "Escalations", 2),
    pick(8, "Monitoring Alerts", 3),
    pick(29683354, "Projects", 4),
    pick(5, "Client Portal", 5, isSystem=True),
    pick(29683500, "Old queue", 6, isActive=False),
]
SOURCES = [
    pick(4, "Email", 1, isDefaultValue=True),
    pick(2, "Phone", 2),
    pick(-1, "Client Portal", 3),
    pick(8, "Monitoring Alert", 4),
]
TICKET_TYPES = [pick(1, "Service Request", 1, isDefaultValue=True), pick(2, "Incident", 2), pick(5, "Alert", 3)]
TICKET_CATEGORIES = [pick(3, "Standard", 1, isDefaultValue=True)]
PUBLISH = [
    pick(1, "All Autotask Users", 1, isSystem=True),
    pick(2, "Internal Users Only", 2, isSystem=True),
    pick(4, "Internal & Co-Managed Users", 3, isSystem=True),
]
NOTE_TYPES = [
    pick(1, "Task Summary", 1),
    pick(2, "Task Detail", 2),
    pick(3, "Task Notes", 3, isActive=False),
    pick(13, "RMM Note", 4, isSystem=True),
    pick(91, "Workflow Rule Note", 5, isSystem=True),
    pick(92, "Forward/Modify Note", 6, isSystem=True),
    pick(93, "Merged Into Ticket", 7, isSystem=True),
]
WEBHOOK_FIELDS = [
    pick(2, "Status", 1),
    pick(11, "Ticket Number", 2),
    pick(12, "Title", 3),
    pick(17, "Queue", 4),
    pick(21, "Completed Date", 5, isActive=False),
]

ROLES = {29683458: "Help Desk Engineer", 29683459: "Systems Engineer", 29683460: "Administration"}


def _resource(id_: int, first: str, last: str, user: str, **more: Any) -> Row:
    return {
        "id": id_, "firstName": first, "lastName": last, "userName": user, "isActive": True, "licenseType": 1,
        "userType": 1, "email": f"{first}.{last}@northwind-it.example".lower(), "defaultServiceDeskRoleID": None,
        **more,
    }  # fmt: skip


RESOURCES: dict[int, Row] = {
    row["id"]: row
    for row in (
        _resource(4, "Autotask", "Administrator", "admin", email="", licenseType=1),
        _resource(29682885, "Tara", "Quinn", "tquinn", defaultServiceDeskRoleID=29683458),
        _resource(29682886, "Sam", "Iyer", "siyer"),
        _resource(29682887, "Lena", "Hoff", "lhoff"),
        _resource(29682888, "Omar", "Haddad", "ohaddad"),
        _resource(29682889, "Nina", "Roleless", "nroleless"),
        _resource(29682890, "Paul", "Gone", "pgone", isActive=False, defaultServiceDeskRoleID=29683458),
        _resource(API_USER_ID, "PSA", "Bridge", "psa-bridge@northwind-it.example", licenseType=7, userType=17),
    )
}
SERVICE_DESK_ROLES: list[Row] = [
    {"id": 1, "resourceID": 29682885, "roleID": 29683458, "isActive": True, "isDefault": False},
    {"id": 2, "resourceID": 29682885, "roleID": 29683459, "isActive": True, "isDefault": False},
    {"id": 3, "resourceID": 29682886, "roleID": 29683458, "isActive": True, "isDefault": False},
    {"id": 4, "resourceID": 29682886, "roleID": 29683459, "isActive": True, "isDefault": True},
    {"id": 5, "resourceID": 29682888, "roleID": 29683460, "isActive": False, "isDefault": True},
    {"id": 6, "resourceID": 29682888, "roleID": 29683459, "isActive": True, "isDefault": False},
    {"id": 7, "resourceID": 29682890, "roleID": 29683458, "isActive": True, "isDefault": True},
]
# Lena works in one queue only and has no service desk role; 110 and 112 are pseudo roles.
RESOURCE_ROLES: list[Row] = [
    {"id": 1, "resourceID": 29682887, "roleID": 110, "isActive": True, "queueID": None, "departmentID": 1},
    {"id": 2, "resourceID": 29682887, "roleID": 29683459, "isActive": True, "queueID": 29682969},
    {"id": 3, "resourceID": 29682885, "roleID": 29683458, "isActive": True, "queueID": 29682833},
]

COMPANIES: dict[int, Row] = {
    0: {"id": 0, "companyName": "Northwind IT Services", "isActive": True},
    **{
        29683571 + n: {"id": 29683571 + n, "companyName": name, "isActive": True} for n, name in enumerate(CLIENTS)
    },
}
CONTACTS: dict[int, Row] = {
    30684000 + n: {
        "id": 30684000 + n,
        "companyID": 29683571 + n // 2,
        "firstName": first,
        "lastName": last,
        "emailAddress": f"{first}.{last}@{CLIENTS[n // 2].split()[0]}.example".lower(),
        "isActive": 1,
    }
    for n, (first, last) in enumerate(PEOPLE)
}

TICKET_LISTS = {
    "issueType": ISSUE_TYPES,
    "subIssueType": SUB_ISSUE_TYPES,
    "priority": PRIORITIES,
    "status": STATUSES,
    "queueID": QUEUES,
    "source": SOURCES,
    "ticketType": TICKET_TYPES,
    "ticketCategory": TICKET_CATEGORIES,
}
TICKET_FIELDS: tuple[str, ...] = (
    "id", "ticketNumber", "title", "description", "resolution", *TICKET_LISTS, "companyID", "companyLocationID",
    "contactID", "contractID", "billingCodeID", "assignedResourceID", "assignedResourceRoleID",
    "creatorResourceID", "createdByContactID", "creatorType", "createDate", "dueDateTime", "lastActivityDate",
    "lastTrackedModificationDateTime", "completedDate", "externalID", "rmmAlertID", "userDefinedFields",
)  # fmt: skip
NOTE_FIELDS: tuple[str, ...] = (
    "id", "ticketID", "title", "description", "noteType", "publish", "createDateTime", "lastActivityDate",
    "creatorResourceID", "createdByContactID", "impersonatorCreatorResourceID",
)  # fmt: skip
LENGTHS = {"title": 255, "description": 8000, "resolution": 32000, "externalID": 50}


def field_info(name: str, values: list[Row] | None, **more: Any) -> Row:
    return {
        "name": name, "dataType": "integer" if values is not None else "string", "length": LENGTHS.get(name, 0),
        "isRequired": False, "isReadOnly": False, "isQueryable": True, "isReference": False,
        "referenceEntityType": "", "isPickList": values is not None, "picklistValues": values,
        "picklistParentValueField": "", "isSupportedWebhookField": True, **more,
    }  # fmt: skip


def label_of(values: list[Row], value: object) -> str:
    return next((row["label"] for row in values if row["value"] == str(value)), "") if value is not None else ""


def value_of(values: list[Row], label: str, *, parent: object = None) -> int:
    """Return the id behind a label, active values first; KeyError where there is none."""
    found = [
        row
        for row in values
        if row["label"].casefold() == label.casefold() and (parent is None or row["parentValue"] == str(parent))
    ]
    if not found:
        raise KeyError(label)
    return int(min(found, key=lambda row: not row["isActive"])["value"])
