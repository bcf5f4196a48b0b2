"""The commands, put together, and what becomes of an error."""

from __future__ import annotations

import sys

import click
import typer

from stylegan2 import CheckpointError
from stylegan2.memory import keep_freed_memory

from ..errors import UserError
from . import smile, steps, weights

app = typer.Typer(
    name="latentlab",
    help="Look into StyleGAN2's latent space, edit faces in it, and measure how well that did.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("smile")(smile.smile)
for step in (steps.generate, steps.label, steps.fit, steps.edit, steps.walk):
    app.command(step.__name__)(step)
app.add_typer(weights.app, name="weights")


def main() -> None:
    """Run the command line; the exit code is 2 for bad input, 130 after Ctrl-C."""
    keep_freed_memory()
    try:
        sys.exit(app(standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (UserError, CheckpointError) as error:
        print(f"latentlab: {error}", file=sys.stderr)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        print("\nlatentlab: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
