"""Build data/emoji from npm packages of six emoji fonts. Run: python data/build/emoji.py"""

import colorsys
import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import packages
import sums
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "data" / "emoji"
TABLE = Path(__file__).with_name("emoji_concepts.tsv")
RENDERER = "resvg-py==0.5.0"
RENDERINGS = "@lobehub/fluent-emoji-3d@1.1.0"
# The caption's word for a style, and the package with its SVG files
VECTORS = {
    "flat": "@iconify-json/fluent-emoji-flat@1.2.6",
    "shaded": "@iconify-json/noto@1.2.9",
    "vintage": "@iconify-json/noto-v1@1.2.5",
    "sticker": "@iconify-json/twemoji@1.2.5",
    "outlined": "@iconify-json/openmoji@1.2.29",
}
CELL, LONG_SIDE, COLUMNS = 128, 124, 10
# Hue ranges of the colour words, in degrees; red passes through 360
HUES = {"red": (328, 378), "orange": (10, 44), "yellow": (34, 72), "green": (62, 172), "blue": (172, 255)}


def emoji_key(text: str) -> str:
    """The code points of an emoji as the packages write them, "1f34e", without the variation selector."""
    return "-".join(f"{ord(character):x}" for character in text if character != "\ufe0f")


class VectorFont:
    """The SVG drawings of one iconify package, found by icon name or by emoji."""

    def __init__(self, spec: str):
        folder = packages.npm(spec)
        self.icons = json.loads((folder / "icons.json").read_text(encoding="utf-8"))
        characters = json.loads((folder / "chars.json").read_text(encoding="utf-8"))
        self.names = {key.replace("-fe0f", ""): name for key, name in characters.items()}

    def svg(self, name: str) -> str | None:
        """The drawing as an SVG document, or None when the package has no such name."""
        alias = self.icons.get("aliases", {}).get(name)
        icon = self.icons["icons"].get(alias["parent"] if alias else name)
        if icon is None:
            return None
        width, height = (icon.get(side, self.icons.get(side, 16)) for side in ("width", "height"))
        view = f"{icon.get('left', 0)} {icon.get('top', 0)} {width} {height}"
        spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        return f'<svg {spaces} viewBox="{view}" width="{width}" height="{height}">{icon["body"]}</svg>'


def sprite(drawing: Image.Image) -> np.ndarray:
    """Crop a drawing to its content and centre it in a cell: (128, 128, 4) in [0, 1], premultiplied by alpha."""
    pixels = np.asarray(drawing.convert("RGBA")).astype(np.float32) / 255
    pixels[..., :3] *= pixels[..., 3:]
    rows, columns = np.nonzero(pixels[..., 3] > 8 / 255)
    pixels = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = LONG_SIDE / max(pixels.shape[:2])
    height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
    # Area averages of premultiplied colours: otherwise edges get a dark fringe
    planes = (Image.fromarray(np.ascontiguousarray(pixels[..., k])) for k in range(4))
    small = [np.asarray(plane.resize((width, height), Image.Resampling.BOX)) for plane in planes]
    cell = np.zeros((CELL, CELL, 4), np.float32)
    top, left = (CELL - height) // 2, (CELL - width) // 2
    cell[top : top + height, left : left + width] = np.stack(small, axis=-1).clip(0, 1)
    return cell


def draw_all(table: list[dict]) -> dict[str, np.ndarray]:
    """Render every concept in every style: {style: (concepts, 128, 128, 4)}. Raises SystemExit when one is missing."""
    sys.path.insert(0, str(packages.wheel(RENDERER)))
    import resvg_py

    keys = [emoji_key(row["emoji"]) for row in table]
    renderings = packages.npm(RENDERINGS) / "assets"
    cells = {"glossy": []}
    for row, key in zip(table, keys):
        files = renderings / f"{key}.webp", renderings / f"{key}-fe0f.webp"
        found = [path for path in files if path.exists()]
        if not found:
            raise SystemExit(f"{RENDERINGS} has no drawing of {row['name']} ({key}).")
        cells["glossy"].append(sprite(Image.open(found[0])))
    fonts = {style: VectorFont(spec) for style, spec in VECTORS.items()}
    for style, font in fonts.items():
        cells[style] = []
        for row, key in zip(table, keys):
            # noto-v1 lists no characters, so its icons are found by the names that other fonts use
            names = [other.names[key] for other in (font, *fonts.values()) if key in other.names]
            drawings = [svg for svg in map(font.svg, names) if svg]
            if not drawings:
                raise SystemExit(f"{VECTORS[style]} has no drawing of {row['name']} ({key}).")
            png = resvg_py.svg_to_bytes(svg_string=drawings[0], width=512)
            cells[style].append(sprite(Image.open(io.BytesIO(png))))
    return {style: np.stack(drawn) for style, drawn in cells.items()}


