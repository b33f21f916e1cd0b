"""A photograph of one's own: every kind of file opens or is a sentence."""

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from course_utils.datasets.photographs import opened


def file(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def ramp(width: int = 60, height: int = 40) -> Image.Image:
    return Image.fromarray(np.tile(np.linspace(0, 255, width).astype(np.uint8), (height, 1)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F"])
def test_every_mode_opens(mode):
    image = ramp()
    if mode in ("I", "I;16", "F"):
        values = np.asarray(image).astype(np.int32) * (1 if mode == "F" else 257)
        image = Image.fromarray(values.astype({"I": np.int32, "I;16": np.uint16, "F": np.float32}[mode]))
    else:
        image = image.convert("RGB").convert(mode)
    picture = opened(file(image, "TIFF" if mode in ("CMYK", "YCbCr", "I", "F") else "PNG"))
    assert picture.shape == (3, 40, 60) and picture.dtype == torch.uint8
    columns = picture.float().mean((0, 1))
    assert columns[:10].mean() < 40 and columns[-10:].mean() > 210


def test_what_is_transparent_becomes_white():
    image = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 4, 8))
    picture = opened(file(image))
    assert picture[:, 0, 0].tolist() == [0, 0, 255] and picture[:, 0, 7].tolist() == [255, 255, 255]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 90, 90, 90])
    assert opened(file(palette, transparency=1)).unique().tolist() == [255]


def test_a_rotated_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees to the right
    path = tmp_path / "photo.jpg"
    path.write_bytes(file(ramp(), "JPEG", exif=exif))
    picture = opened(path).float()
    assert picture.shape == (3, 60, 40) and picture[:, 0].mean() < 20 and picture[:, -1].mean() > 230


@pytest.mark.parametrize("size,wanted", [((2000, 1000), (512, 1024)), ((30, 3000), (3000, 30)), ((1, 1), (1, 1)),
                                         ((1080, 2400), (1138, 512)), ((512, 100), (100, 512))])
def test_the_short_side_is_at_most_512(size, wanted):
    assert opened(file(Image.new("RGB", size, "red"))).shape == (3, *wanted)


def test_too_many_pixels_are_a_sentence_before_they_are_decoded(monkeypatch):
    data, bomb = (bytearray(file(Image.new("1", size))) for size in ((8000, 6000), (8, 8)))
    monkeypatch.setattr(Image.Image, "load", None)
    with pytest.raises(ValueError, match="has 48 megapixels; at most 40 are read. Downscale it"):
        opened(bytes(data))
    # A header that claims far more than PIL itself would open
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(ValueError, match="cannot be read .* at most 40 megapixels"):
        opened(bytes(bomb))


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n", b"GIF89a\0\0\0\0", b"\xff\xd8\xff\xe0" * 9])
def test_what_is_no_picture_is_a_sentence(data, tmp_path):
    with pytest.raises(ValueError, match="this file cannot be read .* intact JPEG, PNG or WebP"):
        opened(data)
    with pytest.raises(ValueError, match="cannot be read"):
        opened(tmp_path / "missing.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_a_cut_or_spoilt_file_never_crashes(kind):
    whole, draws = file(ramp(200, 150).convert("RGB"), kind), np.random.default_rng(0)
    for end in (len(whole) // 3, len(whole) // 2):
        with pytest.raises(ValueError, match="cannot be read"):
            opened(whole[:end])
    for _ in range(40):
        spoilt = bytearray(whole)
        for place in draws.integers(0, len(whole), 4):
            spoilt[place] = draws.integers(256)
        try:
            assert opened(bytes(spoilt)).dtype == torch.uint8
        except ValueError as error:
            assert "cannot be read" in str(error) or "megapixels" in str(error)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_of_another_profile_become_those_of_srgb(mode):
    """A profile that exchanges red and green says so about every pixel; without it they would stay as they are."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red, green = srgb.index(b"rXYZ") + 4, srgb.index(b"gXYZ") + 4
    swapped = bytearray(srgb)
    swapped[red : red + 8], swapped[green : green + 8] = srgb[green : green + 8], srgb[red : red + 8]
    image = Image.new("RGB", (4, 4), (255, 0, 0)).convert(mode)
    assert opened(file(image))[:, 0, 0].tolist() == [255, 0, 0]
    assert opened(file(image, icc_profile=srgb))[:, 0, 0].tolist() == [255, 0, 0]
    assert opened(file(image, icc_profile=bytes(swapped)))[:, 0, 0].tolist() == [0, 255, 0]
    assert opened(file(image, icc_profile=b"no profile"))[:, 0, 0].tolist() == [255, 0, 0]


def test_a_heic_file_is_named_and_no_object_is(tmp_path):
    heic = b"\0\0\0\x18ftypheic" + bytes(40)
    (tmp_path / "a.heic").write_bytes(heic)
    for source in (heic, tmp_path / "a.heic"):
        with pytest.raises(ValueError, match="it is a HEIC file, the format of iPhones, which needs .* pillow-heif"):
            opened(source)
    with pytest.raises(ValueError, match="cannot be read .it is no image.") as found:
        opened(b"no picture")
    assert "BytesIO" not in str(found.value)
