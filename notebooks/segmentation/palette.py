"""The colours and markers of segments, by their place in the order, on figures and pages alike.

The first six colours keep a contrast of 3:1 on white and stay apart for colour-blind readers; the
rest extend them for large k. Markers tell segments apart in grey print.
"""

from typing import NamedTuple

COLOURS = tuple(
    "#0072B2 #D55E00 #009E73 #CC79A7 #000000 #882255"
    " #332288 #8C6D00 #117733 #AA4466 #5B6C7D #6A51A3".split()
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p")


class SegmentStyle(NamedTuple):
    """How one segment is drawn in every figure of every notebook."""

    colour: str
    marker: str


def segment_style(segment: int) -> SegmentStyle:
    """Return the style of a segment, numbered from 1."""
    place = segment - 1
    return SegmentStyle(COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)])


def luminance(colour: str) -> float:
    """Return the relative luminance of WCAG 2.2 of a colour in six hexadecimal digits."""
    channels = (value / 255 for value in bytes.fromhex(colour[1:]))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
