"""Reports of comparisons, shown in a frame where nothing runs and nothing is fetched."""

from __future__ import annotations

import html
from pathlib import Path

from latentlab.errors import UserError
from latentlab.files import read_text
from latentlab.studio.visitors import check_size

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def report_frame(upload: str | Path) -> str:
    """A visitor's `report.html` as a frame: without scripts, and cut off from every other address.

    Raises
    ------
    UserError
        If the file is too large, or is not a report; the message names it, not its folder.
    """
    path = Path(upload)
    check_size(path)
    try:
        text = read_text(path)
    except UserError as error:
        raise UserError(str(error).replace(str(path), path.name)) from error
    if not text.lower().startswith("<!doctype html>") or "<h1>" not in text:
        raise UserError(f"{path.name} is no report: `latentlab compare` writes report.html into its folder")
    # The first policy of a document holds, whatever it says later on.
    guarded = f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{_POLICY}">{text}'
    return (
        f'<iframe class="ll-report" title="{html.escape(path.name)}" sandbox srcdoc="{html.escape(guarded)}"></iframe>'
    )
