"""Serve the page: to this machine alone unless something else is asked for, and without a word to anybody else."""

from __future__ import annotations

import hmac
import importlib.util
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from latentlab.errors import UserError
from latentlab.studio.visitors import MOST_TRANSLATOR_BYTES, Visitors

if TYPE_CHECKING:
    from latentlab.studio.page.common import Studio

LOCAL = ("127.0.0.1", "localhost", "::1")
_SILENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_OFFLINE": "1"}


@dataclass(frozen=True)
class StudioSettings:
    """How the page is served.

    Attributes
    ----------
    network, scorer, device
        Networks, see `latentlab.pipelines.Components.load`.
    folder
        Folder that keeps everything that visitors make.
    host, port
        Address. Anybody who reaches a host other than the local one can use the page.
    password
        Password that the page asks for, under any name; None for none.
    browser
        Whether to open the page in the browser.
    """

    network: str = "mobile-ffhq"
    scorer: str = "fer"
    device: str = "auto"
    folder: Path = Path("latentlab-studio")
    host: str = "127.0.0.1"
    port: int = 7860
    password: str | None = None
    browser: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.port <= 65535:
            raise UserError(f"a port is a number from 1 to 65535, not {self.port}")
        if self.password == "":
            raise UserError("the password is empty; give one of some characters")

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches the page."""
        return self.host in LOCAL


def check_gradio() -> None:
    """Refuse to go on without Gradio; UserError says what to install."""
    if importlib.util.find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install 'latentlab-gan[studio]'")


@contextmanager
def served(settings: StudioSettings | None = None) -> Iterator[str]:
    """Load the networks, and serve the page during a block, which is given its address.

    Raises
    ------
    UserError
        If Gradio is not installed, networks cannot be loaded, the folder cannot be written to, or the port is taken.
    """
    settings = StudioSettings() if settings is None else settings
    check_gradio()
    _check_place(settings)
    with TemporaryDirectory(prefix="latentlab-studio-", ignore_cleanup_errors=True) as cache, _environment(cache):
        studio = _studio(settings)
        page = _page(studio)
        try:
            yield _launched(page, settings)
        finally:
            studio.works.close()
            page.close(verbose=False)


@contextmanager
def _environment(cache: str) -> Iterator[None]:
    """Keep Gradio silent, and keep what is uploaded and shown in a folder that goes with the program."""
    before = dict(os.environ)
    os.environ.update(_SILENT, GRADIO_TEMP_DIR=cache)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _check_place(settings: StudioSettings) -> None:
    """Refuse a folder or an address that cannot be used, before any network is loaded."""
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder {settings.folder}: {error.strerror}") from error
    try:
        with socket.create_server((settings.host, settings.port), family=_family(settings.host)):
            pass
    except OSError as error:
        raise UserError(
            f"cannot serve at {settings.host}, port {settings.port}: {error.strerror or error}; choose another one "
            "with --port or --host"
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _studio(settings: StudioSettings) -> Studio:
    from latentlab.pipelines import Components
    from latentlab.studio.networks import Networks
    from latentlab.studio.page.common import Studio

    networks = Networks(Components.load(settings.network, settings.scorer, device=settings.device))
    networks.warm_up()
    return Studio(networks, Visitors(settings.folder.absolute()))


def _page(studio: Studio) -> Any:
    from latentlab.studio.page.app import build

    return build(studio)


def _launched(page: Any, settings: StudioSettings) -> str:
    """Serve the page, and return its address."""
    from latentlab.studio.page.look import CSS, THEME

    password = settings.password
    _, address, _ = page.launch(
        server_name=settings.host,
        server_port=settings.port,
        auth=None if password is None else lambda _, given: hmac.compare_digest(given.encode(), password.encode()),
        auth_message=None if password is None else "Any name, and the password of this studio.",
        # Gradio has one limit for all files; whoever takes one checks the limit of its kind.
        max_file_size=MOST_TRANSLATOR_BYTES,
        inbrowser=settings.browser,
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        prevent_thread_lock=True,
        quiet=True,
        footer_links=[],
        theme=THEME,
        css=CSS,
    )
    return str(address)
