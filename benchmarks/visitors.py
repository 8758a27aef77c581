"""Measure what visitors cost: the page, beside the book's notebook in Voilà and Gradio, in one run.

In come a resnet18, trained here for an epoch, and the photos; out go tables for people: the memory
of one visitor's kernel and of everything with 20 visitors, who each have a page open in a real
browser and three answers, and the seconds to the page's last byte. The service's page has 200
visitors: for that many browsers there is no room, so all but one are connections (crowd.py). Memory
is of one tool at a time, times are medians of the tools taken in turn.

    python benchmarks/visitors.py --peers .venv-peers/bin/python
"""

import argparse
import contextlib
import gzip
import http.client
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, TimeoutError, expect, sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.browser import chromium  # noqa: E402
from benchmarks.compiled import spread  # noqa: E402
from benchmarks.crowd import crowd, warm  # noqa: E402
from benchmarks.open_pages import allow_files  # noqa: E402
from benchmarks.processes import (  # noqa: E402
    Memory,
    Server,
    command,
    free_port,
    given_path,
    pss,
    running,
)
from benchmarks.resnet18 import PHOTOS, make, photos_needed  # noqa: E402
from tests.browser import visitor, ways  # noqa: E402
from tests.browser.chromium import QUIET  # noqa: E402

PEERS = ROOT / "benchmarks" / "peers"
NEEDED = ("app.ipynb", "app.toml", "voilearn", "voila.json", ".jupyter", "requirements.txt")
LONGEST = 120_000  # milliseconds for anything on a page
TOKEN = "a-token-for-this-benchmark"
ANSWERS = 3
# What a page has when the cells have run: one by Voilà's own template, and one by ours.
SHOWN = ("widget-view+json", 'class="voilearn-kernel"')
OURS, ONNX = "Voilearn, export.pkl", "Voilearn, export.onnx"
SERVICE = "Voilearn, service"
STOCK, GRADIO = "the book's notebook", "Gradio"
MOST_EACH = 0.1  # MB that one more visitor of the service's page may cost

Ask = Callable[[Path], None]
Arrive = Callable[[Page, Server, str], Ask]


@dataclass(frozen=True)
class Site:
    """A page to visit: how its server is started and where it is; `arrive` opens it.

    `ready` can be asked for without starting a kernel.
    """

    start: Callable[[int], Sequence[object]]
    folder: Path
    ready: str = ""
    path: str = ""
    home: Path | None = None
    arrive: Arrive | None = None

    @contextlib.contextmanager
    def serving(self) -> Iterator[Server]:
        """Run its server, and forget its folders afterwards."""
        port = free_port()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
            start = list(map(str, self.start(port)))
            with running(start, self.ready, self.folder, Path(scratch), port, self.home) as server:
                server.settle()  # a kernel may be made ahead
                yield server


@dataclass
class Cost:
    """What visitors cost: the first one's kernel alone, each one's among all, and everything.

    Alone, a kernel is all that holds the libraries that it opened; among others it shares them.
    """

    kernel: int = 0
    among: int = 0
    visitors: int = 0
    processes: list[Memory] = field(default_factory=list)
    alone: int = 0  # everything, when the first has come and left

    @property
    def each(self) -> float:
        """Return by how much each visitor adds to everything."""
        return (pss(self.processes) - self.alone) / self.visitors


def arrive_ours(page: Page, server: Server, url: str) -> Ask:
    """Open our page; return what asks it about a photo."""
    scratch = server.scratch
    there = ways.Server("voila", server.url, url, server.process, scratch / "log", *[scratch] * 3)
    here = visitor.Visitor(page, there).arrive()

    def ask(photo: Path) -> None:
        here.ask(photo.read_bytes(), photo.name)

    return ask


def arrive_stock(page: Page, server: Server, url: str) -> Ask:
    """Open the book's page; return what asks it about a photo."""
    page.goto(url, wait_until="domcontentloaded")
    upload = page.locator(".widget-upload")
    upload.wait_for()
    answer = page.locator(".widget-label").last

    def ask(photo: Path) -> None:
        old = answer.text_content() or ""
        with page.expect_file_chooser() as chooser:
            upload.click()
        chooser.value.set_files(photo)
        expect(upload).to_contain_text("(1)")
        for _ in range(10):  # it does not say when it has the photo: a press may come too early
            page.get_by_role("button", name="Classify").click()
            with contextlib.suppress(AssertionError):
                expect(answer).not_to_have_text(old, timeout=10_000)
                return
        raise TimeoutError("The book's notebook gave no new answer.")

    return ask


