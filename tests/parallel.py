"""Which tests run in one process, one after the other, when several processes run them.

In comes a test's id; out goes its group: the file, unless what is dear is shared by fewer tests of
it, by none, or by those of several files. `make test` asks for several processes.
"""

from pathlib import PurePosixPath

from xdist.scheduler import LoadScopeScheduling

# Long files, of tests that share nothing which takes long to make: each is on its own.
APART = {"test_survival", "test_docs", "test_imports", "test_web", "test_culling"}
APART |= {"test_local_service", "test_this_machine"}
APART |= {"test_onnx_export", "test_compile", "test_service_page", "test_events"}
EACH_WAY = {"test_ways", "test_exposure"}  # together for each way of running, which is a server
STUBBED = {"test_access", "test_answers", "test_light", "test_photos", "test_states"}
HOSTS = ("voila", "binder", "service", "device")
EACH_ENGINE = {"test_engines", "test_files"}  # together for each engine, which is a browser
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


class Scheduling(LoadScopeScheduling):
    """Give groups to processes, those with the most tests first."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
