"""`python -m bridge.cli`, the same as `psa-bridge`."""

from bridge.cli import main

main()
