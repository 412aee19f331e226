"""What `make check` does besides ruff and mypy. Nothing of it is installed with the bridge."""
