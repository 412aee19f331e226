"""`/setup`: from an empty installation to the first ticket, for the owner."""

from bridge.web.setup import account as account
from bridge.web.setup import steps as steps
from bridge.web.setup.frame import blueprint, is_due

__all__ = ["blueprint", "is_due"]
