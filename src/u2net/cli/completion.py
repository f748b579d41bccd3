"""u2net completion: the script that lets a shell complete u2net's words."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion", epilog='Example: eval "$(u2net completion bash)"   (in ~/.bashrc)')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what lets a shell complete u2net's words; source it when the shell starts.

    \b
    bash   in ~/.bashrc:  eval "$(u2net completion bash)"
    zsh    in ~/.zshrc:   eval "$(u2net completion zsh)"    (after compinit)
    fish   once:          u2net completion fish > ~/.config/fish/completions/u2net.fish
    """
    made_for = get_completion_class(shell)
    assert made_for
    click.echo(made_for(ctx.find_root().command, {}, "u2net", "_U2NET_COMPLETE").source())
