"""How the page looks: fonts of the system, and a picture that stays in sight on a narrow window."""

from __future__ import annotations

import gradio as gr

_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
_MONOSPACE = ("ui-monospace", "Consolas", "Menlo", "monospace")

THEME = gr.themes.Default(primary_hue="blue", font=_FONTS, font_mono=_MONOSPACE).set(
    button_primary_background_fill="*primary_600",
    button_primary_background_fill_hover="*primary_700",
    body_text_color_subdued="*neutral_600",
    block_label_text_color="*neutral_700",
    block_title_text_color="*neutral_700",
    block_info_text_color="*neutral_600",
)
"""Gradio's own with fonts of the system, for which nothing is fetched, and with colours that all eyes tell apart."""

CSS = """
.ll-picture { position: relative; margin: 0; aspect-ratio: 1; max-width: 512px; }
.ll-picture img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; border-radius: 8px; }
.ll-before { clip-path: inset(0 calc(100% - var(--ll-cut, 0%)) 0 0); }
.ll-status { margin: 0; min-height: 1.5em; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.ll-figures { display: grid; grid-template-columns: auto 1fr; gap: 0 1em; margin: 0; }
.ll-figures dt { opacity: 0.8; }
.ll-figures dd { margin: 0; font-variant-numeric: tabular-nums; }
.ll-report { width: 100%; height: 80vh; border: 0; background: white; }
#ll-looking { position: sticky; top: 0; align-self: flex-start; }
:focus-visible { outline: 3px solid var(--color-accent) !important; outline-offset: 2px; }
.gradio-container { overflow: clip !important; } /* not hidden, beside which nothing is sticky */
@media (max-width: 640px) {
  .ll-picture { max-width: min(60vw, 38vh); margin: 0 auto; }
  #ll-looking { display: contents; }
  #ll-looking > * { flex: 1 1 100%; }
  #ll-view { position: sticky; top: 0; z-index: 100; background: var(--body-background-fill); }
  .gradio-container { padding: 8px !important; }
}
"""

CUT = "share => { document.documentElement.style.setProperty('--ll-cut', share + '%'); }"
"""Shows as much of the original over the edited image, in per cent, without asking the server."""
