"""Build data/photographs from Debian packages and a wheel. Run: python data/build/photographs.py"""

import csv
import io
import os
import struct
import zlib
from pathlib import Path

import packages
import photograph_sheet
import sums
from PIL import Image

FOLDER = Path(__file__).resolve().parents[1] / "photographs"
LONG_SIDE = 512
QUALITY = 90
GCOMPRIS = "gcompris-qt-data=3.1-2"
LOMIRI = "lomiri-wallpapers-16.04=20.04.0-2"
SKIMAGE = "scikit-image==0.26.0"
COLUMNS = "name title author licence source package split width height modified".split()
FREE = {"public domain": "Public Domain", "cc0-1.0": "CC0-1.0"}

# Archive of GCompris: file without extension | our name | title | split (default: train)
FROM_GCOMPRIS = {
    "erase": """
        crab | crab | red rock crab
        giraffe | giraffe_head | head of a giraffe
        kingfisher | kingfisher | kingfisher | test
        pika | pika | pika with leaves
        red_panda | red_panda | red panda | test""",
    "explore_monuments": """
        wonders/colosseum | colosseum | Colosseum | test
        wonders/greatWallofChina | great_wall | Great Wall of China
        wonders/machuPicchu | machu_picchu | Machu Picchu | test
        wonders/petra | petra | Petra
        india/ajantaCave | ajanta | Ajanta caves
        india/charminar | charminar | Charminar
        india/gatewayofIndia | gateway_of_india | Gateway of India
        india/goldenTemple | golden_temple | Golden Temple | test
        india/greatStupa | sanchi | stupa of Sanchi
        india/hawaMahal | hawa_mahal | Hawa Mahal | test
        india/konarkSunTemple | konark | temple of Konark
        india/mysorePalace | mysore | Mysore Palace
        india/qutubMinar | qutub_minar | Qutub Minar
        india/rangGhar | rang_ghar | Rang Ghar
        india/victoriaMemorial | victoria_memorial | Victoria Memorial
        france/arlesAmphitheater | arles | arena of Arles
        france/chateaudeChambord | chambord | castle of Chambord
        france/chateaudeChenonceau | chenonceau | castle of Chenonceau
        france/citedeCarcassonne | carcassonne | walls of Carcassonne
        france/eiffelTower | eiffel_tower | Eiffel Tower
        france/montStMichel | mont_saint_michel | Mont Saint-Michel
        france/palaisdesPapes | palace_of_popes | Palace of the Popes
        france/pontduGard | pont_du_gard | Pont du Gard
        france/reimsCathedral | reims | cathedral of Reims
        france/rocamadour | rocamadour | Rocamadour
        germany/aulaPalatina | basilica_trier | basilica in Trier
        germany/berlinCathedral | berlin_cathedral | Berlin Cathedral
        germany/brandenburgGate | brandenburg_gate | Brandenburg Gate
        germany/neuschwansteinCastle | neuschwanstein | Neuschwanstein Castle | test
        germany/schwerinPalace | schwerin | Schwerin Palace
        germany/trierImperialBaths | baths_trier | Roman baths, Trier
        usa/canyondeChelly | canyon | Canyon de Chelly
        usa/fortSumter | fort_sumter | ruins, Fort Sumter
        usa/lincolnMemorial | lincoln_memorial | Lincoln Memorial
        usa/mountRushmore | mount_rushmore | Mount Rushmore
        usa/navajo | cliff_dwellings | cliff dwellings
        usa/statueofLiberty | statue_of_liberty | Statue of Liberty
        egypt/bentPyramid | bent_pyramid | Bent Pyramid
        egypt/greatPyramidOfGiza | great_pyramid | Great Pyramid
        egypt/redPyramid | red_pyramid | Red Pyramid | test""",
    "explore_world_animals": """
        bison | bison | bison
        chameleon | garden_lizard | garden lizard
        crocodile | crocodile | crocodile
        dragon | komodo_dragon | Komodo dragon
        giraffe | giraffes | two giraffes
        hedgehog | hedgehog | hedgehog | test
        jaguar | jaguars | two jaguars
        kangaroo | kangaroo | kangaroo and joey
        koala | koala | koala
        lemur | lemurs | ring-tailed lemurs
        moose | moose | moose
        narwhal | narwhals | narwhals
        panda | panda | giant panda
        polar_bear | polar_bear | polar bear
        scarlet_macaw | macaw | scarlet macaw""",
    "explore_farm_animals": """
        cat | kitten | kitten with wool
        chicken | hens | four hens
        cow | cow | cow | test
        dog | dog | German shepherd
        duck | duck | white duck
        horse | horses | horses
        owl | owl | tawny owl
        pig | pig | pig
        sheep | sheep | sheep""",
}
# The README of GCompris misspells one file name
MISSPELT = {"germany/audaPalatina.webp": "germany/aulaPalatina.webp"}

