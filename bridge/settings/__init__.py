"""Configuration: `config/bridge.yaml`, read with file, line and column, checked, merged with overrides."""
