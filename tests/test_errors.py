"""The tree of errors: what an outlet may rely on."""

import inspect

from voilearn import errors
from voilearn.errors import VoilearnError


def test_every_error_of_the_module_hangs_on_the_tree_with_a_status_and_a_reason() -> None:
    found = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    classes = [c for c in found if c.__module__ == errors.__name__]
    tree = [c for c in classes if issubclass(c, VoilearnError)]
    assert set(classes) == set(tree)
    assert len(tree) >= 7
    for error in tree:
        assert 400 <= error.status < 600
        assert error.__doc__


def test_an_error_tells_its_type_and_its_sentence() -> None:
    error = errors.PhotoTooLarge("Too large.")
    assert (error.type, str(error), error.status) == ("PhotoTooLarge", "Too large.", 413)


def test_the_statuses_are_those_of_the_contract() -> None:
    statuses = {
        errors.PhotoTooLarge: 413,
        errors.UnsupportedPhoto: 415,
        errors.DamagedPhoto: 422,
        errors.EmptyPhoto: 422,
    }
    assert {error: error.status for error in statuses} == statuses
