"""Build data/garments from the Debian package of Fashion-MNIST. Run: python data/build/garments.py"""

import gzip
import os
from pathlib import Path

import numpy as np
import packages
import sums
from PIL import Image, ImageDraw, ImageFont

FOLDER = Path(__file__).resolve().parents[1] / "garments"
PACKAGE = "dataset-fashion-mnist=0.0~git20200523.55506a9-1"
CLASSES = [
    "t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
]  # fmt: skip
SEED = 20200523


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of bytes, the format of MNIST: a short header, then the array."""
    raw = gzip.decompress(path.read_bytes())
    if raw[:3] != b"\0\0\x08":
        raise SystemExit(f"{path.name} is not an IDX file of bytes; has the Debian package changed?")
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", count=dimensions, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_part(source: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Read images (N, 28, 28) and labels (N,) of one part of Fashion-MNIST, "train" or "t10k"."""
    images = read_idx(source / f"{part}-images-idx3-ubyte.gz")
    labels = read_idx(source / f"{part}-labels-idx1-ubyte.gz")
    return images, labels


def choose(images, labels, per_class: int, rng):
    """Choose `per_class` images of each class at random, and shuffle them."""
    picks = [rng.permutation(np.flatnonzero(labels == label))[:per_class] for label in range(len(CLASSES))]
    order = rng.permutation(np.concatenate(picks))
    return images[order], labels[order]


def preview(images, labels, columns: int = 12, scale: int = 3) -> Image.Image:
    """Draw the first images of each class in a row with its name, magnified `scale` times."""
    side, gap, left, top = 28 * scale, 6, 132, 78
    width = left + columns * (side + gap) + 18
    sheet = Image.new("L", (width, top + len(CLASSES) * (side + gap) + 16), 255)
    draw = ImageDraw.Draw(sheet)
    draw.text((24, 18), "Garments", fill=0, font=ImageFont.load_default(28))
    note = "28 x 28 pixels, grey, shown three times as large; ten classes of 1,600 train and 400 test images"
    draw.text((170, 28), note, fill=90, font=ImageFont.load_default(16))
    for label, name in enumerate(CLASSES):
        y = top + label * (side + gap)
        draw.text((24, y + side // 2), name, fill=0, anchor="lm", font=ImageFont.load_default(18))
        for column, index in enumerate(np.flatnonzero(labels == label)[:columns]):
            tile = Image.fromarray(images[index]).resize((side, side), Image.Resampling.NEAREST)
            sheet.paste(tile, (left + column * (side + gap), y))
    return sheet


def build() -> None:
    """Write garments.npz and preview.png, each first under a temporary name."""
    source = packages.debian(PACKAGE) / "usr/share/datasets/fashion-mnist"
    rng = np.random.default_rng(SEED)
    train_images, train_labels = choose(*read_part(source, "train"), 1600, rng)
    test_images, test_labels = choose(*read_part(source, "t10k"), 400, rng)

    FOLDER.mkdir(parents=True, exist_ok=True)
    arrays = {
        "train_images": train_images, "train_labels": train_labels,
        "test_images": test_images, "test_labels": test_labels,
    }  # fmt: skip
    with open(FOLDER / ".garments.npz", "wb") as stream:
        np.savez_compressed(stream, **arrays)
    preview(train_images, train_labels).save(FOLDER / ".preview.png", optimize=True)
    for name in ("garments.npz", "preview.png"):
        os.replace(FOLDER / f".{name}", FOLDER / name)
    sums.write()
    print(f"data/garments: {len(train_images)} train and {len(test_images)} test images")


if __name__ == "__main__":
    build()
