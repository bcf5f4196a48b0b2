"""Fetch a file from its published address, resuming broken downloads."""

from __future__ import annotations

import http.client
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from latentlab.errors import UserError
from latentlab.weights.archive import CHUNK
from latentlab.weights.registry import is_secure

TIMEOUT = 30.0  # seconds without a byte


class _SecureRedirects(HTTPRedirectHandler):
    """Follow redirects, but never to plain http."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        """Refuse a new address that is not secure."""
        if not is_secure(newurl):
            raise URLError(f"redirected to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def download(url: str, target: Path, label: str) -> None:
    """Download the file at `url` to `target`, with a progress bar.

    The bytes gather in `target` + '.part'. After an interruption the next call asks for the rest if the server
    says, by a strong ETag, that the file is still the one it was; otherwise it starts again.

    Raises
    ------
    UserError
        The download failed, with the reason.
    """
    part, tag = target.with_name(target.name + ".part"), target.with_name(target.name + ".etag")
    request = Request(url, headers={"User-Agent": "latentlab"})
    if part.exists() and tag.exists():
        request.add_header("Range", f"bytes={part.stat().st_size}-")
        request.add_header("If-Range", tag.read_text("utf-8"))
    with _errors_name(url):
        response = build_opener(_SecureRedirects).open(request, timeout=TIMEOUT)
    with response:
        _receive(url, response, part, tag, label)
    os.replace(part, target)
    tag.unlink(missing_ok=True)


@contextmanager
def _errors_name(url: str) -> Iterator[None]:
    """Turn a failure of the network, not one of the local disk, into a UserError that names the address."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:  # URLError and timeouts are OSErrors
        raise UserError(f"{url}: {error or type(error).__name__}") from error


def _receive(url: str, response: Any, part: Path, tag: Path, label: str) -> None:
    if response.headers.get_content_type() == "text/html":
        raise UserError(f"{url}: returned a web page, not a file")
    resumed = response.status == 206
    start = part.stat().st_size if resumed else 0
    length = response.headers.get("Content-Length")
    total = start + int(length) if length is not None else None
    etag = response.headers.get("ETag", "")
    if etag.startswith('"'):  # W/"…" promises only the same meaning, not the same bytes
        tag.write_text(etag, "utf-8")
    else:
        tag.unlink(missing_ok=True)
    from tqdm import tqdm

    received = start
    with (
        open(part, "ab" if resumed else "wb") as out,
        tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=label) as bar,
    ):
        while True:
            with _errors_name(url):
                chunk = response.read(CHUNK)
            if not chunk:
                break
            out.write(chunk)
            received += len(chunk)
            bar.update(len(chunk))
    if total is not None and received != total:
        raise UserError(f"{url}: ended after {received} of {total} bytes; run this again to resume")