# Package, file, name, title, author, licence, source, split; then the file that states the licence, and its words
OTHERS = [
    (LOMIRI, "usr/share/backgrounds/seeding_by_Clements_Engelhardt.jpg", "dandelions", "dandelion clocks",
     "Clemens Engelhardt", "CC0-1.0", "https://gitlab.com/ubports/development/core/lomiri-wallpapers", "test",
     "usr/share/doc/lomiri-wallpapers-16.04/copyright",
     "Copyright: Clemens Engelhardt, 2018 License: CC0-1.0"),
    (SKIMAGE, "skimage/data/chelsea.png", "cat_face", "face of a cat", "Stefan van der Walt", "CC0-1.0",
     "https://scikit-image.org (skimage.data.chelsea)", "test", "skimage/data/_fetchers.py",
     "CC0 by the photographer (Stefan van der Walt)"),
    (SKIMAGE, "skimage/data/coffee.png", "coffee", "cup of coffee", "Rachel Michetti", "CC0-1.0",
     "https://scikit-image.org (skimage.data.coffee)", "train", "skimage/data/_fetchers.py",
     "CC0 by the photographer (Rachel Michetti)"),
    (SKIMAGE, "skimage/data/astronaut.png", "astronaut", "astronaut", "NASA", "Public Domain",
     "https://flic.kr/p/r9qvLn", "train", "skimage/data/_fetchers.py",
     "<https://flic.kr/p/r9qvLn>`__. No known copyright restrictions, released into the public domain."),
    (SKIMAGE, "skimage/data/rocket.jpg", "rocket", "rocket at night", "SpaceX", "Public Domain",
     "https://www.flickr.com/photos/spacexphotos/16511594820/", "train", "skimage/data/_fetchers.py",
     "The image was captured by SpaceX and `released in the public domain"),
]  # fmt: skip


def read_rcc(path: Path) -> dict[str, bytes]:
    """Read a Qt resource archive (.rcc) into {path: content}."""
    raw = path.read_bytes()
    magic, version, tree, data, names = struct.unpack_from(">4s4I", raw)
    if magic != b"qres":
        raise SystemExit(f"{path.name} is not a Qt resource archive; has the Debian package changed?")
    # From version 2 on, each entry has 8 more bytes, the modification time
    entry_size, content = 14 if version == 1 else 22, {}

    def visit(number: int, folder: str) -> None:
        entry = tree + number * entry_size
        name_at, flags = struct.unpack_from(">IH", raw, entry)
        length = struct.unpack_from(">H", raw, names + name_at)[0] if number else 0
        start = names + name_at + 6
        name = folder + raw[start : start + 2 * length].decode("utf-16-be")
        if flags & 2:
            count, first = struct.unpack_from(">II", raw, entry + 6)
            for child in range(first, first + count):
                visit(child, name + "/")
            return
        at = data + struct.unpack_from(">I", raw, entry + 10)[0]
        size = struct.unpack_from(">I", raw, at)[0]
        body = raw[at + 4 : at + 4 + size]
        if flags & 4:
            raise SystemExit(f"{name} in {path.name} is compressed with zstd, which this builder does not read.")
        content[name] = zlib.decompress(body[4:]) if flags & 1 else body

    visit(0, "")
    return content