def arrive_gradio(page: Page, server: Server, url: str) -> Ask:
    """Open Gradio's page; return what asks it about a photo."""
    page.goto(url, wait_until="domcontentloaded")
    upload = page.locator('input[type="file"]').first
    upload.wait_for(state="attached")
    answer = page.get_by_test_id("label-output-value")

    def ask(photo: Path) -> None:
        page.get_by_role("button", name="Clear", exact=True).last.click()
        expect(answer).to_have_count(0)
        upload.wait_for(state="attached")
        upload.set_input_files(photo)
        page.get_by_test_id("image").locator("img").first.wait_for()
        page.get_by_role("button", name="Submit", exact=True).click()
        answer.wait_for()

    return ask


def visit(site: Site, browser: Browser, photos: Sequence[Path], count: int, more: int = 0) -> Cost:
    """Let so many visitors come and stay, each with its answers; return what they cost.

    One comes before and leaves, so that nobody pays for what is done once. There may be more of the
    service's page, without a browser (crowd.py).
    """
    cost = Cost()
    with site.serving() as server, contextlib.ExitStack() as pages:
        with contextlib.ExitStack() as early:
            page = stay(site, server, browser, photos[:1], early)
            kernel = kernel_of(page.content())
        if kernel:
            end_kernel(server, kernel)
        if more:
            warm(server.port, photos, more)
        server.settle()
        cost.alone = pss(server.memory())
        for number in range(count):
            stay(site, server, browser, photos, pages)
            if not number:
                server.settle()
                cost.kernel = max((taken.uss for taken in kernels(server)), default=0)
        if more:
            pages.enter_context(crowd(server.port, photos, more))
        server.settle(longest=15)  # a page is told now and then that its service is there
        cost.visitors, cost.processes = count + more, server.memory()
        if all_of_them := kernels(server):
            cost.among = int(statistics.median(taken.uss for taken in all_of_them))
    return cost


def stay(
    site: Site,
    server: Server,
    browser: Browser,
    photos: Sequence[Path],
    until: contextlib.ExitStack,
) -> Page:
    """Bring one visitor, who asks about the photos and then stays until the stack is closed."""
    context = browser.new_context(viewport={"width": 1000, "height": 800})
    until.callback(context.close)
    context.set_default_timeout(LONGEST)
    page = context.new_page()
    assert site.arrive is not None
    ask = site.arrive(page, server, server.url + site.path)
    for photo in photos:
        ask(photo)
    return page


def kernels(server: Server) -> list[Memory]:
    """Return what the kernels behind a server's pages take."""
    ids = {process.pid for process in server.kernels()}
    return [taken for taken in server.memory() if taken.pid in ids]


def opened(server: Server, path: str) -> tuple[float, int, str]:
    """Get a page as a browser does; return seconds to its last byte, bytes, and its kernel."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONGEST / 1000)
    began = time.perf_counter()
    connection.request("GET", f"/{path}", headers={"Accept-Encoding": "gzip"})
    answer = connection.getresponse()
    body = answer.read()
    seconds = time.perf_counter() - began
    packed = answer.headers["Content-Encoding"] == "gzip"
    html = (gzip.decompress(body) if packed else body).decode()
    if answer.status != 200 or not any(mark in html for mark in SHOWN):
        raise RuntimeError(f"There is no page, but {answer.status}:\n{server.log_tail()}")
    return seconds, len(body), kernel_of(html)


def kernel_of(html: str) -> str:
    """Return the id of the kernel behind a page of Voilà, or nothing of another page."""
    found = re.search(r'"kernelId":\s*"([0-9a-f-]+)"', html)
    return found[1] if found else ""


def end_kernel(server: Server, kernel: str) -> None:
    """End a kernel as its page does when it is left, unless it has; wait until it is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    # the server asks that a cookie and a header agree, whatever they say
    headers = {"Authorization": f"token {TOKEN}", "Cookie": "_xsrf=00", "X-XSRFToken": "00"}
    connection.request("POST", f"/voila/api/shutdown/{kernel}", headers=headers)
    status = connection.getresponse().status
    if status not in (204, 404):
        raise RuntimeError(f"A kernel could not be ended: {status}\n{server.log_tail()}")
    while any(kernel in word for process in server.kernels() for word in command(process)):
        time.sleep(0.1)
    server.settle()  # another may be made ahead


def open_in_turn(sites: dict[str, Site], rounds: int) -> dict[str, tuple[list[float], int]]:
    """Open each page in turn; return its seconds, and its bytes on the wire.

    One visit before warms each server.
    """
    found: dict[str, tuple[list[float], int]] = {}
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(site.serving()) for name, site in sites.items()}
        for turn in range(rounds + 1):
            for name, site in sites.items():
                seconds, size, kernel = opened(servers[name], site.path)
                end_kernel(servers[name], kernel)
                if turn:
                    found.setdefault(name, ([], size))[0].append(seconds)
    return found


