"""Label samples: draw seeds, score their images, and keep the table."""

from __future__ import annotations

from dataclasses import dataclass

from latentlab.batching import AnyBatch
from latentlab.mapping import check_class, check_truncation
from latentlab.pipelines.components import Components
from latentlab.places import Folder
from latentlab.precision import Precision, check_precision, settle
from latentlab.progress import Stage
from latentlab.samples import SampleSettings, SampleStore, SampleTable, draw_samples
from latentlab.samples.store import begun_precision
from latentlab.scorers import AnyThreshold, ThresholdLike, parse_threshold, threshold_of
from latentlab.scorers.threshold import Thresholds


@dataclass(frozen=True)
class LabelSettings:
    """Which samples are drawn.

    Attributes
    ----------
    samples
        Number of consecutive seeds.
    seed_start
        First seed.
    psi
        Truncation, above 0 up to 2.
    resolution
        Resolution of the images that are scored; None for the generator's own.
    threshold
        Score above which an image is positive: a number, 'median' or quantiles, one for all scores or one for each,
        see `latentlab.scorers.parse_threshold`; None for the scorer's own, which also holds for scores not named.
    class_label
        Class of a conditional generator, from 0; None for an unconditional one.
    precision
        Type that the images are rendered in: 'float32', 'bfloat16', or 'auto' for that of a table already begun, or
        else bfloat16 where the hardware is quick at it.
    """

    samples: int = 2000
    seed_start: int = 600
    psi: float = 0.7
    resolution: int | None = None
    threshold: ThresholdLike | None = None
    class_label: int | None = None
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        check_precision(self.precision)
        if self.threshold is not None:
            parse_threshold(self.threshold)  # refuses what cannot be read

    def for_components(self, components: Components, folder: Folder | None = None) -> SampleSettings:
        """The settings of the table that these networks make, or continue in a folder.

        Raises
        ------
        UserError
            If a setting is out of range, the generator has no such class, or the scorer does not take its images.
        """
        check_class(components.generator, self.class_label)
        check_truncation(components.generator, self.psi)
        components.check_images(scored=True)
        generator, scorer = components.generator, components.scorer
        begun = None if folder is None else begun_precision(folder)
        return SampleSettings(
            generator=generator.fingerprint,
            scorer=scorer.fingerprint,
            names=scorer.names,
            psi=self.psi,
            seed_start=self.seed_start,
            samples=self.samples,
            resolution=components.renderer(self.resolution).resolution,
            threshold=_threshold(self.threshold, threshold_of(scorer)),
            class_label=self.class_label,
            precision=settle(self.precision, components.device, begun),
        )


def _threshold(asked: ThresholdLike | None, own: AnyThreshold | None) -> AnyThreshold | None:
    """The threshold that is asked for, and the scorer's own for the scores that it leaves open."""
    if asked is None:
        return own
    chosen = parse_threshold(asked)
    if own is None or not isinstance(chosen, Thresholds) or chosen.default is not None:
        return chosen
    whole = own if isinstance(own, Thresholds) else Thresholds((), own)
    for name, threshold in chosen.by_name:
        whole = whole.updated(name, threshold)
    return whole


def label_samples(
    components: Components,
    settings: LabelSettings,
    folder: Folder,
    batch_size: AnyBatch = "auto",
    progress: bool | Stage = True,
) -> SampleTable:
    """Draw samples, score them, and keep the table in a folder of Parquet files; a stopped run resumes there.

    Parameters
    ----------
    components
        Networks; the generator and the scorer are used.
    settings
        Which samples are drawn.
    folder
        Folder of the table, or the address of one in an object store, see `latentlab.samples.SampleStore`.
    batch_size
        Images rendered at once, see `latentlab.batching`.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If a setting is out of range, or the folder has samples of other settings or networks.
    """
    chosen = settings.for_components(components, folder)
    store = SampleStore.open(folder, chosen)
    renderer = components.renderer(chosen.resolution, chosen.precision)
    return draw_samples(components.generator, components.scorer, store, renderer, batch_size, progress)
