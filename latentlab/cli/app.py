"""The commands, put together."""

from __future__ import annotations

import sys
from typing import Any

import typer

from latentlab.cli import compare, faces, photos, scorer, smile, steps, translate, weights
from latentlab.cli.errors import one_line, told
from stylegan2.memory import keep_freed_memory

app = typer.Typer(
    name="latentlab",
    help="Look into StyleGAN2's latent space, edit faces in it, and measure how well that did.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    smile.smile,
    steps.generate,
    steps.label,
    steps.fit,
    steps.edit,
    steps.walk,
    faces.align,
    photos.project,
    compare.compare,
):
    app.command(command.__name__)(told(command))
app.add_typer(weights.app, name="weights")
app.add_typer(translate.app, name="translate")
app.add_typer(scorer.app, name="scorer")


# A command line that cannot be parsed. Of click's family of errors (newer versions of typer hold their own
# copy of it) only this one's child has a public name.
_UsageError: Any = typer.BadParameter.__mro__[1]


def main() -> None:
    """Run the command line; the exit code is 2 for bad input, 130 after Ctrl-C."""
    keep_freed_memory()
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except _UsageError as error:
        print(f"latentlab: {one_line(error.format_message())} (see --help)", file=sys.stderr)
        sys.exit(error.exit_code)