def ready(folder: Path) -> str:
    """Return what tells that a server of notebooks is there, and starts no kernel."""
    ours = (folder / "voilearn").exists()
    return "voila/files/voilearn/page/page.css" if ours else "voila/static/voila.js"


def voila(folder: Path, notebook: str, arrive: Arrive | None = None) -> Site:
    """Return a page as Voilà itself serves it."""
    start = [sys.executable, "-m", "voila", notebook, "--no-browser", "--Voila.port_retries=0"]
    return Site(lambda port: [*start, f"--port={port}"], folder, ready(folder), arrive=arrive)


def jupyter(folder: Path, notebook: str, home: Path | None = None) -> Site:
    """Return a page as Jupyter Server serves it, with the settings in a home folder."""
    start = [sys.executable, "-m", "jupyter_server", "--no-browser", "--ip=127.0.0.1"]
    start += ["--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", "--allow-root"]
    path = f"voila/render/{notebook}?token={TOKEN}"
    return Site(lambda port: [*start, f"--port={port}"], folder, ready(folder), path, home)


def gradio(
    peers: Path, script: str, export: Path, folder: Path, arrive: Arrive | None = None
) -> Site:
    """Return a page of Gradio, which is one of the scripts in peers/."""
    start = [peers, PEERS / script, export]
    return Site(lambda port: [*start, port], folder, arrive=arrive)


def service(model: Path, folder: Path) -> Site:
    """Return the page as the service serves it, with the compiled model of a folder.

    The author's words are those of the notebook's page.
    """
    folder.mkdir()
    for file in (
        ROOT / "app.ipynb",
        ROOT / "app.toml",
        model / "export.onnx",
        model / "export.json",
    ):
        shutil.copy(file, folder)
    start = [sys.executable, "-m", "voilearn", "serve", "--model", folder / "export.onnx"]
    return Site(
        lambda port: [*start, "--public", "--port", port], ROOT, "readyz", arrive=arrive_ours
    )


def our_page(model: Path, folder: Path, file: str) -> Path:
    """Write our page for a model's file into a folder of its own; return the folder.

    What it can do without, an app.toml or an export.json, is not there for every model.
    """
    folder.mkdir()
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, folder)
    shutil.copy(model / file, folder)
    if (about := model / "export.json").exists():
        shutil.copy(about, folder)
    notebook = (ROOT / "app.ipynb").read_text()
    assert "export.pkl" in notebook
    (folder / "app.ipynb").write_text(notebook.replace("export.pkl", file))
    return folder


def stock_page(model: Path, folder: Path) -> Path:
    """Write the book's page into a folder of its own; return the folder."""
    folder.mkdir()
    shutil.copy(PEERS / "stock.ipynb", folder)
    shutil.copy(model / "export.pkl", folder)
    return folder


def htop(processes: Sequence[Memory]) -> Iterator[str]:
    """Return the lines of a list of processes, as htop has it, the largest first."""
    yield f"{'PID':>8} {'RSS MB':>8} {'USS MB':>8} {'PSS MB':>8}  COMMAND"
    for one in sorted(processes, key=lambda taken: -taken.pss):
        sizes = " ".join(f"{size / 1e6:8.1f}" for size in (one.rss, one.uss, one.pss))
        yield f"{one.pid:8} {sizes}  {one.command}"
    sizes = " ".join(
        f"{sum(each) / 1e6:8.1f}" for each in zip(*(taken[2:] for taken in processes), strict=True)
    )
    yield f"{'together':>8} {sizes}"


def cost_table(costs: dict[str, Cost]) -> Iterator[str]:
    """Return the lines of the table of memory."""
    yield (
        "| | the first visitor's kernel, USS MB | visitors | each kernel among all, USS MB "
        "| everything, PSS MB | MB a visitor | each adds, MB |"
    )
    yield "|---|---|---|---|---|---|---|"
    for name, cost in costs.items():
        everything = pss(cost.processes) / 1e6
        first, among = (f"{size / 1e6:.0f}" if size else "" for size in (cost.kernel, cost.among))
        each = everything / cost.visitors
        yield (
            f"| {name} | {first} | {cost.visitors} | {among} | {everything:.0f} | {each:.1f} "
            f"| {cost.each / 1e6:.2f} |"
        )


