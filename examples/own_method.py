"""
A method of one's own in the comparison
=======================================

A method is a class with a name, ``fit`` and ``apply``. This one adds the difference of the two domains' mean images, in
pixels instead of in W, and is compared with the direction of a support vector machine on the same held-out faces.
"""

from dataclasses import replace
from pathlib import Path

import latentlab as ll
from latentlab.comparison import Method, summary_lines, write_report
from latentlab.images import resize
from latentlab.scorers import load_attributes
from latentlab.tasks.edit_faces import PRESETS, PROJECTION, edit_methods, make_edit_task

FACES, HELD_OUT, STEPS = 40, 2, 20  # `latentlab compare edit` uses 160, 12 and 36
OUT = Path("own_method")

# %%
# The method
# ----------
# ``fit`` keeps what it has learnt in its folder, and finds it there again in a later run.


class PixelMean(Method):
    """Adds the mean of the target domain's images minus the mean of the source's."""

    name = "pixel-mean"

    def fit(self, task, folder, stage):
        """Learn one image."""
        path = folder / "difference.png"
        if not path.exists():
            ll.save_image((task.part("trainB").mean(dim=0) - task.part("trainA").mean(dim=0)) / 2, path)
        self.difference = 2 * ll.load_image(path)

    def apply(self, images):
        """Add it."""
        size = self.difference.shape[3]
        return (resize(images, size, size) + self.difference).clamp(-1, 1)


# %%
# The comparison
# --------------
# One classifier labels the faces to learn from, and another judges the results.

networks = ll.Components.load("mobile-ffhq", scorer="fer")
settings = replace(PRESETS["quick"], faces=FACES, held_out=HELD_OUT, projection_steps=STEPS)
task = make_edit_task(settings, networks, load_attributes(), OUT)
comparison = ll.compare(task, [*edit_methods(task, ["latent-svm"]), PixelMean()])
write_report(comparison, "python examples/own_method.py", excluded=[PROJECTION])
print("\n".join(summary_lines(comparison, excluded=[PROJECTION])))

# %%
# A few faces are not enough to name a winner. The report has tables and images; here is what the methods made of the
# held-out faces.

OUT / "grid.png"
