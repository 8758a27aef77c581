"""The service's contract: routes, answers, errors, headers."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from PIL import Image
from starlette.testclient import TestClient

from tests import onnx_files
from tests.conftest import encode
from voilearn import __version__
from voilearn.limits import LIMITS
from voilearn.model import load_classify
from voilearn.service.app import make_app
from voilearn.service.live_model import LiveModel
from voilearn.service.service import Service
from voilearn.service.work_queue import WorkQueue
from voilearn.wire import CHALLENGE, PROOF, proof

RED = encode(Image.new("RGB", (40, 30), (250, 0, 0)), "JPEG")
TOKEN = "a token of some length"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_files.write(tmp_path_factory.mktemp("model"), onnx_files.model())


@pytest.fixture(scope="module")
def model(path: Path) -> LiveModel:
    model = LiveModel(path)
    model.load()
    return model


@pytest.fixture
def service(model: LiveModel) -> Iterator[Service]:
    queue = WorkQueue(workers=2, places=8, share=8)
    yield Service(model, queue)
    queue.close()


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(make_app(service))


def problem(answer: Any, status: int, kind: str) -> dict[str, Any]:
    """The problem in an answer, which is one of RFC 9457."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert {"type", "title", "status", "detail", "request_id"} <= set(told)
    assert (told["type"], told["status"]) == (f"urn:voilearn:{kind}", status)
    assert told["request_id"] == answer.headers["x-request-id"]
    return dict(told)


def test_a_photo_gets_the_prediction_that_the_model_gives(client: TestClient, path: Path) -> None:
    answer = client.post("/v1/classify", content=RED)
    assert answer.status_code == 200
    assert answer.json() == load_classify(path)(RED).to_dict()


@pytest.mark.parametrize(
    "kind", ["image/jpeg", "image/png", "application/x-www-form-urlencoded", "text/plain", None]
)
def test_the_content_type_of_a_photo_does_not_matter(client: TestClient, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    assert client.post("/v1/classify", content=RED, headers=headers).json()["label"] == "red"


@pytest.mark.parametrize("padding", [0, 3_000_000])
def test_a_form_with_the_field_photo_is_as_good(client: TestClient, padding: int) -> None:
    photo = RED + bytes(padding)
    answer = client.post("/v1/classify", files={"photo": ("p.jpg", photo)}, data={"other": "x"})
    assert answer.json()["label"] == "red"


@pytest.mark.parametrize(
    "form",
    [
        {"files": {"picture": ("p.jpg", RED)}},
        {"files": [("photo", ("a.jpg", RED)), ("photo", ("b.jpg", RED))]},
        {"content": b"--x", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"nothing", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    ],
    ids=["another field", "two files", "no boundary", "no parts"],
)
def test_a_form_without_one_photo_is_told_how_to_send_one(
    client: TestClient, form: dict[str, Any]
) -> None:
    told = problem(client.post("/v1/classify", **form), 400, "BadRequest")
    assert "photo" in told["detail"]


@pytest.mark.parametrize(
    ("photo", "status", "kind"),
    [
        (b"", 422, "EmptyPhoto"),
        (b"no picture", 415, "UnsupportedPhoto"),
        (RED[:200], 422, "DamagedPhoto"),
        (bytes(LIMITS.bytes + 1), 413, "PhotoTooLarge"),
    ],
)
def test_a_photo_that_is_no_good_is_a_problem(
    client: TestClient, photo: bytes, status: int, kind: str
) -> None:
    problem(client.post("/v1/classify", content=photo), status, kind)
    if photo:
        problem(client.post("/v1/classify", files={"photo": ("p", photo)}), status, kind)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "br", "gzip, identity"])
def test_a_packed_photo_is_told_to_be_sent_as_it_is(client: TestClient, coding: str) -> None:
    answer = client.post("/v1/classify", content=RED, headers={"content-encoding": coding})
    assert "Content-Encoding says: " in problem(answer, 400, "BadRequest")["detail"]


