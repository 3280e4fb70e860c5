"""The colours and markers of segments, by their place in the order, on figures and pages alike.

The first six colours keep a contrast of 3:1 on white and stay apart for colour-blind readers; the
rest extend them for large k. Markers tell segments apart in grey print.
"""

COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#882255",
    "#332288", "#8C6D00", "#117733", "#AA4466", "#5B6C7D", "#6A51A3",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p")


def colour_and_marker(segment: int) -> tuple[str, str]:
    """Return the colour and the marker of a segment, numbered from 1."""
    place = segment - 1
    return COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
