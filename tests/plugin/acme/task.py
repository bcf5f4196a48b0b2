"""A task for comparisons: invert the colours of plain images."""

from dataclasses import dataclass, field

from latentlab.comparison import TaskDefinition


@dataclass(frozen=True)
class InvertSettings:
    """Settings; each field with a help is an option."""

    size: int = field(default=16, metadata={"help": "Resolution of the images."})
    held_out: int = field(default=4, metadata={"help": "Images to be judged on.", "min": 2})


def make_task(settings, inputs, job):
    """Return the task: colours of one seed, and their opposites."""
    import torch

    from latentlab.comparison import Measure

    class InvertTask:
        title = "Inverting colours"
        limits = "Plain images."
        folder, size, device = job.folder, settings.size, torch.device("cpu")
        names = [f"{k:02d}" for k in range(settings.held_out)]
        training_key, held_out_key = {}, {"held_out": settings.held_out}
        measures = (Measure("l1", "L1 to the truth", "less"),)
        images = torch.rand(settings.held_out, 3, 1, 1, generator=torch.Generator().manual_seed(0)).mul(2).sub(1)
        images = images.expand(-1, -1, settings.size, settings.size).contiguous()

        def inputs(self):
            return self.images

        def shown(self):
            return self.images

        def truth(self):
            return -self.images

        def measure(self, made):
            return {"l1": (made + self.images).abs().mean(dim=(1, 2, 3)).double().numpy()}

        def measure_set(self, made):
            return {}

    return InvertTask()


def build_methods(task, names):
    """Return the methods of those names."""
    from latentlab.comparison import Method

    class Keep(Method):
        name = "keep"

        def fit(self, task, folder, stage):
            pass

        def apply(self, images):
            return images

    class Invert(Keep):
        name = "invert"

        def apply(self, images):
            return -images

    return [{"keep": Keep, "invert": Invert}[name]() for name in names]


INVERT = TaskDefinition(
    "Invert the colours of plain images.",
    presets={"quick": InvertSettings()},
    methods=("invert", "keep"),
    make=make_task,
    build_methods=build_methods,
    baselines=("keep",),
)
