"""Photographs: 74 free photographs of animals, buildings and landscapes, whole or as random crops."""

import csv
import warnings
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from course_utils.datasets import to_model_range
from course_utils.files import verified

SPLITS = ("train", "test")
# The long side of a photograph is resized to a random length in this range before cropping
SHORTEST, LONGEST = 256, 512
MEGAPIXELS = 40


def names(split: str | None = None) -> list[str]:
    """The names of all photographs, or of those of one split, "train" or "test", in alphabetical order.

    Raises ValueError for an unknown split, DataError when the table is missing or damaged.
    """
    if split is not None and split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}, or None for all; got {split!r}.")
    return [name for name, row in _table().items() if split in (None, row["split"])]


def info(name: str) -> dict:
    """The metadata of a photograph: title, author, licence, source, package, split, size, modifications.

    Raises ValueError with the nearest names when there is no such photograph.
    """
    table = _table()
    if name not in table:
        near = get_close_matches(str(name).lower().replace(" ", "_"), table, n=3, cutoff=0.5)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(
            f"there is no photograph {name!r}.{hint} photographs.names() lists all {len(table)}."
        )
    return dict(table[name])


def load(name: str) -> torch.Tensor:
    """Load a whole photograph as uint8 (3, H, W), with a long side of at most 512 pixels.

    Raises ValueError for an unknown name, DataError when the file is missing or damaged.
    """
    return _to_tensor(_photograph(name))


def square(name: str, size: int) -> torch.Tensor:
    """Load the central square crop of a photograph, downscaled with antialiasing, as uint8 (3, size, size).

    Raises ValueError for an unknown name or a size above the photograph's short side, DataError like `load`.
    """
    image = _photograph(name)
    side = min(image.size)
    if not 1 <= size <= side:
        raise ValueError(
            f"size must lie between 1 and {side}, the short side of photograph {name!r}; got {size}. "
            f"Photographs are only downscaled here."
        )
    left, top = (image.width - side) / 2, (image.height - side) / 2
    box = (left, top, left + side, top + side)
    return _to_tensor(image.resize((size, size), Image.Resampling.LANCZOS, box=box))


def opened(source: bytes | str | Path) -> torch.Tensor:
    """Read your own photograph from its bytes or path, as uint8 (3, H, W) with a short side of at most 512 pixels.

    Greyscale, palette and 16-bit images become 8-bit RGB, colours of another profile those of sRGB, transparency
    becomes white, and the EXIF orientation is applied. HEIC files need the package pillow-heif. Raises ValueError for a
    file that is damaged or not an image, and for one of more than 40 megapixels, before it is decoded.
    """
    heic = _is_heic(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if heic:
                _read_heic()
            with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as image:
                megapixels = image.width * image.height / 1e6
                opened_image = _upright(image) if megapixels <= MEGAPIXELS else None
    # A decoder may raise any exception on a damaged file
    except Exception as error:
        reason = "it is no image" if isinstance(error, UnidentifiedImageError) else str(error)
        if heic and not find_spec("pillow_heif"):
            reason = "it is a HEIC file, the format of iPhones, which needs the package pillow-heif"
        raise ValueError(f"this file cannot be read ({reason}). Give an intact JPEG, PNG or WebP file of at most "
                         f"{MEGAPIXELS} megapixels.") from error
    if opened_image is None:
        raise ValueError(f"this image has {megapixels:.0f} megapixels; at most {MEGAPIXELS} are read. Downscale it "
                         "first; a short side of 512 pixels is enough.")
    return _to_tensor(opened_image)


def _upright(image: Image.Image) -> Image.Image:
    """The image as RGB, with its EXIF orientation applied and a short side of at most 512 pixels."""
    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        grey = np.nan_to_num(np.asarray(image, np.float32))
        # PIL does not report the white level: take the smallest usual one that no pixel exceeds
        white = next(w for w in (1.0, 255.0, 65535.0, grey.max()) if grey.max() <= w)
        image = Image.fromarray((grey / white * 255).clip(0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = _to_srgb(image, profile).convert("RGB")
    scale = LONGEST / min(image.size)
    if scale < 1:
        image = image.resize([round(scale * side) for side in image.size], Image.Resampling.LANCZOS)
    return image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image with the colours that its profile means; as it is where it has none, or one that says nothing."""
    if not profile:
        return image
    try:
        theirs = ImageCms.ImageCmsProfile(BytesIO(profile))
        # A palette holds RGB, and so does what was made of transparency; the others keep the space of their profile
        space = theirs.profile.xcolor_space.strip()
        image = image if space in ("GRAY", "CMYK") and image.mode in ("L", "CMYK") else image.convert("RGB")
        return ImageCms.profileToProfile(image, theirs, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image


def _is_heic(source: bytes | str | Path) -> bool:
    """Whether the file says that it is in the format of iPhones."""
    try:
        start = source[:12] if isinstance(source, bytes) else Path(source).open("rb").read(12)
    except OSError:
        return False
    return start[4:8] == b"ftyp" and start[8:12] in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def _read_heic() -> None:
    """Let PIL read HEIC files, where pillow-heif is installed."""
    if find_spec("pillow_heif"):
        import_module("pillow_heif").register_heif_opener()


class PhotographCrops(Dataset):
    """Random square crops of the photographs of one split, randomly downscaled and flipped horizontally.

    split: "train" or "test". size: side of the crops in pixels. length: number of crops in the data set.
    Item i, float (3, size, size) in [-1, 1], depends only on `seed` and i, in every worker process.
    Raises ValueError for an unknown split, a size above the short side of a photograph, and a length below 1.
    """

    def __init__(self, split: str, size: int = 64, length: int = 10_000, seed: int = 0):
        rows = {name: info(name) for name in names(split)}
        largest = min(min(row["width"], row["height"]) for row in rows.values())
        if not 1 <= size <= largest:
            raise ValueError(
                f"size must lie between 1 and {largest}, the shortest side of all {split} photographs; "
                f"got {size}."
            )
        if length < 1:
            raise ValueError(f"length must be at least 1; got {length}.")
        self.size, self.length, self.seed = size, length, seed
        self._paths = [str(verified(f"photographs/{name}.webp")) for name in rows]

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> torch.Tensor:
        if not -self.length <= index < self.length:
            raise IndexError(f"there are {self.length} crops, numbered from 0; got {index}.")
        rng = np.random.default_rng((self.seed, index % self.length))
        image = _decode(self._paths[rng.integers(len(self._paths))])

        # Cropping a larger box and downscaling it equals downscaling first, and is faster
        long_side = rng.uniform(SHORTEST, LONGEST)
        side = min(max(self.size, self.size * max(image.size) / long_side), min(image.size))
        left, top = rng.uniform(0, image.width - side), rng.uniform(0, image.height - side)
        box = (left, top, left + side, top + side)
        crop = image.resize((self.size, self.size), Image.Resampling.LANCZOS, box=box)
        if rng.random() < 0.5:
            crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return to_model_range(_to_tensor(crop))


def _table() -> dict[str, dict]:
    return _read_table(str(verified("photographs/photographs.tsv")))


@lru_cache
def _read_table(path: str) -> dict[str, dict]:
    with open(path, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return {row["name"]: row | {"width": int(row["width"]), "height": int(row["height"])} for row in rows}


def _photograph(name: str) -> Image.Image:
    info(name)  # Raises a helpful ValueError for an unknown name
    return _decode(str(verified(f"photographs/{name}.webp")))


@lru_cache(maxsize=128)
def _decode(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def _to_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
