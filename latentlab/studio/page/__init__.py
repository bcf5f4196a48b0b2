"""The page as Gradio draws it: a module a tab. Only these modules import Gradio."""
