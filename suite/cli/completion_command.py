"""`bench completion`: prints the line that enables shell completion."""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the line that enables completion: eval "$(bench completion bash)"."""
    if shell == "fish":
        print("_BENCH_COMPLETE=fish_source bench | source")
    else:
        print(f'eval "$(_BENCH_COMPLETE={shell}_source bench)"')
