"""Make the README's pictures, and the numbers beside them, from a full run on the embedded data.

python3 scripts/run.py            # the run
python3 scripts/make_gallery.py   # results/gallery/, and the gallery's part of README.md
"""

import sys

# In words that older Pythons understand, too.
if sys.version_info < (3, 11):
    sys.exit("This needs Python 3.11, 3.12 or 3.13; this is Python %d.%d." % sys.version_info[:2])

import argparse
import subprocess
from pathlib import Path

from runner import environment, errors

RESULTS = environment.ROOT / "results"
README = environment.ROOT / "README.md"


def main(script, arguments):
    """Make the gallery; return an exit code."""
    parser = argparse.ArgumentParser(description="Make the README's pictures from a full run.")
    parser.add_argument("--results", type=Path, help="a finished run, to be taken as it is")
    options = parser.parse_args(arguments)
    try:
        environment.enter(script, arguments)
        if options.results is None:
            options.results = RESULTS / "credit_card"
            done = subprocess.run([sys.executable, str(script.with_name("run.py"))])
            if done.returncode:
                return done.returncode
        from runner import gallery

        missing = gallery.make_gallery(options.results.resolve(), RESULTS / "gallery")
    except environment.UserError as error:
        print(error, file=sys.stderr)
        return errors.USER_ERROR
    for line in missing:
        print(line, file=sys.stderr)
    content = gallery.read_gallery(RESULTS / "gallery")
    text = gallery.insert(README.read_text("utf-8"), gallery.snippet(content, "results/gallery/"))
    README.write_text(text, encoding="utf-8", newline="\n")
    print(f"Gallery: {RESULTS / 'gallery'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(__file__), sys.argv[1:]))
