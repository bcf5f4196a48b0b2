"""Work on many processes and machines, with Ray. Functions and commands that work on many items give, within

>>> with latentlab.cluster(workers=4):
...     table = latentlab.sample(components, settings, "samples")

what they give without it, to the bit. Needs the package ray, `pip install 'latentlab-gan[cluster]'`.
"""

from latentlab.distributed.clusters import cluster

__all__ = ["cluster"]
