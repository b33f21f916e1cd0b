"""What was displayed."""

import base64
import io

import pytest
from PIL import Image

from course_utils.show import figures


@pytest.fixture
def shown(monkeypatch):
    """What was displayed: a list of (data or object, metadata)."""
    seen = []
    monkeypatch.setattr(figures, "display", lambda what, metadata=None, raw=False: seen.append((what, metadata)))
    return seen


def picture_of(entry) -> Image.Image:
    data, metadata = entry
    (kind,) = [key for key in data if key.startswith("image/")]
    assert metadata[kind]["alt"]
    return Image.open(io.BytesIO(base64.b64decode(data[kind])))