def sheet(cells: np.ndarray) -> Image.Image:
    """Arrange the sprites of a style in a grid of ten columns, as straight (not premultiplied) RGBA."""
    rows = -(-len(cells) // COLUMNS)
    padded = np.zeros((rows * COLUMNS, CELL, CELL, 4), np.float32)
    padded[: len(cells)] = cells
    grid = padded.reshape(rows, COLUMNS, CELL, CELL, 4).swapaxes(1, 2).reshape(rows * CELL, COLUMNS * CELL, 4)
    grid[..., :3] /= np.maximum(grid[..., 3:], 1e-6)
    return Image.fromarray((grid.clip(0, 1) * 255).round().astype(np.uint8), "RGBA")


def has_hue(cell: np.ndarray, colour: str) -> bool:
    """Whether at least a third of the sprite, and half of its saturated pixels, have this colour."""
    solid = cell[cell[..., 3] > 0.9]
    low, high = HUES[colour]
    named = coloured = 0
    for red, green, blue, alpha in solid[::7]:
        hue, saturation, value = colorsys.rgb_to_hsv(red / alpha, green / alpha, blue / alpha)
        if saturation > 0.25 and value > 0.25:
            coloured += 1
            named += low <= hue * 360 < high or low <= hue * 360 + 360 < high
    return named > len(solid[::7]) / 3 and named > coloured / 2


def oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB (..., 3) in [0, 1] as OKLab (Ottosson 2020), where distances match perception."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_cones = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
    to_lab = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    return np.cbrt(linear @ np.array(to_cones).T) @ np.array(to_lab).T


def stands_out(cell: np.ndarray, colour: tuple[int, int, int]) -> float:
    """The fraction of a sprite's opaque pixels that differ clearly from a background colour."""
    solid = cell[cell[..., 3] > 0.5]
    drawn = oklab((solid[:, :3] / solid[:, 3:]).clip(0, 1))
    distance = np.linalg.norm(drawn - oklab(np.array(colour) / 255), axis=1)
    return float((distance > 0.08).mean())


def records(table: list[dict], cells: dict[str, np.ndarray], grounds: dict) -> list[dict]:
    """The rows of concepts.json: names, grammar, checked colour, and the backgrounds that a sprite blends into."""
    rows, wrong = [], []
    for index, row in enumerate(table):
        colour = row["colour"] or None
        if colour and not all(has_hue(drawn[index], colour) for drawn in cells.values()):
            wrong.append(f"{row['name']} is not {colour}")
        blends = {
            style: [name for name, rgb in grounds.items() if stands_out(drawn[index], rgb) < 0.4]
            for style, drawn in cells.items()
        }
        blends = {style: names for style, names in blends.items() if names}
        rows.append({**row, "colour": colour, "blends_into": blends})
    if wrong:
        raise SystemExit(f"{', '.join(wrong)} in every style; correct {TABLE.name}.")
    return rows


def build() -> None:
    """Write the six sheets, concepts.json and preview.png, each first under a temporary name."""
    with open(TABLE, encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream, delimiter="\t"))
    cells = draw_all(table)
    sys.path.insert(0, str(ROOT))
    from course_utils.datasets.grounds import COLOURS

    rows = [json.dumps(row, ensure_ascii=False) for row in records(table, cells, COLOURS)]
    FOLDER.mkdir(parents=True, exist_ok=True)
    for style, drawn in cells.items():
        sheet(drawn).save(FOLDER / f".{style}.webp", lossless=True, quality=100, method=4)
    (FOLDER / ".concepts.json").write_text("[\n" + ",\n".join(rows) + "\n]\n", encoding="utf-8")
    for name in (*(f"{style}.webp" for style in cells), "concepts.json"):
        os.replace(FOLDER / f".{name}", FOLDER / name)
    # The preview is drawn by the course's own scene generator, which checks the sums of what it reads
    sums.write()
    import emoji_preview

    emoji_preview.draw().save(FOLDER / ".preview.png", optimize=True)
    os.replace(FOLDER / ".preview.png", FOLDER / "preview.png")
    sums.write()
    print(f"data/emoji: {len(table)} concepts in {len(cells)} styles")


if __name__ == "__main__":
    build()
