"""Count what the service does, as Prometheus reads it.

In come requests as they end, and the state of queue and model; out goes the text of `/metrics`.
"""

from collections.abc import Mapping, Sized

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from voilearn.prediction import Prediction
from voilearn.service.live_model import LiveModel
from voilearn.service.shadow import BOUNDS, OUTCOMES, Shadow
from voilearn.service.work_queue import WorkQueue

TEXT = CONTENT_TYPE_LATEST
KNOWN = {True: "true", False: "false", None: "unknown"}
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The counters of one service."""

    def __init__(
        self,
        model: LiveModel,
        queue: WorkQueue,
        pages: Sized = (),
        shadow: Shadow | None = None,
    ) -> None:
        self._registry, self._begun = CollectorRegistry(), 0
        self._requests = Counter(
            "voilearn_requests",
            "Requests that ended, by route and outcome.",
            ["route", "outcome"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "voilearn_stage_seconds",
            "Seconds of a photo's way: receive, wait, decode, predict, and total.",
            ["stage"],
            buckets=SECONDS,
            registry=self._registry,
        )
        in_flight = Gauge(
            "voilearn_requests_in_flight", "Requests not yet answered.", registry=self._registry
        )
        in_flight.set_function(lambda: self._begun - len(pages))
        self._registry.register(_State(model, queue, pages))
        if shadow:
            self._registry.register(_Shadowed(shadow))
        self._scope = Counter(
            "voilearn_photos_answered",
            "Photos that were answered, by whether they are of what the model knows: true, false, "
            "or unknown where it can't tell.",
            ["in_scope"],
            registry=self._registry,
        )
        for known in KNOWN.values():
            self._scope.labels(known)
        ProcessCollector(registry=self._registry)

    def begin(self) -> None:
        """Count a request that came."""
        self._begun += 1

    def end(self, route: str, outcome: str, stages: Mapping[str, float]) -> None:
        """Count a request that ended; `stages` are seconds, by name."""
        self._begun -= 1
        self._requests.labels(route, outcome).inc()
        for stage, seconds in stages.items():
            self._seconds.labels(stage).observe(seconds)

    def answered(self, photo: bytes, prediction: Prediction) -> None:
        """Count an answer, of which nothing else is looked at."""
        self._scope.labels(KNOWN[prediction.in_scope]).inc()

    def text(self) -> bytes:
        """Return all of it in Prometheus's text format."""
        return generate_latest(self._registry)


class _State(Collector):
    """What is true at the moment it is asked for."""

    def __init__(self, model: LiveModel, queue: WorkQueue, pages: Sized) -> None:
        self._model, self._queue, self._pages = model, queue, pages

    def collect(self) -> list[Metric]:
        """Return the queue's and the model's state."""
        queue, model = self._queue, self._model
        state: list[Metric] = [
            GaugeMetricFamily("voilearn_queue_depth", "Photos waiting.", queue.depth),
            GaugeMetricFamily("voilearn_queue_places", "Photos that may wait.", queue.places),
            GaugeMetricFamily("voilearn_pages_open", "Pages that listen.", len(self._pages)),
            GaugeMetricFamily("voilearn_workers", "Photos worked on at once.", queue.workers),
            GaugeMetricFamily("voilearn_workers_busy", "Workers at work.", queue.busy),
            GaugeMetricFamily(
                "voilearn_load",
                "Photos waiting or worked on, for each worker: above 1, some wait.",
                (queue.depth + queue.busy) / queue.workers,
            ),
            GaugeMetricFamily(
                "voilearn_model_refused",
                "1 while the model's file is one that was refused.",
                model.refused is not None,
            ),
        ]
        changes = CounterMetricFamily(
            "voilearn_model_changes", "New model files, by outcome.", labels=["outcome"]
        )
        changes.add_metric(["replaced"], model.swaps)
        changes.add_metric(["refused"], model.refusals)
        state.append(changes)
        if served := model.served:
            info = GaugeMetricFamily(
                "voilearn_model", "The model that answers.", labels=["name", "sha256", "runtime"]
            )
            told = served.classify
            info.add_metric([told.info.name, told.info.sha256, told.runtime], 1)
            state += [
                info,
                GaugeMetricFamily(
                    "voilearn_model_loaded_timestamp_seconds",
                    "When it was loaded, in Unix time.",
                    served.since.timestamp(),
                ),
            ]
        return state


class _Shadowed(Collector):
    """What a second model was found to say of the same photos."""

    def __init__(self, shadow: Shadow) -> None:
        self._shadow = shadow

    def collect(self) -> list[Metric]:
        """Return which model it is, and how often it says something else."""
        shadow = self._shadow
        loaded = GaugeMetricFamily(
            "voilearn_shadow", "The shadow's model.", labels=["name", "sha256", "runtime"]
        )
        if told := shadow.classify:
            loaded.add_metric([told.info.name, told.info.sha256, told.runtime], 1)
        photos = CounterMetricFamily(
            "voilearn_shadow_photos", "Photos shown to the shadow.", labels=["outcome"]
        )
        for outcome in OUTCOMES:
            photos.add_metric([outcome], shadow.outcomes[outcome])
        counted, buckets = 0, []
        for bound in BOUNDS:
            counted += shadow.distances[bound]
            buckets.append((str(bound), counted))
        apart = HistogramMetricFamily(
            "voilearn_shadow_difference",
            "The largest difference of a class's probability between the two models.",
            [*buckets, ("+Inf", counted)],
            shadow.distance,
        )
        failed = GaugeMetricFamily(
            "voilearn_shadow_refused",
            "1 if the shadow's model could not be loaded.",
            shadow.reason is not None,
        )
        return [loaded, failed, photos, apart]
