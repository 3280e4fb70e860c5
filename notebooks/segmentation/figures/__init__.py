"""Figures of the notebooks: functions that draw on given axes and return them."""

from segmentation.figures.style import SegmentStyle, panels, segment_styles, use_style

__all__ = ["SegmentStyle", "panels", "segment_styles", "use_style"]
