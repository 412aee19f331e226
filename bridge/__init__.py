"""The PSA AI bridge: tickets in, a decision, one write and one internal note out."""

__version__ = "0.1.0"
