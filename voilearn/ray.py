"""The service on Ray Serve: `serve run voilearn.ray:build model=/models/export.onnx`.

In come a model's path and how large the service may grow; out goes an application of Ray Serve,
whose replicas are each the whole service: page, line, metrics, and a model that is swapped when its
file is replaced. Ray Serve is asked for what the service knows of itself: how many photos one
replica takes at once, and whether it is ready.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voilearn.service.app import make_app
from voilearn.service.live_model import LiveModel
from voilearn.service.open_pages import OpenPages
from voilearn.service.page import Examples, PageFiles, ServicePage
from voilearn.service.request_log import App
from voilearn.service.service import DEADLINE, PLACES, Service
from voilearn.service.work_queue import WorkQueue

if TYPE_CHECKING:
    from ray.serve import Application

TELEMETRY = "RAY_USAGE_STATS_ENABLED"  # what Ray tells its makers of a cluster, unless it is 0
BUSY = 2  # photos for each core of a replica, above which another replica is started
NOTICED = 5.0  # seconds in which a replica that is not healthy any more is found

_here: list[Service] = []  # of this replica's process


def build(arguments: dict[str, str]) -> "Application":
    """Return the application; Ray Serve's command hands over what stands behind its name.

    `model` is a path that every machine of the cluster has. `cores` is how many a replica gets (1),
    `replicas` the most that there may be (4), `least` the fewest (1). The token is the environment
    variable VOILEARN_TOKEN of each machine; without it everybody may ask. Raises ValueError for an
    argument that is none.
    """
    unknown = arguments.keys() - {"model", "cores", "replicas", "least"}
    if unknown or "model" not in arguments:
        raise ValueError(
            "voilearn.ray:build takes model=PATH, and the numbers cores, replicas and least; "
            f"not {', '.join(sorted(unknown)) or 'nothing'}"
        )
    model = Path(arguments["model"]).absolute()
    cores, most, least = (
        int(arguments.get(name, usual))
        for name, usual in (("cores", "1"), ("replicas", "4"), ("least", "1"))
    )

    os.environ.setdefault(TELEMETRY, "0")
    from ray import serve

    if min(cores, most, least) < 1:
        raise ValueError("cores, replicas and least are numbers from 1")

    def service() -> App:
        return _service(model, cores)

    @serve.deployment(
        name="voilearn",
        ray_actor_options={"num_cpus": cores},
        max_ongoing_requests=2 * cores * PLACES,  # what is too many is refused by the line
        autoscaling_config={
            "min_replicas": least,
            "max_replicas": most,
            "target_ongoing_requests": BUSY * cores,
            "upscale_delay_s": 3,
            "downscale_delay_s": 300,
        },
        health_check_period_s=NOTICED,
        health_check_timeout_s=2 * NOTICED,
        graceful_shutdown_wait_loop_s=1.0,
        graceful_shutdown_timeout_s=DEADLINE + 5,
    )
    @serve.ingress(service)
    class Voilearn:
        """A replica."""

        def check_health(self) -> None:
            """Raise where the replica can't answer, so that Ray starts another in its place."""
            if why := hindrance():
                raise RuntimeError(f"the service is {why}")

    bound: Any = Voilearn
    return bound.bind()


def hindrance() -> str | None:
    """Return why the service of this process can't answer, or None.

    Ray copies a function's class to its replicas, and what that has of a module only by name.
    """
    return _here[0].hindrance if _here else "loading"


def _service(model: Path, cores: int) -> App:
    """Return the service of this process, once its model has answered."""
    live = LiveModel(model, fold=True)
    live.load()
    live.watch()
    places = cores * PLACES
    queue = WorkQueue(cores, places, places)  # Ray's proxy is the one who asks
    service = Service(live, queue, os.environ.get("VOILEARN_TOKEN", "").strip() or None)
    examples = Examples(model.parent / "examples")
    # no page stays connected, for Ray would count it as work: each asks from time to time
    service.page = ServicePage(PageFiles(model.parent, ()), examples, OpenPages(live, queue, 0))
    _here[:] = [service]
    return make_app(service)
