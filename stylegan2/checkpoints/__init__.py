"""Files of weights: loads what users have, saves the project's own format, and runs no code of a file."""

from stylegan2.checkpoints.loading import convert, load
from stylegan2.checkpoints.native import save

__all__ = ["convert", "load", "save"]