def cost_ratios(costs: dict[str, Cost]) -> Iterator[str]:
    """Return ours over theirs in words, and what each visitor of the service's page costs."""
    if SERVICE in costs:
        count, each = costs[SERVICE].visitors, costs[SERVICE].each / 1e6
        verdict = "yes" if each <= MOST_EACH else "NO"
        told = f"Each of {count} visitors, {SERVICE}"
        yield f"{told}: {each:.3f} MB, at most {MOST_EACH}: {verdict}"
    for ours in (OURS, ONNX):
        if ours in costs and STOCK in costs:
            ratio = costs[ours].kernel / costs[STOCK].kernel
            yield f"The first visitor's kernel, {ours} over {STOCK}: {ratio:.2f}"
            ratio = costs[ours].among / costs[STOCK].among
            yield f"Each kernel among all, {ours} over {STOCK}: {ratio:.2f}"
        if ours in costs and GRADIO in costs:
            ratio = pss(costs[ours].processes) / pss(costs[GRADIO].processes)
            count = costs[ours].visitors
            yield f"Everything with {count} visitors, {ours} over {GRADIO}: {ratio:.2f}"


def opened_table(found: dict[str, tuple[list[float], int]]) -> Iterator[str]:
    """Return the lines of the table of the pages' last bytes; the peers are the last two."""
    yield "| page to its last byte | seconds, median (lowest to highest) | MB on the wire |"
    yield "|---|---|---|"
    for name, (seconds, size) in found.items():
        spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
        yield f"| {name} | {statistics.median(seconds):.3f} ({spread}) | {size / 1e6:.2f} |"


def opened_ratios(found: dict[str, tuple[list[float], int]]) -> Iterator[str]:
    """Return ours over theirs in words, each way of serving by itself."""
    for name, (seconds, _) in found.items():
        if not name.startswith(STOCK):
            way = name.partition(", ")[2].removeprefix("preheated ")
            theirs = statistics.median(found[f"{STOCK}, {way}"][0])
            ratio = statistics.median(seconds) / theirs
            yield f"Page to its last byte, {name} over {STOCK}, {way}: {ratio:.4f}"


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=given_path, help="the Python that the other tools are in")
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--stock", type=int, default=3, help="visitors of the book's notebook")
    parser.add_argument("--crowd", type=int, default=200, help="visitors of the service's page")
    parser.add_argument("--rounds", type=int, default=5, help="of opening the pages; 0 for none")
    parser.add_argument("--resnet18", type=given_path, help="the folder of one made before")
    return parser.parse_args()


def main() -> None:
    """Make the pages, visit them, print."""
    chosen = options()
    photos_needed()
    allow_files(2 * chosen.crowd)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make(folder, chosen.resnet18)
        peers = chosen.peers or Path(sys.executable)
        classes = sorted((PHOTOS / "bears").iterdir())
        photos = [spread(sorted(path.iterdir()), 2)[1] for path in classes][:ANSWERS]
        pkl = our_page(model, folder / "pkl", "export.pkl")
        onnx = our_page(model, folder / "onnx", "export.onnx")
        stock = stock_page(model, folder / "stock")
        sites = {
            OURS: voila(pkl, "app.ipynb", arrive_ours),
            ONNX: voila(onnx, "app.ipynb", arrive_ours),
            GRADIO: gradio(
                peers, "gradio_app.py", model / "export.pkl", stock, arrive=arrive_gradio
            ),
            SERVICE: service(model, folder / "served"),
            STOCK: voila(stock, "stock.ipynb", arrive_stock),
        }
        costs = {}
        with sync_playwright() as playwright:
            for site_name, site in sites.items():
                real = {STOCK: chosen.stock, SERVICE: min(chosen.crowd, 1)}
                if not (count := real.get(site_name, chosen.visitors)):
                    continue
                more = chosen.crowd - 1 if site_name == SERVICE else 0
                browser = playwright.chromium.launch(
                    executable_path=chromium(playwright), args=list(QUIET)
                )
                costs[site_name] = visit(site, browser, photos, count, more)
                browser.close()
        pages = {
            "Voilearn, Jupyter Server": jupyter(pkl, "app.ipynb", pkl),
            f"{STOCK}, Jupyter Server": jupyter(stock, "stock.ipynb"),
            "Voilearn, preheated voila": sites[OURS],
            f"{STOCK}, voila": sites[STOCK],
        }
        found = open_in_turn(pages, chosen.rounds) if chosen.rounds else {}
    print(f"resnet18; every visitor has a page open and {ANSWERS} answers\n")
    print("\n".join([*cost_table(costs), "", *cost_ratios(costs)]))
    for site_name, cost in costs.items():
        print(f"\n{site_name}, {cost.visitors} visitors\n\n```")
        print("\n".join(htop(cost.processes)))
        print("```")
    if found:
        print(f"\n{chosen.rounds} rounds\n")
        print("\n".join([*opened_table(found), "", *opened_ratios(found)]))


if __name__ == "__main__":
    main()
