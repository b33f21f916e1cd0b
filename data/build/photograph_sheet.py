"""Draw the contact sheet of data/photographs: every photograph with its name, and some random crops."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

WIDTH, MARGIN, GAP, LABEL = 1200, 24, 8, 26
CROPS, CROP = 16, 64


def draw(folder: Path, rows: list[dict]) -> Image.Image:
    """The sheet as an image of 256 colours, which keeps the file small."""
    train = [row["name"] for row in rows if row["split"] == "train"]
    test = [row["name"] for row in rows if row["split"] == "test"]
    sheet = Image.new("RGB", (WIDTH, 2000), "white")
    y = _heading(sheet, 18, f"{len(train)} photographs for training", "cut to one shape for this sheet")
    y = _tiles(sheet, y, folder, train, columns=9)
    y = _heading(sheet, y + 10, f"{len(test)} photographs held out for test", "no part of them is trained on")
    y = _tiles(sheet, y, folder, test, columns=6)
    note = "random places, photographs at half to full size"
    y = _heading(sheet, y + 10, f"Crops of {CROP} x {CROP} pixels", note)
    y = _crops(sheet, y, folder, train)
    sheet = sheet.crop((0, 0, WIDTH, y + MARGIN))
    return sheet.quantize(256, Image.Quantize.MEDIANCUT, kmeans=4, dither=Image.Dither.FLOYDSTEINBERG)


def _heading(sheet: Image.Image, y: int, title: str, note: str) -> int:
    draw, large, small = ImageDraw.Draw(sheet), ImageFont.load_default(24), ImageFont.load_default(16)
    draw.text((MARGIN, y), title, fill="black", font=large)
    draw.text((MARGIN + large.getlength(title) + 16, y + 8), note, fill=(90, 90, 90), font=small)
    return y + 44


def _tiles(sheet: Image.Image, y: int, folder: Path, names: list[str], columns: int) -> int:
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    step = (WIDTH - 2 * MARGIN + GAP) / columns
    width = int(step) - GAP
    height = width * 2 // 3
    for number, name in enumerate(names):
        x = MARGIN + round(number % columns * step)
        top = y + number // columns * (height + LABEL)
        with Image.open(folder / f"{name}.webp") as image:
            # In an upright photograph the head is near the top
            centre = (0.5, 0.15) if image.height >= image.width else (0.5, 0.5)
            tile = ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS, 0, centre)
        sheet.paste(tile, (x, top))
        draw.text((x, top + height + 3), name, fill="black", font=font)
    return top + height + LABEL


def _crops(sheet: Image.Image, y: int, folder: Path, names: list[str]) -> int:
    rng = np.random.default_rng(0)
    step = (WIDTH - 2 * MARGIN - CROP) / (CROPS - 1)
    for number, name in enumerate(rng.choice(names, CROPS, replace=False)):
        with Image.open(folder / f"{name}.webp") as image:
            side = int(rng.integers(CROP, 2 * CROP + 1))
            left, top = rng.integers(0, [image.width - side + 1, image.height - side + 1]).tolist()
            box = (left, top, left + side, top + side)
            crop = image.convert("RGB").resize((CROP, CROP), Image.Resampling.LANCZOS, box=box)
        sheet.paste(crop, (round(MARGIN + number * step), y))
    return y + CROP
