"""Distil directions into an editor that makes their edits in one pass."""

from __future__ import annotations

from latentlab.pipelines.distilling.strips import StripSettings, Taught, make_strips

__all__ = ["StripSettings", "Taught", "make_strips"]