@pytest.mark.parametrize("coding", ["Identity", "", "identity, identity"])
def test_a_coding_that_is_none_is_taken(client: TestClient, coding: str) -> None:
    answer = client.post("/v1/classify", content=RED, headers={"content-encoding": coding})
    assert answer.json()["label"] == "red"


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [
        ("GET", "/nope", 404),
        ("POST", "/predict", 404),
        ("POST", "/classify", 404),
        ("POST", "/v1/Classify", 404),
        ("OPTIONS", "/nope", 404),
        ("GET", "/docs/files/nope.js", 404),
        ("GET", "/docs/files/%00", 404),
        ("GET", "/v1/classify", 405),
        ("HEAD", "/v1/classify", 405),
        ("PUT", "/v1/classify", 405),
        ("DELETE", "/v1/model", 405),
        ("BREW", "/healthz", 405),
        ("POST", "/docs/files/favicon.png", 405),
    ],
)
def test_what_there_is_not_is_a_problem_that_tells_what_there_is(
    client: TestClient, method: str, route: str, status: int
) -> None:
    answer = client.request(method, route)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("allow" in answer.headers) is (status == 405)
    if method != "HEAD":
        told = answer.json()
        assert told["type"] == "about:blank"
        assert told["detail"]
        assert told["request_id"] == answer.headers["x-request-id"]
        if "classify" in route.lower() or status == 404:
            assert "by POST" in told["detail"]


@pytest.mark.parametrize(
    ("route", "allowed"),
    [("/v1/classify", "POST, OPTIONS"), ("/v1/model", "GET, HEAD, OPTIONS")],
)
def test_an_address_tells_which_methods_it_takes(
    client: TestClient, route: str, allowed: str
) -> None:
    for answer in (client.options(route), client.delete(route)):
        assert answer.headers["allow"] == allowed
    assert (client.options(route).status_code, client.options(route).content) == (204, b"")


@pytest.mark.parametrize("route", ["/v1/classify/", "//v1/classify", "/v1//classify//"])
def test_slashes_too_many_are_forgiven(client: TestClient, route: str) -> None:
    assert client.post(f"http://testserver{route}", content=RED).json()["label"] == "red"


@pytest.mark.parametrize(
    "route", ["/healthz", "/readyz", "/v1/model", "/metrics", "/docs", "/openapi.json", "/v2", "/"]
)
def test_head_tells_what_get_does_without_its_body(client: TestClient, route: str) -> None:
    told = [client.request(method, route, follow_redirects=False) for method in ("HEAD", "GET")]
    assert told[0].status_code == told[1].status_code
    assert told[0].content == b""
    kinds = [answer.headers.get("content-type") for answer in told]
    assert kinds[0] == kinds[1]


def test_head_is_in_the_log_and_metrics_with_its_route(client: TestClient) -> None:
    client.head("/healthz")
    line = 'voilearn_requests_total{outcome="answered",route="/healthz"} 1.0'
    assert line in client.get("/metrics").text


def test_the_model_tells_who_it_is(client: TestClient, path: Path) -> None:
    told = client.get("/v1/model").json()
    info = load_classify(path).info.to_dict()
    assert {name: told[name] for name in info} == info
    assert told["runtime"].startswith("onnxruntime ")
    assert told["version"] == __version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["loaded"])
    assert told["refused"] is None


def test_it_is_alive_before_it_is_ready(path: Path) -> None:
    service = Service(LiveModel(path), WorkQueue(1, 8, 8))
    client = TestClient(make_app(service))
    assert client.get("/healthz").status_code == 200
    for ask in (client.get("/readyz"), client.post("/v1/classify", content=RED)):
        problem(ask, 503, "ServiceNotReady")
        assert ask.headers["retry-after"] == "1"
    assert client.get("/readyz").json()["state"] == "loading"
    problem(client.get("/v1/model"), 503, "ServiceNotReady")
    service.model.load()
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.post("/v1/classify", content=RED).status_code == 200


