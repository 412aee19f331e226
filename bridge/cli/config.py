"""`psa-bridge config`: the format of the configuration file."""

from __future__ import annotations

import click


@click.group()
def config() -> None:
    """Work with the configuration file's format."""


@config.command()
def schema() -> None:
    """Print the JSON Schema of bridge.yaml, by which editors complete and check it."""
    from bridge.app import config_schema

    click.echo(config_schema(), nl=False)
