"""What all tabs share: the studio behind the page, errors as messages, pictures as HTML."""

from __future__ import annotations

import base64
import functools
import html
import inspect
import io
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import gradio as gr
from torch import Tensor

from latentlab.errors import UserError
from latentlab.images import to_pil
from latentlab.studio.networks import Networks
from latentlab.studio.visitors import Visitors
from latentlab.studio.working import Cancelled, Works
from stylegan2.describing import printable
from stylegan2.errors import CheckpointError

LONG = {"concurrency_id": "long", "concurrency_limit": 30}
"""Events of long work wait for each other in `Works`, which tells them so, and not in Gradio's queue, which does not.

Each that waits there has one of Gradio's 40 threads; the others are left to what is quick.
"""
QUICK = {"concurrency_id": "quick", "concurrency_limit": 2, "show_progress": "hidden"}
"""Events whose answer is awaited while a slider moves."""

_SECONDS = 15  # that a message stays


@dataclass(frozen=True)
class Studio:
    """What stands behind the page.

    Attributes
    ----------
    networks, visitors, works
        The networks, the folders of visitors, and the work that they wait for.
    """

    networks: Networks
    visitors: Visitors
    works: Works = field(default_factory=Works)


def told(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Show what a handler raises about bad input as a message on the page."""
    if inspect.isgeneratorfunction(handler):

        @functools.wraps(handler)
        def steps(*arguments: Any) -> Any:
            try:
                yield from handler(*arguments)
            except (UserError, CheckpointError, Cancelled) as error:
                raise _message(error) from error

        return steps

    @functools.wraps(handler)
    def once(*arguments: Any) -> Any:
        try:
            return handler(*arguments)
        except (UserError, CheckpointError, Cancelled) as error:
            raise _message(error) from error

    return once


def _message(error: Exception) -> gr.Error:
    if isinstance(error, Cancelled):
        return gr.Error("Cancelled.", duration=_SECONDS, title="Stopped", print_exception=False)
    text = html.escape(printable(" ".join(str(error).split())))
    return gr.Error(text, duration=_SECONDS, title="That did not work", print_exception=False)


def offered(files: Sequence[Path]) -> list[str]:
    """Copies of files that the page may offer: it serves no other folder than its own."""
    folder = Path(mkdtemp(dir=os.environ["GRADIO_TEMP_DIR"]))
    return [str(shutil.copyfile(path, folder / path.name)) for path in files]


def data_uri(image: Tensor, quality: int = 90) -> str:
    """An image `(1, 3, h, w)` as an address that holds it: no file is written, and nothing is fetched."""
    jpeg = io.BytesIO()
    to_pil(image).save(jpeg, "JPEG", quality=quality)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()


def picture(image: Tensor, alt: str) -> str:
    """An image as HTML, with what it shows in words."""
    return f'<figure class="ll-picture"><img src="{data_uri(image)}" alt="{html.escape(alt)}"></figure>'


def pair(after: Tensor, before: Tensor, alt: str) -> str:
    """An edited image as HTML, with the original over it, of which a slider shows more or less."""
    return (
        f'<figure class="ll-picture"><img src="{data_uri(after)}" alt="{html.escape(alt)}">'
        f'<img class="ll-before" src="{data_uri(before)}" alt=""></figure>'
    )


def status(text: str) -> str:
    """A line that screen readers announce when it changes."""
    return f'<p class="ll-status" role="status">{html.escape(text)}</p>'
