"""The practice world: servers that behave as the vendors' contracts say, on loopback only.

Imports nothing from the adapters and nothing from the bridge's core, so that a misreading of a contract
cannot hide in code that both sides share.
"""
