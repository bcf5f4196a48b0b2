"""Settings of the documentation; `sphinx-build -W --keep-going -b html docs docs/_build/html` builds it."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]
os.environ["TQDM_DISABLE"] = "1"  # bars of the examples would fill the builder's terminal

import stylegan2  # noqa: E402

project = "latentlab"
author = "the latentlab authors"
copyright = author
release = stylegan2.__version__
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/sg_execution_times.rst"]
# Overloads are read as text, where `Generator` may be the network or the protocol; a link to either will do.
suppress_warnings = ["ref.python"]
default_role = "py:obj"  # in docstrings single backticks hold code, which becomes a link where it names something

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_member_order = "groupwise"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_theme = "furo"
html_title = f"latentlab {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_copy_source = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    # These take long, or a data set that nobody may fetch unasked: shown with an image of an earlier run, not executed.
    "filename_pattern": r"/(?!edges_to_face|facades|shapes_instagan|smile_cyclegan|smile_instagan|train_generator)"
    r"\w+\.py$",
    "within_subsection_order": "example_gallery.reading_order",
    "image_scrapers": ("example_gallery.shown_by_notebooks",),
    "reset_modules": (),
    "capture_repr": (),
    "abort_on_example_error": True,
    "notebook_images": True,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "parallel": 2,
    "default_thumb_file": str(HERE / "images" / "walk.jpg"),
}
