"""How the page looks, and what screen readers call its fields; in a narrow window a picture stays in sight."""

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
"""Gradio's own with system fonts, for which nothing is fetched, and with colours that all eyes can tell apart."""

CSS = """
.ll-picture { position: relative; margin: 0; aspect-ratio: 1; max-width: 512px; }
.ll-picture img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; border-radius: 8px; }
.ll-before { clip-path: inset(0 calc(100% - var(--ll-cut, 0%)) 0 0); }
.ll-status { margin: 0; min-height: 1.5em; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.ll-figures { display: grid; grid-template-columns: auto 1fr; gap: 0 1em; margin: 0; }
.ll-figures dt { opacity: 0.8; }
.ll-figures dd { margin: 0; font-variant-numeric: tabular-nums; }
.ll-report { width: 100%; height: 80vh; border: 0; background: white; }
.ll-table table, .ll-table th, .ll-table td { border-color: var(--border-color-primary) !important; }
.ll-table th, .ll-table td:first-child { overflow-wrap: normal; word-break: normal; }
.ll-table td { overflow-wrap: anywhere; }
#ll-card thead { display: none; } /* of a table without headings */
#ll-grid .grid-wrap { max-height: none; overflow: visible; }
#ll-looking { position: sticky; top: 0; align-self: flex-start; }
input[type=range]::-webkit-slider-thumb { background-color: var(--color-accent); } /* white on white otherwise */
input[type=range]::-moz-range-thumb { background-color: var(--color-accent); }
html:has(body[class~="dark"]) { color-scheme: dark; } /* scroll bars */
body:not([class~="dark"]) .cm-line span { filter: brightness(0.55); } /* colours for black, on white */
:focus-visible { outline: 3px solid var(--color-accent) !important; outline-offset: 2px; }
.gradio-container { overflow: clip !important; } /* not hidden, beside which nothing is sticky */
@media (max-width: 640px) {
  .ll-picture { max-width: min(60vw, 38vh); margin: 0 auto; }
  #ll-looking { display: contents; }
  #ll-looking > * { flex: 1 1 100%; }
  #ll-view { position: sticky; top: 0; z-index: 100; background: var(--body-background-fill); }
  #ll-grid .grid-container { grid-template-columns: repeat(2, 1fr); }
  .gradio-container { padding: 8px !important; }
}
"""

CUT = "share => { document.documentElement.style.setProperty('--ll-cut', share + '%'); }"
"""Shows a share of the original, in per cent, over the edited image, without asking the server."""

NAMES = """() => {
  const name = (one, text) => { if (one.getAttribute('aria-label') !== text) one.setAttribute('aria-label', text); };
  const all = () => {
    for (const one of document.querySelectorAll('button.upload-container')) {
      const label = one.closest('.block')?.querySelector('[data-testid=block-label]');
      if (label) name(one, `${label.textContent.trim()}: choose or drop files`);
    }
    for (const image of document.querySelectorAll('button.thumbnail-item img[alt]:not([alt=""])'))
      name(image.closest('button'), image.alt);
    for (const one of document.querySelectorAll('a.download-link[download]')) name(one, `download ${one.download}`);
  };
  new MutationObserver(all).observe(document.body, {subtree: true, childList: true, attributeFilter: ['alt']});
  all();
}"""
"""Names fields for files, links to files and faces of a gallery by what they are, which Gradio's names do not say."""
