"""A keystroke in a prompt of 20,000 words, on the workbench's page in Chromium: until the next paint.

`python -m tests.benchmarks.typing` on its own; `make bench` calls it too.
"""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import asdict, dataclass

from playwright.sync_api import Page, sync_playwright

from tests.benchmarks.bench_stack import PROJECT, BenchStack, bench_stack
from tests.browser import find_or_install_browser

WORDS = 20_000
KEYS = 300
#: Fast typing, with a pause after each word: what waits for one (the document, the draft, the check)
#: comes between the keys, as it does for a person.
BETWEEN_KEYS_MS = 40
PAUSE_MS = 400
TYPED = "quick {{ brown }} fox "
#: From the key's own time until the first task after the frame in which it was drawn.
_WATCH = """() => {
  window.keys = [];
  document.addEventListener("keydown", (event) => {
    const began = event.timeStamp;
    requestAnimationFrame(() => {
      const painted = new MessageChannel();
      painted.port1.onmessage = () => window.keys.push(performance.now() - began);
      painted.port2.postMessage(null);
    });
  }, { capture: true });
}"""


@dataclass(frozen=True)
class Typing:
    """Milliseconds of a keystroke, in the middle of the text and at its end together."""

    words: int
    characters: int
    keys: int
    median_ms: float
    p95_ms: float
    worst_ms: float


def long_text() -> str:
    """Paragraphs with a variable each, as prompts with many instructions and examples have."""
    sentence = "When the customer asks about {{ topic }}, answer in two short sentences and name the page. "
    words = sentence * (WORDS // len(sentence.split()) + 1)
    kept = words.split(" ")[:WORDS]
    return "\n".join(" ".join(kept[start : start + 60]) for start in range(0, WORDS, 60))


def measure(stack: BenchStack) -> Typing:
    text = long_text()
    stack.api("prompts/", {"name": "Long"})
    stack.api(
        "prompts/long/versions/", {"messages": [{"role": "user", "content": text}], "commit_message": "x"}
    )
    stack.open_page(f"p/{PROJECT}/prompts/")  # signed in
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.getuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=find_or_install_browser(), args=arguments)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "llmops_session", "value": stack.cookie, "url": stack.url}])
        page = context.new_page()
        page.goto(f"{stack.url}/p/{PROJECT}/prompts/long/", wait_until="networkidle")
        times = _type(page)
        browser.close()
    in_order = sorted(times)
    return Typing(
        words=WORDS,
        characters=len(text),
        keys=len(times),
        median_ms=statistics.median(times),
        p95_ms=in_order[int(len(in_order) * 0.95)],
        worst_ms=in_order[-1],
    )


def _type(page: Page) -> list[float]:
    page.get_by_label("Text of message 1", exact=True).click()  # the middle of what is shown
    page.keyboard.type("warm up ", delay=BETWEEN_KEYS_MS)
    page.wait_for_timeout(2000)
    page.evaluate(_WATCH)
    for place in ("PageDown", "Control+End"):
        for _ in range(40 if place == "PageDown" else 1):
            page.keyboard.press(place)
        page.wait_for_timeout(1000)
        page.evaluate("window.keys.length = 0") if place == "PageDown" else None
        _type_words(page, KEYS // 2)
    times: list[float] = page.evaluate("window.keys")
    return times


def _type_words(page: Page, keys: int) -> None:
    for number in range(keys):
        page.keyboard.press("Space" if TYPED[number % len(TYPED)] == " " else TYPED[number % len(TYPED)])
        page.wait_for_timeout(PAUSE_MS if TYPED[number % len(TYPED)] == " " else BETWEEN_KEYS_MS)


def main() -> None:
    with bench_stack() as stack:
        print(json.dumps(asdict(measure(stack)), indent=1))


if __name__ == "__main__":
    main()
