"""`queuectl completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from queuectl.cli.command import command


@command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """\b
    Examples:
      queuectl completion bash > ~/.local/share/bash-completion/completions/queuectl
      queuectl completion fish > ~/.config/fish/completions/queuectl.fish
      queuectl completion zsh > "${fpath[1]}/_queuectl"

    Print the script that completes commands and options in your shell.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"this Click has no completion for {shell}", context)
    click.echo(kind(context.find_root().command, {}, "queuectl", "_QUEUECTL_COMPLETE").source())
