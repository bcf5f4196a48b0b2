"""The page, put together."""

from __future__ import annotations

from typing import Any

import gradio as gr

from latentlab.studio.page.common import Studio
from latentlab.studio.page.compare import CompareTab
from latentlab.studio.page.drag import DragTab
from latentlab.studio.page.edit import EditTab
from latentlab.studio.page.learn import LearnTab
from latentlab.studio.page.look import NAMES
from latentlab.studio.page.photo import PhotoTab
from latentlab.studio.page.sample import SampleTab
from latentlab.studio.page.translate import TranslateTab
from latentlab.studio.session import Session
from latentlab.studio.visitors import is_token, new_token

_STORE = "latentlab-studio"


def build(studio: Studio) -> gr.Blocks:
    """Build the page of a studio; `latentlab.studio.serving` serves it."""
    with gr.Blocks(analytics_enabled=False, title="latentlab studio", delete_cache=(600, 3600)) as page:
        session = gr.State(Session())
        # With a fixed secret, a page that is loaded after a restart of the program finds its visitor again.
        token = gr.BrowserState("", storage_key=_STORE, secret=_STORE)
        gr.Markdown("# latentlab studio")
        with gr.Tabs(selected="sample") as tabs:
            with gr.Tab("Sample", id="sample"):
                sample = SampleTab(studio)
            with gr.Tab("Edit", id="edit"):
                edit = EditTab(studio, session, token)
            with gr.Tab("Photo", id="photo"):
                photo = PhotoTab(studio, session, token)
            with gr.Tab("Drag", id="drag") as dragging:
                drag = DragTab(studio, session, token)
            with gr.Tab("Learn", id="learn"):
                learn = LearnTab(studio, session, token)
            with gr.Tab("Translate", id="translate"):
                translate = TranslateTab(studio, token)
            with gr.Tab("Compare", id="compare"):
                compare = CompareTab()
        _identify(page, token)
        _edit_after(edit, tabs, sample.connect(page, session), photo.connect(page), *drag.connect(page, dragging))
        edit.connect(page)
        for event in learn.connect(page):
            edit.after(event)
        translate.connect(page)
        compare.connect()

        def closed(request: gr.Request) -> None:
            """Nobody waits for the work of a page that was closed; what it finished is kept."""
            studio.works.cancel(str(request.session_hash))

        page.unload(closed)
        page.load(None, js=NAMES, api_visibility="private")
    return page


def _identify(page: gr.Blocks, token: gr.BrowserState) -> None:
    """Give a new visitor a token; one who comes back already has it."""
    page.load(
        lambda known: known if is_token(known) else new_token(),
        token,
        token,
        show_progress="hidden",
        api_visibility="private",
    )


def _edit_after(edit: EditTab, tabs: gr.Tabs, *events: Any) -> None:
    """Go to the tab Edit after events that gave the session a face."""
    for event in events:
        turned = event.success(
            lambda: gr.Tabs(selected="edit"), None, tabs, show_progress="hidden", api_visibility="private"
        )
        edit.after(turned)
