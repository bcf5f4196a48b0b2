"""Label samples: draw seeds, score their images, and keep the table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from latentlab.mapping import check_class
from latentlab.pipelines.components import Components
from latentlab.progress import Stage
from latentlab.rendering import Renderer
from latentlab.samples import SampleSettings, SampleStore, SampleTable, draw_samples
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
        see `latentlab.scorers.parse_threshold`; None for the scorer's own, which scores keep that are not named.
    class_label
        Class of a conditional generator, from 0; None for an unconditional one.
    """

    samples: int = 2000
    seed_start: int = 600
    psi: float = 0.7
    resolution: int | None = None
    threshold: ThresholdLike | None = None
    class_label: int | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None:
            parse_threshold(self.threshold)  # refuses what cannot be read

    def for_components(self, components: Components) -> SampleSettings:
        """The settings of the table that these networks give.

        Raises
        ------
        UserError
            If a setting is out of range, the generator has no such class, or the scorer does not take its images.
        """
        check_class(components.generator, self.class_label)
        components.check_images(scored=True)
        generator, scorer = components.generator, components.scorer
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
    folder: str | Path,
    batch_size: int = 4,
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
        Folder of the table, see `latentlab.samples.SampleStore`.
    batch_size
        Images rendered at once.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Raises
    ------
    UserError
        If a setting is out of range, or the folder has samples of other settings or networks.
    """
    chosen = settings.for_components(components)
    store = SampleStore.open(folder, chosen)
    renderer = Renderer(components.generator, chosen.resolution)
    return draw_samples(components.generator, components.scorer, store, renderer, batch_size, progress)
