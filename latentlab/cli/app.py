"""The commands, put together."""

from __future__ import annotations

import typer

from stylegan2.memory import keep_freed_memory

from . import smile, steps, weights
from .errors import told

app = typer.Typer(
    name="latentlab",
    help="Look into StyleGAN2's latent space, edit faces in it, and measure how well that did.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (smile.smile, steps.generate, steps.label, steps.fit, steps.edit, steps.walk):
    app.command(command.__name__)(told(command))
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command line; the exit code is 2 for bad input, 130 after Ctrl-C."""
    keep_freed_memory()
    app()