def test_one_that_drains_is_not_ready_and_still_answers(
    service: Service, client: TestClient
) -> None:
    service.draining = True
    assert client.get("/readyz").json()["state"] == "draining"
    assert client.get("/healthz").status_code == 200
    answer = client.post("/v1/classify", content=RED)
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"


GUARDED = [
    ("POST", "/v1/classify"),
    ("GET", "/v1/model"),
    ("GET", "/metrics"),
    ("GET", "/v2"),
    ("GET", "/v2/models/colours"),
    ("GET", "/v2/models/colours/ready"),
    ("POST", "/v2/models/colours/infer"),
]
OPEN = ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/openapi.json", "/docs"]


@pytest.mark.parametrize(("method", "route"), GUARDED)
@pytest.mark.parametrize(
    "given",
    [
        None,
        "Bearer wrong",
        "Bearer ",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN} ",
        f"Bearer {TOKEN}x",
        "Bearer " + "x" * 60_000,
    ],
)
def test_without_the_token_nothing_is_told(
    service: Service, client: TestClient, method: str, route: str, given: str | None
) -> None:
    service.token = TOKEN.replace(" ", "-")
    headers = {"authorization": given.replace(TOKEN, service.token)} if given else {}
    if given and given.endswith(" ") and len(given) > 10:
        headers = {"authorization": f"Bearer {service.token[:-1]}"}
    answer = client.request(method, route, content=RED, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["type"] == "urn:voilearn:TokenRefused"


def test_with_the_token_everything_is(service: Service, client: TestClient) -> None:
    service.token = "-".join(TOKEN.split())
    headers = {"authorization": f"Bearer {service.token}"}
    for method, route in GUARDED[:-1]:
        answer = client.request(method, route, content=RED, headers=headers)
        assert answer.status_code == 200, route


@pytest.mark.parametrize("route", OPEN)
def test_health_and_documentation_need_no_token(
    service: Service, client: TestClient, route: str
) -> None:
    service.token = "secret"
    assert client.get(route).status_code == 200


def test_it_proves_that_it_knows_the_token_without_telling_it(
    service: Service, client: TestClient
) -> None:
    service.token = "secret"
    assert PROOF not in client.get("/readyz", headers={CHALLENGE: "abc"}).headers
    service.proves = True  # the machine's own
    answer = client.get("/readyz", headers={CHALLENGE: "abc"})
    assert answer.headers[PROOF] == proof("secret", "abc") != proof("secret", "abd")
    assert PROOF not in client.get("/readyz").headers


def test_each_answer_has_an_id_and_its_times(client: TestClient) -> None:
    answer = client.post("/v1/classify", content=RED, headers={"x-request-id": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    stages = re.findall(r"(\w+);dur=([\d.]+)", answer.headers["server-timing"])
    assert [name for name, _ in stages] == ["receive", "wait", "decode", "predict", "total"]
    assert 0 < float(dict(stages)["predict"]) <= float(dict(stages)["total"])
    made = {client.get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3


@pytest.mark.parametrize("bad", ["a b", "x" * 65, "a\tb", "<script>", ""])
def test_an_id_that_is_none_is_replaced(client: TestClient, bad: str) -> None:
    answer = client.get("/healthz", headers={"x-request-id": bad})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


def test_a_page_of_a_named_origin_may_ask_and_no_other(service: Service) -> None:
    service.origins = ["https://example.org"]
    client = TestClient(make_app(service))
    for origin, allowed in (("https://example.org", True), ("https://example.com", False)):
        answer = client.post("/v1/classify", content=b"x", headers={"origin": origin})
        assert answer.status_code == 415
        assert (answer.headers.get("access-control-allow-origin") == origin) is allowed
        asked = {"origin": origin, "access-control-request-method": "POST"}
        asked["access-control-request-headers"] = "authorization,content-type"
        assert (client.options("/v1/classify", headers=asked).status_code == 200) is allowed


def test_no_page_may_ask_unless_it_is_named(client: TestClient) -> None:
    answer = client.post("/v1/classify", content=RED, headers={"origin": "https://example.org"})
    assert "access-control-allow-origin" not in answer.headers
    refused = client.options("/v1/classify", headers=preflight("https://example.org"))
    assert "--allow-origin" in problem(refused, 400, "BadRequest")["detail"]


def preflight(origin: str, method: str = "POST", **headers: str) -> dict[str, str]:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"origin": origin, "access-control-request-method": method, **told}


PRIVATE = {"access_control_request_private_network": "true"}


@pytest.mark.parametrize("origin", ["https://example.org", "null", "https://example.com"])
@pytest.mark.parametrize("origins", [["https://example.org", "null"], ["*"]])
def test_a_page_of_the_internet_may_ask_a_service_of_the_local_network_if_it_is_named(
    service: Service, origin: str, origins: list[str]
) -> None:
    service.origins = origins
    answer = TestClient(make_app(service)).options(
        "/v1/classify", headers=preflight(origin, **PRIVATE)
    )
    allowed = origin in origins or origins == ["*"]
    assert answer.status_code == (200 if allowed else 400)
    told = answer.headers.get("access-control-allow-private-network")
    assert told == ("true" if allowed else None)
    assert "Origin" in answer.headers["vary"]


def test_a_preflight_may_ask_for_any_header_and_for_what_there_is(service: Service) -> None:
    service.origins = ["https://example.org"]
    client = TestClient(make_app(service))
    asked = {"access_control_request_headers": "authorization,x-requested-with,traceparent"}
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 200), ("PUT", 400)):
        headers = preflight("https://example.org", method, **asked)
        answer = client.options("/v1/classify", headers=headers)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        if status == 200:
            named = asked["access_control_request_headers"]
            assert answer.headers["access-control-allow-headers"] == named
            assert int(answer.headers["access-control-max-age"]) > 0
    assert "not by the method" in problem(answer, 400, "BadRequest")["detail"]


def test_a_page_can_read_every_error_and_when_to_try_again(service: Service, path: Path) -> None:
    service.origins, service.token = ["https://example.org"], "secret"
    client = TestClient(make_app(service))
    origin = {"origin": "https://example.org"}
    secret = {**origin, "authorization": "Bearer secret"}
    large = {**secret, "content-length": "60000000"}
    loading = Service(LiveModel(path), WorkQueue(1, 8, 8), origins=["https://example.org"])
    answers = {
        401: client.post("/v1/classify", content=RED, headers=origin),
        404: client.get("/nope", headers=origin),
        405: client.put("/v1/classify", content=RED, headers=origin),
        413: client.post("/v1/classify", content=b"x", headers=large),
        415: client.post("/v1/classify", content=b"x", headers=secret),
        503: TestClient(make_app(loading)).post("/v1/classify", content=RED, headers=origin),
    }
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "https://example.org"
        assert "Retry-After" in answer.headers["access-control-expose-headers"]
        assert answer.json()["detail"]


def test_a_proxy_whose_clients_count_as_one_is_told_once_and_nobodys_address(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(make_app(service), client=("10.1.2.3", 5))
    for headers in (
        {},
        {"x-forwarded-for": "10.1.2.3"},  # as it is once it is believed
        {"x-forwarded-for": "192.0.2.77"},
        {"forwarded": "for=192.0.2.77"},
    ):
        assert client.post("/v1/classify", content=RED, headers=headers).status_code == 200
    (told,) = [r.getMessage() for r in caplog.records if r.name == "voilearn.service.service"]
    assert "X-Forwarded-For" in told
    assert "FORWARDED_ALLOW_IPS" in told
    assert not {address for address in ("192.0.2.77", "10.1.2.3") if address in caplog.text}


def test_a_proxy_that_speaks_only_the_newer_header_is_told(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    client = TestClient(make_app(service))
    client.post("/v1/classify", content=RED, headers={"forwarded": "for=192.0.2.77"})
    assert "in Forwarded whom" in caplog.text


def test_the_metrics_count_what_happened(client: TestClient) -> None:
    client.post("/v1/classify", content=RED)
    client.post("/v1/classify", content=b"x")
    text = client.get("/metrics").text
    for line in (
        'voilearn_requests_total{outcome="answered",route="/v1/classify"} 1.0',
        'voilearn_requests_total{outcome="UnsupportedPhoto",route="/v1/classify"} 1.0',
        'voilearn_stage_seconds_count{stage="predict"} 1.0',
        "voilearn_queue_depth 0.0",
        "voilearn_queue_places 8.0",
        "voilearn_workers 2.0",
        "voilearn_model_refused 0.0",
        'voilearn_model_changes_total{outcome="replaced"} 0.0',
    ):
        assert line in text.splitlines(), line
    assert re.search(
        r'^voilearn_model\{name="colours",runtime="onnx.*",sha256="0{64}"\} 1\.0', text, re.M
    )


def test_a_bug_is_told_to_nobody_but_the_log(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_photo: bytes) -> None:
        raise RuntimeError("a secret detail")

    model = LiveModel(service.model.path)
    model.load()
    assert model.served is not None
    object.__setattr__(model.served, "classify", broken)
    service.model = model
    client = TestClient(make_app(service), raise_server_exceptions=False)
    answer = client.post("/v1/classify", content=RED)
    told = problem(answer, 500, "VoilearnError")
    assert "secret" not in json.dumps(told)


def test_a_line_of_the_log_tells_size_times_and_outcome(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="voilearn.requests"):
        client.post("/v1/classify?secret=1", content=RED, headers={"x-request-id": "it"})
    (line,) = [vars(record) for record in caplog.records if record.name == "voilearn.requests"]
    assert (line["id"], line["route"], line["status"]) == ("it", "/v1/classify", 200)
    assert (line["bytes"], line["outcome"]) == (len(RED), "answered")
    assert set(line["ms"]) == {"receive", "wait", "decode", "predict", "total"}


def test_the_documentation_asks_no_other_host(client: TestClient) -> None:
    page = client.get("/docs").text
    links = re.findall(r"(?:src|href)=\"([^\"]+)\"", page)
    assert links
    for link in links:
        assert link.startswith("docs/")
        assert client.get(f"/{link}").status_code == 200
    assert client.get("/", follow_redirects=False).headers["location"] == "docs"


def test_the_documentation_works_below_whatever_a_proxy_takes_off(client: TestClient) -> None:
    """No address in it begins at the root of its host."""
    page = client.get("/docs").text
    assert "url: 'openapi.json'" in page
    assert "oauth2RedirectUrl" not in page
    assert not re.search(r"""["'](https?:/)?/[\w.]""", page)
    assert client.get("/openapi.json").json()["servers"] == [{"url": "."}]
    assert client.get("/docs/", follow_redirects=False).headers["location"] == "../docs"


@pytest.mark.parametrize("token", [None, "secret"])
def test_the_openapi_document_asks_for_a_token_where_the_service_does(
    service: Service, token: str | None
) -> None:
    service.token = token
    document = TestClient(make_app(service)).get("/openapi.json").json()
    asks = document["paths"]["/v1/classify"]["post"]
    assert ("security" in asks) is ("401" in asks["responses"]) is bool(token)
    assert ("securitySchemes" in document["components"]) is bool(token)


def test_the_openapi_document_has_examples_that_hold(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    classify = document["paths"]["/v1/classify"]["post"]
    assert {"200", "400", "408", "413", "415", "422", "429", "503", "504"} == set(
        classify["responses"]
    )
    example = classify["responses"]["200"]["content"]["application/json"]["example"]
    assert set(example) == set(client.post("/v1/classify", content=RED).json())
    model = document["paths"]["/v1/model"]["get"]["responses"]["200"]["content"]
    assert set(model["application/json"]["example"]) == set(client.get("/v1/model").json())
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
