"""`latentlab studio`: the page in the browser."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Annotated

import typer

from latentlab.cli import options

_PASSWORD = "LATENTLAB_STUDIO_PASSWORD"


def studio(
    network: options.Network = "mobile-ffhq",
    scorer: options.ScorerName = "fer",
    out: Annotated[Path, typer.Option(help="Folder that keeps everything made on the page.")] = Path(
        "latentlab-studio"
    ),
    host: Annotated[
        str, typer.Option(help="Address to serve at; 0.0.0.0 lets in everybody who reaches this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve at.")] = 7860,
    password: Annotated[
        bool,
        typer.Option(
            "--password",
            help=f"Prompt for a password, which the page then asks for; the environment variable {_PASSWORD} gives one "
            "without a prompt.",
        ),
    ] = False,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    device: options.Device = "auto",
) -> None:
    """Open a page in the browser: sample faces, edit them with sliders, project photos, learn directions.

    It needs the package gradio. Nothing leaves this machine; Ctrl-C ends it.
    """
    from latentlab.studio.serving import StudioSettings, check_gradio, served

    check_gradio()
    options.check_folder(out)
    secret = os.environ.get(_PASSWORD)
    if password and secret is None:
        secret = typer.prompt("Password of the page", hide_input=True)
    settings = StudioSettings(network, scorer, device, out, host, port, secret, browser)
    if not settings.is_local:
        who = "everybody who reaches it" + (" and knows the password" if secret is not None else "")
        print(f"warning: {host} is not this machine alone: {who} can use the page and load files into it", flush=True)
    print("loading the networks …", flush=True)
    with served(settings) as address:
        print(f"the studio is at {address} (Ctrl-C ends it)", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"\nwhat was made is in {out}")
