"""Which tests run in one process, one after the other, when several processes run them.

In comes a test's id; out goes its group: the file, unless what is dear is shared by fewer tests of
it, by none, or by those of several files. `make test` asks for several processes.
"""

from pathlib import PurePosixPath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Long files, of tests that share nothing which takes long to make: each is on its own.
APART = {"test_survival", "test_docs", "test_imports", "test_web", "test_culling"}
APART |= {"test_local_service", "test_this_machine"}
APART |= {"test_onnx_export", "test_compile", "test_service_page", "test_events"}
EACH_WAY = {"test_ways", "test_exposure"}  # together for each way of running, which is a server
STUBBED = {"test_access", "test_answers", "test_light", "test_photos", "test_states"}
HOSTS = ("voila", "binder", "service", "device")
EACH_ENGINE = {"test_engines", "test_files"}  # together for each engine, which is a browser
# Those that take longest, most first: they begin first, so that no process is left with one at the
# end while the others have nothing to do.
LONG: tuple[str, ...] = ("tests/browser/test_leaving.py", "attacks", "tests/test_cli.py", "hub")
LONG += ("tests/browser/test_photos.py voila", "tests/compiled/test_graph.py")
LONG += ("tests/browser/test_answers.py voila", "tests/browser/test_states.py voila")
LONG += ("tests/learner/test_many.py", "tests/compiled/test_kept.py", "tests/test_binder.py")
LONG += ("tests/service/test_told.py", "tests/browser/test_page.py", "chromium")
LONG += ("tests/browser/test_access.py voila", "tests/browser/test_frames.py")
LONG += ("tests/browser/test_visitors.py", "lab", "tests/test_inspect.py", "firefox", "binder")
OWN_SERVER = ("test_a_restarted_server", "test_a_page_without_a_model")


def group_of(test: str) -> str:
    """Return the group that a test is in."""
    path, _, name = test.partition("::")
    file = PurePosixPath(path)
    parameter = name.partition("[")[2].rstrip("]")
    if "attacks" in file.parts:
        return "attacks"
    if file.stem in APART or name.startswith(OWN_SERVER):
        return test
    if file.stem in EACH_WAY:
        return parameter
    if file.stem in EACH_ENGINE:
        return parameter.partition("-")[0]
    if file.stem in STUBBED:
        hosts = [part for part in parameter.split("-") if part in HOSTS]
        return f"{path} {hosts[0] if hosts else 'voila'}"
    return path


def longest_first(tests: list[pytest.Item]) -> None:
    """Order tests in place: those of the groups that take longest first, else as they were."""
    rank = {group: place for place, group in enumerate(LONG)}
    tests.sort(key=lambda test: rank.get(group_of(test.nodeid), len(LONG)))


class Scheduling(LoadScopeScheduling):
    """Give groups to processes in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False  # by how many tests a group has says little
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
