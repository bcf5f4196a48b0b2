"""Training of generators: StyleGAN2's method, with adaptive augmentation, and the growing of its forerunners.

Everything but the data and where a training run is kept, in plain torch: `latentlab.generators` reads images, runs the
loop on any number of processes, and keeps its state.

>>> from stylegan2.training import GANTraining, presets
>>> preset = presets.tiny(32, images=100_000)
>>> training = GANTraining(*preset.networks(), preset.settings)
>>> losses = training.take_step(images)
"""

from stylegan2.training import presets
from stylegan2.training.processes import OneProcess, Processes
from stylegan2.training.settings import Growth, TrainingSettings
from stylegan2.training.step import GANTraining

__all__ = ["GANTraining", "Growth", "OneProcess", "Processes", "TrainingSettings", "presets"]
