"""The set-up cell and the Colab badge: the same text in all thirteen notebooks."""

from pathlib import PurePosixPath

FIRST_LINE = "# Set-up, the same in every notebook. Run it first; running it again changes nothing"

_CELL = FIRST_LINE + '''
import os
import shutil
import subprocess
import sys
from pathlib import Path

url = "@REPOSITORY@"
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    raise RuntimeError(f"The course needs Python 3.11, 3.12 or 3.13; this kernel runs {sys.version.split()[0]} "
                       f"({sys.executable}). Choose the course's own kernel, or run `make lab`.")
course = next((p for p in [Path.cwd(), *Path.cwd().parents] if (p / "course_utils" / "doctor.py").is_file()), None)
if course is None and "google.colab" in sys.modules:
    course = Path("/content", Path(url).name)
    if not course.exists():
        part = f"{course}.part"
        shutil.rmtree(part, ignore_errors=True)
        git = subprocess.run(["git", "clone", "--depth=1", url, part], capture_output=True, text=True)
        if git.returncode != 0:
            raise RuntimeError(f"The course could not be copied from {url} ({git.stderr.strip()}). "
                               f"Check network and address, or upload the course folder as {course}.")
        os.rename(part, course)
    os.chdir(course / "notebooks")
if course is not None and str(course) not in sys.path:
    sys.path.insert(0, str(course))
try:
    from course_utils import doctor, runtime
except ModuleNotFoundError as error:
    if error.name != "course_utils":
        raise
    raise RuntimeError("The course was not found. Open this notebook inside the course folder, "
                       "or run `make lab` there.") from error
doctor.need_packages()
runtime.ready()'''

_BADGE_IMAGE = "https://colab.research.google.com/assets/colab-badge.svg"
_COLAB = "https://colab.research.google.com/github/"


def setup_cell(repository: str) -> str:
    """Source of the set-up cell for the repository's URL, without a trailing newline."""
    return _CELL.replace("@REPOSITORY@", repository)


def badge(repository: str, notebook: str) -> str:
    """Markdown of the badge that opens a notebook, such as "04_loss.ipynb", in Colab."""
    owner_and_name = "/".join(PurePosixPath(repository).parts[-2:])
    return f"[![Open in Colab]({_BADGE_IMAGE})]({_COLAB}{owner_and_name}/blob/main/notebooks/{notebook})"
