"""What the benchmark measures, and how."""

import runner  # noqa: F401  (puts notebooks/ on the path)
