"""Tell what an author's own class changes, where cloudpickle wrote it into the file whole.

In come the records of a pickle; out goes, of an object, what the classes of its author define, by
name, and the library's class that they are made from. Their code is not read, only its names.
"""

from typing import Any, NamedTuple

from voilearn.export.old_names import today
from voilearn.export.plain import MAX_ATTRIBUTES, state_of
from voilearn.export.records import Global, Instance, Pickle

MAX_CLASSES = 8  # each made from the next
METACLASSES = ("builtins.type", "fasttransform.transform._TfmMeta", "fastcore.transform._TfmMeta")
NAMES = 8  # the place of the names that it uses among what a code object is made of


class Lineage(NamedTuple):
    """What an object's class has of its author's: `defined` there, and the library's `base`.

    `base` is a name, of the author's own class where that is in no file of his, and so unknown.
    """

    defined: dict[str, Any]
    base: str


def put_definitions(pickled: Pickle) -> None:
    """Put what cloudpickle defines in each class to its record, as its state."""
    for made in pickled.instances:
        if made.path.endswith("._class_setstate") and len(made.args) == 2:
            cls, state = made.args
            if isinstance(cls, Instance) and len(cls.states) < MAX_CLASSES:
                cls.states = (*cls.states, state)


def lineage_of(record: Any) -> Lineage | None:
    """Return what a record's class defines, and its base; None if that can't be told."""
    of, defined = getattr(record, "of", None), dict[str, Any]()
    for _ in range(MAX_CLASSES):
        if isinstance(of, Global):
            return Lineage(defined, today(of.path))
        if not isinstance(of, Instance) or not of.path.endswith("._make_skeleton_class"):
            return None
        maker, _, bases, given = (*of.args, None, None, None, None)[:4]
        if not isinstance(maker, Global) or today(maker.path) not in METACLASSES:
            return None
        if not isinstance(bases, tuple) or len(bases) != 1 or len(of.states) != 1:
            return None
        if not isinstance(given, dict) or len(given) > MAX_ATTRIBUTES:
            return None
        defined = {**given, **state_of(of), **defined}
        (of,) = bases
    return None


def names_in_code(function: Any) -> set[str] | None:
    """Return the names of attributes and globals that a function's code uses; None if unknown."""
    code = function.args[0] if isinstance(function, Instance) and function.args else None
    names = code.args[NAMES] if isinstance(code, Instance) and len(code.args) > NAMES else None
    if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
        return None
    return set(names)