def read_credits(readme: str) -> dict[str, dict[str, str]]:
    """Read a README of GCompris, blocks of `Key: value` lines, into {file: its block}."""
    credits = {}
    for block in readme.split("\n\n"):
        fields, key = {}, None
        for line in block.splitlines():
            if ": " in line or line.endswith(":"):
                key, _, value = line.partition(":")
                fields[key] = value.strip()
            elif key is not None:
                fields[key] += "\n" + line.strip()
        for file in fields.get("Files", "").split():
            credits[MISSPELT.get(file, file)] = fields
    return credits


def from_gcompris():
    """Yield (row, encoded image) with author, licence and source as the README inside the archive gives them."""
    folder = packages.debian(GCOMPRIS) / "usr/share/gcompris-qt/rcc"
    for archive, table in FROM_GCOMPRIS.items():
        files = read_rcc(folder / f"{archive}.rcc")
        (readme,) = [path for path in files if path.endswith("/README")]
        credits = read_credits(files[readme].decode("utf-8"))
        for line in table.strip().splitlines():
            member, name, title, *split = [cell.strip() for cell in line.split("|")]
            credit = credits[f"{member}.webp"]
            licence = FREE.get(credit["License"].lower())
            if licence is None:
                raise SystemExit(
                    f"{archive}/{member} is under {credit['License']}; it must be free of rights."
                )
            row = dict(
                name=name, title=title, author=credit["Copyright"], licence=licence,
                source=credit["Source"], package=GCOMPRIS.replace("=", " "),
                split=split[0] if split else "train", modified=credit.get("Comments", ""),
            )  # fmt: skip
            yield row, files[readme.removesuffix("README") + f"{member}.webp"]


def from_others():
    """Yield (row, encoded image) of the other packages, after checking that they still state the licence."""
    unpacked = {LOMIRI: packages.debian(LOMIRI), SKIMAGE: packages.wheel(SKIMAGE)}
    for package, file, name, title, author, licence, source, split, where, words in OTHERS:
        said = " ".join((unpacked[package] / where).read_text(encoding="utf-8").split())
        if words not in said:
            raise SystemExit(
                f"{package} does not say {words!r} in {where}; check the licence of {name} again."
            )
        row = dict(
            name=name, title=title, author=author, licence=licence, source=source,
            package=package.replace("==", " ").replace("=", " "), split=split, modified="",
        )  # fmt: skip
        yield row, (unpacked[package] / file).read_bytes()


def shrink(encoded: bytes) -> Image.Image:
    """Decode an image and downscale its long side to LONG_SIDE; smaller ones keep their size."""
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    factor = LONG_SIDE / max(image.size)
    if factor >= 1:
        return image
    return image.resize([round(side * factor) for side in image.size], Image.Resampling.LANCZOS)


def build() -> None:
    """Write the images, photographs.tsv and preview.png, each first under a temporary name."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    photographs = sorted([*from_gcompris(), *from_others()], key=lambda pair: pair[0]["name"])
    rows = []
    for row, encoded in photographs:
        image = shrink(encoded)
        image.save(FOLDER / ".new.webp", "WEBP", quality=QUALITY, method=6)
        os.replace(FOLDER / ".new.webp", FOLDER / f"{row['name']}.webp")
        # The modifications by GCompris, if its README states any, then those by this builder
        by_gcompris = f"{row['modified']} (GCompris); " if row["modified"] else ""
        size = "downscaled, " if image.size != Image.open(io.BytesIO(encoded)).size else ""
        modified = f"{by_gcompris}{size}re-encoded as WebP quality {QUALITY}"
        rows.append(row | dict(width=image.width, height=image.height, modified=modified))
    with open(FOLDER / ".photographs.tsv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(FOLDER / ".photographs.tsv", FOLDER / "photographs.tsv")
    # Images that are no longer in the tables are removed
    for old in set(FOLDER.glob("*.webp")) - {FOLDER / f"{row['name']}.webp" for row in rows}:
        old.unlink()
    photograph_sheet.draw(FOLDER, rows).save(FOLDER / ".preview.png", optimize=True)
    os.replace(FOLDER / ".preview.png", FOLDER / "preview.png")
    sums.write()
    held_out = sum(row["split"] == "test" for row in rows)
    print(f"data/photographs: {len(rows) - held_out} train and {held_out} test photographs")


if __name__ == "__main__":
    build()
