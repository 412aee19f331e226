"""Tickets as customers write them, with how each must end. Used by the demo and by tests."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.simulator.world import PracticeTicket


@dataclass(frozen=True)
class Story:
    """One ticket and its ending. `status` is the run's, `contains` a word of the category or "" for none.

    `twist`: "" plain; "refused" the AI refuses; "redelivered" the webhook comes twice; "changed" a technician sets
    the category while the AI thinks. `raised` says that the priority must end higher than it began.
    """

    ticket: PracticeTicket
    status: str
    contains: str = ""
    note: str = ""
    twist: str = ""
    raised: bool = False


PLAIN: tuple[Story, ...] = (
    Story(
        PracticeTicket(
            "Laptop will not turn on",
            "Good morning, since the update last night my laptop stays black when I press the power button. "
            "I have a client meeting at eleven and all my files are on it. Could somebody have a look? Dana",
        ),
        "applied",
        "Hardware",
        "category set",
    ),
    Story(
        PracticeTicket(
            "STILL no VPN!!!",
            "This is the third time this week. Nobody in our office can connect to the VPN, all of us are "
            "standing still and I am tired of being told to reboot. Completely unacceptable. Fix this NOW or "
            "we will talk about the contract.",
        ),
        "applied",
        "VPN",
        "sentiment",
        raised=True,
    ),
    Story(
        PracticeTicket(
            "password",
            "hi, im locked out of my account again, can you reset my password pls. no rush, thx!",
        ),
        "applied",
        "Password",
        "category set",
    ),
)

SPECIAL: tuple[Story, ...] = (
    Story(
        PracticeTicket(
            "Friday lunch",
            "Hello, we would like to invite your team to our summer barbecue. Do you prefer vegetables or fish?",
        ),
        "applied",
        "",
        "none of the categories fits",
    ),
    Story(
        PracticeTicket(
            "Strange mail with attachment",
            "One of our staff opened an invoice.zip from an unknown sender and typed in the password. Now Outlook "
            "sends mails by itself. Is this phishing? Please check quickly.",
        ),
        "failed",
        "",
        "did not work",
        twist="refused",
    ),
    Story(
        PracticeTicket(
            "Printer offline in accounting",
            "The printer in accounting shows offline on all computers, we cannot print invoices. Restarting did "
            "not help. Regards, Miguel",
        ),
        "applied",
        "Print",
        "category set",
        twist="redelivered",
    ),
    Story(
        PracticeTicket(
            "Wi-Fi drops in the warehouse",
            "The handheld scanners lose the wireless connection every few minutes in hall 2. It got worse since "
            "Monday.",
        ),
        "applied",
        "",
        "meanwhile",
        twist="changed",
    ),
)
