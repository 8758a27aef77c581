"""Which browser is driven, and how it is kept from asking anybody for anything.

In comes nothing; out go names to look for, and arguments. The benchmarks drive the same.
"""

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The same engine without a window's frame, menus and extensions: tests take a quarter less of the
# processors. What is asked of all engines, `make matrix` and the benchmarks have the whole browser.
SHELL = "chromium-headless-shell"
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
