"""Answer many photos, and print a line for each.

In come photos as they were named, and a `Classify`; out go lines, in the order of the names, and
how many photos could not be read. Errors that are of one photo are its line, and the rest go on.
"""

from collections.abc import Iterable

from voilearn.errors import TokenRefused, VoilearnError
from voilearn.prediction import Classify
from voilearn.shell.lines import Line
from voilearn.shell.many import in_order
from voilearn.shell.photos import Photo
from voilearn.shell.progress import progress


def print_answers(
    classify: Classify,
    photos: Iterable[Photo],
    at_once: int,
    line: Line,
    counted: Iterable[Photo] | None,
) -> int:
    """Print a line for each photo as soon as those before it are out; return how many failed.

    `at_once` photos are asked about at a time. `counted` are the same photos once more, for who
    watches on a terminal, or None where there is no end to them. Raises TokenRefused, for no photo
    would be answered, and NotPrinted. A KeyboardInterrupt comes at once, with all printed that is
    done; threads are still at work then.
    """

    def answer(photo: Photo) -> tuple[str, bool]:
        try:
            return line(photo.name, classify(photo.read())), False
        except TokenRefused:
            raise
        except VoilearnError as error:
            return line(photo.name, error), True

    failed = 0
    told = in_order(answer, photos, at_once)
    try:
        with progress(counted) as show:
            for text, is_error in told:
                show(text)
                failed += is_error
    except Exception:
        told.close()
        raise
    return failed
