"""The pictures of the documentation, and the list that they are taken by."""

import re

from environment import ROOT
from pictures import PICTURES

DOCS = ROOT / "docs"
MOST_BYTES = 2_500_000


def test_each_picture_is_there_and_shown_and_no_other():
    shown = re.findall(
        r"!\[.+\]\(images/(.+)\.png\)", (DOCS / "gallery.md").read_text()
    )
    there = [path.stem for path in (DOCS / "images").iterdir()]

    assert sorted(shown) == sorted(picture.name for picture in PICTURES)
    assert sorted(there) == sorted(shown)


def test_all_pictures_together_are_small():
    sizes = [path.stat().st_size for path in (DOCS / "images").iterdir()]

    assert sum(sizes) < MOST_BYTES
