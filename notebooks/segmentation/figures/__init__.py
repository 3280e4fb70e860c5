"""Figures of the notebooks: functions that draw on given axes, or make a figure.

Beside each plot stands the function that puts its alternative text together from the numbers,
named after the plot with ``_text``.
"""

from segmentation.figures.style import (
    most_telling,
    over_k,
    panels,
    segment_legend,
    segment_styles,
    use_style,
)

__all__ = ["most_telling", "over_k", "panels", "segment_legend", "segment_styles", "use_style"]
