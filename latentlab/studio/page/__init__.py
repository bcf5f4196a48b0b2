"""The page as Gradio draws it: one module per tab. Only these modules import Gradio."""
