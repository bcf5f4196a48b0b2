"""Videos: follow a face, find latents that move smoothly, tune once, edit with one strength, paste back, report."""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.pipelines.videos.job import edit_video
    from latentlab.pipelines.videos.report import ClipReport, VideoResult
    from latentlab.pipelines.videos.settings import VideoEditSettings

__all__ = ["ClipReport", "VideoEditSettings", "VideoResult", "edit_video"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "job": ("edit_video",),
            "report": ("ClipReport", "VideoResult"),
            "settings": ("VideoEditSettings",),
        },
    )
