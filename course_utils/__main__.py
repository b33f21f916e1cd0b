"""Command line of the course: `python -m course_utils doctor | train | bench | stamp | notebook | lock | models |
handouts | slides | book | catalogue | edition`."""

import argparse
import sys
from pathlib import Path

import course_utils

if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(f"The course needs Python 3.11, 3.12 or 3.13; this is {sys.version.split()[0]} ({sys.executable}). "
             "Install one of them, and run `make lab`.")

STOPPED = 130  # The exit code of shells after Ctrl-C


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit code: 0 success, 1 failure, 2 invalid arguments, 130 interrupted."""
    for stream in (sys.stdout, sys.stderr):
        # A path in Hangul must not fail a check because the console cannot write it
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except (ValueError, RuntimeError, OSError) as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m course_utils", description=course_utils.__doc__)
    version = f"hands-on-diffusion {course_utils.__version__}"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    doctor = commands.add_parser("doctor", help="check that this computer has what the course needs")
    doctor.add_argument("--version", action="store_true", help="only print the versions")
    doctor.set_defaults(run=_doctor)

    train = commands.add_parser("train", help="train a network by its recipe, or resume training")
    train.add_argument("recipe", metavar="RECIPE", help="name of the recipe; a wrong one prints all names")
    budget = train.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, help="how long to train")
    budget.add_argument("--images", type=int, help="how many images to train on (default: the recipe's number)")
    earlier = train.add_mutually_exclusive_group()
    earlier.add_argument("--resume", action="store_true", help="resume where the last training stopped")
    earlier.add_argument("--again", action="store_true", help="start over, replacing an earlier training")
    train.add_argument("--folder", type=Path, help="where to write (default: data/runs/RECIPE)")
    train.set_defaults(run=_train)

    bench = commands.add_parser("bench", help="time the GPU kernels; without a GPU, check them")
    bench.add_argument("what", choices=["kernels"])
    bench.set_defaults(run=_bench)

    stamp = commands.add_parser("stamp", help="write the repository's address into badges and set-up cells")
    stamp.add_argument("repo", nargs="?", metavar="OWNER/NAME", help="the new address on GitHub")
    stamp.set_defaults(run=_stamp)

    notebook = commands.add_parser("notebook", help="run notebooks and store clean outputs")
    notebook.add_argument("paths", nargs="+", type=Path, metavar="NOTEBOOK")
    notebook.set_defaults(run=_notebook)

    for what, text in (("handouts", "PDFs of the notebooks for students and teachers, and one bound volume"),
                       ("slides", "slides of each notebook's main path"), ("book", "the notebooks as a web site")):
        publish = commands.add_parser(what, help=text)
        publish.add_argument("numbers", nargs="*", metavar="NN", help="two digits of a notebook (default: all)")
        publish.set_defaults(run=_publish, what=what)

    catalogue = commands.add_parser("catalogue", help="write what translators need, and bring translations up to date")
    catalogue.set_defaults(run=_catalogue)
    edition = commands.add_parser("edition", help="write the notebooks in another language")
    edition.add_argument("language", metavar="LANG", help="a folder of course_utils/authoring/translations, such as ko")
    edition.set_defaults(run=_edition)

    models = commands.add_parser("models", help="the real models of the cells \"At full scale\", as a table")
    models.add_argument("--check", action="store_true", help="ask the hub whether they are still there")
    models.set_defaults(run=_models)

    lock = commands.add_parser("lock", help="write requirements.lock and environment.yml from pyproject.toml")
    lock.set_defaults(run=_lock)
    return parser


def _doctor(options: argparse.Namespace) -> int:
    from course_utils import doctor

    return doctor.versions() if options.version else doctor.examine()


def _train(options: argparse.Namespace) -> int:
    from course_utils import training

    network = training.train(training.find(options.recipe), images=options.images, minutes=options.minutes,
                             resume=options.resume, again=options.again, folder=options.folder)
    return STOPPED if network is None else 0


def _bench(options: argparse.Namespace) -> None:
    from course_utils import bench

    bench.kernels()


def _stamp(options: argparse.Namespace) -> None:
    from course_utils.authoring.stamp import stamp

    changed = stamp(options.repo)
    print(f"{len(changed)} files changed" + "".join(f"\n  {path}" for path in changed))


def _notebook(options: argparse.Namespace) -> None:
    from course_utils.authoring.execute import execute

    missing = [str(path) for path in options.paths if not path.is_file()]
    if missing:
        raise ValueError(f"There is no notebook {', '.join(missing)}.")
    for path in options.paths:
        print(execute(path), flush=True)


def _publish(options: argparse.Namespace) -> None:
    from importlib import import_module

    from course_utils.authoring import browser, project

    paths = {path.name[:2]: path for path in sorted((project.ROOT / "notebooks").glob("*.ipynb"))}
    if not set(options.numbers) <= set(paths):
        raise ValueError(f"NB takes two digits out of {', '.join(paths)}; got {' '.join(options.numbers)}.")
    chosen = [path for number, path in paths.items() if number in (options.numbers or paths)]
    builder = import_module(f"course_utils.authoring.{options.what}")
    with browser.chromium() as chrome:
        for path in builder.build(chosen, project.ROOT / "build" / options.what, chrome):
            print(path)


def _catalogue(options: argparse.Namespace) -> None:
    from course_utils.authoring import project, translate

    for path in translate.catalogue(project.ROOT / "build" / "catalogue"):
        print(path)


def _edition(options: argparse.Namespace) -> int:
    from course_utils.authoring import project, translate

    folder = project.ROOT / "build" / options.language
    missing = translate.edition(options.language, folder)
    print("\n".join([*missing, f"{folder / 'notebooks'}"]))
    return int(bool(missing))


def _models(options: argparse.Namespace) -> int:
    from course_utils import hub

    if options.check:
        return hub.check()
    print(hub.table())
    return 0


def _lock(options: argparse.Namespace) -> None:
    from course_utils.authoring.lock import write_environment, write_lock

    for path in (write_lock(), write_environment()):
        print(f"{path} written")


if __name__ == "__main__":
    sys.exit(main())
