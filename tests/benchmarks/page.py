"""From the figures of the benchmarks to the page that shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Figures = dict[str, Any]

_HEAD = """# Benchmarks

Written by `make bench` from the figures in `benchmarks.json` beside it; what is measured, and how, stands in
`tests/benchmarks/`. Speed depends on the machine, so the ratios tell more than the seconds."""


def page(measured: dict[str, Figures]) -> str:
    """The page. `measured` maps the name of a benchmark to its figures, machine, date and commit."""
    return (
        "\n\n".join([_HEAD, *(section(name, measured[name]) for name in SECTIONS if name in measured)]) + "\n"
    )


def section(name: str, entry: Figures) -> str:
    """One benchmark's part of the page."""
    when = f"{entry['machine']}; {entry['date']}, commit {entry['commit']}."
    return f"{SECTIONS[name](entry['figures'])}\n\n<sub>{when}</sub>"


def _reference(found: Figures) -> str:
    lines = [
        "## The reference work",
        "",
        "2,000 rows, a provider that answers after 50 ms, 32 calls at once, exact match; through",
        "REST, Celery and Postgres, from the request that starts the run to its terminal state.",
        "The yardstick is a bare asyncio loop over the openai SDK that makes the same calls",
        "and stores nothing, measured in turn with it. No runner can be faster than 3.1 s.",
        "",
        "| `llm` workers | bare loop | ours | ratio (median) | each round | first round after a start |",
        "|---:|---:|---:|---:|---|---:|",
    ]
    for one in found["by_workers"]:
        each = ", ".join(f"{ratio:.2f}" for ratio in one["ratios"])
        lines.append(
            f"| {one['workers']} | {one['bare_s']:.2f} s | {one['ours_s']:.2f} s | {one['ratio']:.2f} "
            f"| {each} | {one['first_ratio']:.2f} |"
        )
    return "\n".join(lines)


def _long(found: Figures) -> str:
    return "\n".join(
        [
            f"## A run of {found['rows']:,} rows",
            "",
            "The same provider and evaluator; page and API are asked every three seconds while it runs.",
            "",
            "| | |",
            "|---|---:|",
            f"| completed | {found['completed']:,} in {found['seconds']:.0f} s |",
            f"| memory of the worker, from the thousandth row to the last | {found['growth_mb']:+.0f} MB |",
            "| time per row in the last tenth, as a multiple of the second tenth's "
            f"| {found['last_to_first']:.2f} |",
            f"| the run's page, median | {found['page_ms']:.0f} ms |",
            f"| `GET /api/v1/eval-runs/{{id}}/`, median | {found['api_ms']:.0f} ms |",
        ]
    )


def _stopping(found: Figures) -> str:
    return "\n".join(
        [
            "## Pause, resume, cancel",
            "",
            "In a run of 20,000 rows under way: seconds from the request until the provider gets no more",
            "calls, or (resume) the first again.",
            "",
            "| pause | resume | cancel |",
            "|---:|---:|---:|",
            f"| {found['pause_s']:.2f} s | {found['resume_s']:.2f} s | {found['cancel_s']:.2f} s |",
        ]
    )


def _fairness(found: Figures) -> str:
    return "\n".join(
        [
            "## A small run beside a large one",
            "",
            "A run of 100 rows, alone and started beside a run of 100,000 rows on the same worker and",
            "the same provider, from the request that starts it until it has ended.",
            "",
            "| alone | beside |",
            "|---:|---:|",
            f"| {found['alone_s']:.2f} s | {found['beside_s']:.2f} s |",
        ]
    )


def _local(found: Figures) -> str:
    same = f"{found['same']:.1%} of the texts are the same"
    lines = [
        "## The embedded model in batches",
        "",
        f"{found['rows']} prompts of 5 to 130 words, greedy, at most {found['max_tokens']} tokens of",
        f"answer, float32 on this processor: one at a time, and in batches of {found['batch']} rows of",
        "like length; each claim of 64 rows is answered both ways, one after the other.",
        "",
        "| one at a time | in batches | ratio | each claim | ratio in processor time |",
        "|---:|---:|---:|---|---:|",
        f"| {found['alone_rows_per_s']:.2f} rows/s | {found['batched_rows_per_s']:.2f} rows/s "
        f"| {found['ratio']:.2f} | {', '.join(f'{pair:.2f}' for pair in found['ratio_of_each_claim'])} "
        f"| {found['ratio_in_processor_time']:.2f} |",
        "",
        f"{same}; {len(found['differing'])} differ{':' if found['differing'] else '.'}",
    ]
    for row in found["differing"]:
        lines += ["", f"- row {row['row']}: `{row['alone']!r}`, in a batch `{row['batched']!r}`"]
    lines += ["", _SIZES, "", "| batch | rows/s | rows a second of processor time | seconds a batch |"]
    lines += ["|---:|---:|---:|---:|"]
    for size in found["sizes"]:
        lines.append(
            f"| {size['batch']} | {size['rows_per_s']:.2f} | {size['rows_per_processor_s']:.2f} "
            f"| {size['seconds_a_batch']:.1f} |"
        )
    return "\n".join(lines)


_SIZES = """Why batches of that size (`docs/adr/0009-batches-of-the-embedded-model.md`): a larger one gains
little, and a person who wants the model waits for the batch at work. The first 64 rows in other sizes:"""


def _comparison(found: Figures) -> str:
    lines = [
        "## The page of a comparison",
        "",
        "From opening a comparison that nothing was computed of: the page's first answer, then the figures,",
        "which a worker makes once and keeps; the page after that; its rows; and the page in a browser,",
        "until the last thing that it loads is there. The median of five rounds, for the last three of ten.",
        "",
        "| runs | rows each | metrics | first answer | figures by a worker | page after that | rows "
        "| in a browser |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found["comparisons"]:
        lines.append(
            f"| {one['runs']} | {one['rows']:,} | {one['metrics']} | {one['first_ms']:.0f} ms "
            f"| {one['figures_s']:.2f} s | {one['later_ms']:.0f} ms | {one['rows_ms']:.0f} ms "
            f"| {one['settled_ms']:.0f} ms |"
        )
    return "\n".join(lines)


def _typing(found: Figures) -> str:
    return "\n".join(
        [
            f"## Typing in a prompt of {found['words']:,} words",
            "",
            f"On the workbench's page in Chromium: from the key to the next paint, {found['keys']} keys in a",
            f"message of {found['characters']:,} characters, with pauses in which drafts are kept.",
            "",
            "| median | 95th percentile | slowest |",
            "|---:|---:|---:|",
            f"| {found['median_ms']:.0f} ms | {found['p95_ms']:.0f} ms | {found['worst_ms']:.0f} ms |",
        ]
    )


def _streaming(found: Figures) -> str:
    lines = [
        "## From the worker to the page",
        "",
        f"A provider on loopback streams {found['words']} words, one every {found['every_ms']:.0f} ms; one",
        "web process, one `interactive` worker. From a piece's arrival at the worker until the page has it;",
        "later pieces are gathered for up to 25 ms. The last column is the click until the first piece, the",
        "provider's wait included. Forty pages click within two seconds, and all stream at once after.",
        "",
        "| streams at once | first piece, median | 95th percentile | all pieces, median | 95th percentile "
        "| click to first piece |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for one in found["delays"]:
        lines.append(
            f"| {one['streams']} | {one['first_ms']:.1f} ms | {one['first_p95_ms']:.1f} ms "
            f"| {one['all_ms']:.1f} ms | {one['all_p95_ms']:.1f} ms | {one['click_ms']:.0f} ms |"
        )
    together = all(one["together"] for one in found["delays"])
    lines += [
        "",
        f"{'Each stream' if together else 'Not each stream'} began before any ended. From the click on Stop",
        f"until the page says that the call is cancelled: {found['stop_ms']:.0f} ms, at most "
        f"{found['stop_most_ms']:.0f} ms.",
    ]
    return "\n".join(lines)


def _prompt_list(found: Figures) -> str:
    lines = [
        "## The list of prompts",
        "",
        f"{found['prompts']:,} prompts with {found['versions']} versions each, in 60 folders; fifty rows",
        "a page. From the request to the whole page, with the folders' tree, the tags and, in a search, the",
        "version that matched and an excerpt of it.",
        "",
        "| what is asked | median | slowest of twenty |",
        "|---|---:|---:|",
    ]
    for one in found["pages"]:
        lines.append(f"| {one['asked']} | {one['page_ms']:.0f} ms | {one['worst_ms']:.0f} ms |")
    return "\n".join(lines)


def _thumbs(found: Figures) -> str:
    steady, most = found["steady"], found["most"]
    return "\n".join(
        [
            "## Thumbs of end users",
            "",
            "Votes over HTTP under tokens, each of another user on another answer, on",
            f"{found['connections']} connections; each is on disk before it is answered. Who sends runs on",
            "the same machine.",
            "",
            "| | votes | a second | median | 95 % within | slowest |",
            "|---|---:|---:|---:|---:|---:|",
            f"| {found['rate']} a second, steadily {_votes(steady)}",
            f"| as many as there go {_votes(most)}",
            "",
            f"Of {found['sent']:,} votes sent, {found['kept']:,} are kept, with {found['scored']:,} scores.",
        ]
    )


def _votes(found: Figures) -> str:
    return (
        f"| {found['votes']:,} | {found['a_second']:.0f} | {found['median_ms']:.0f} ms "
        f"| {found['p95_ms']:.0f} ms | {found['worst_ms']:.0f} ms |"
    )


def _span_list(found: Figures) -> str:
    lines = [
        "## The list of spans",
        "",
        f"{found['spans']:,} spans of ninety days, a fifth with a thumb; fifty rows a page, newest first.",
        "From the request to the whole answer, of the page and of REST.",
        "",
        "| what is asked | page, median | slowest of ten | REST, median |",
        "|---|---:|---:|---:|",
    ]
    for one in found["pages"]:
        lines.append(
            f"| {one['asked']} | {one['page_ms']:.0f} ms | {one['worst_ms']:.0f} ms "
            f"| {one['rest_ms']:.0f} ms |"
        )
    return "\n".join(lines)


def _feedback_pages(found: Figures) -> str:
    lines = [
        "## Pages of feedback",
        "",
        f"{found['votes']:,} votes of half a year on a quarter as many answers of 20 prompts; fifty rows a",
        "page. From the request to the whole page.",
        "",
        "| what is asked | median | slowest of twelve |",
        "|---|---:|---:|",
    ]
    for one in found["pages"]:
        lines.append(f"| {one['asked']} | {one['page_ms']:.0f} ms | {one['worst_ms']:.0f} ms |")
    return "\n".join(lines)


def _annotation_queue(found: Figures) -> str:
    together = found["together"]
    lines = [
        "## A queue of items to judge",
        "",
        f"{found['items']:,} items, two annotators each. From the question for the next item until it is",
        "claimed, without the way over HTTP.",
        "",
        "| who asks | median | slowest |",
        "|---|---:|---:|",
    ]
    lines += [
        f"| {one['who']} | {one['median_ms']:.1f} ms | {one['worst_ms']:.1f} ms |" for one in found["claims"]
    ]
    lines += ["", "Pages, from the request to the whole page.", "", "| page | median | slowest of twenty |"]
    lines += ["|---|---:|---:|"]
    lines += [
        f"| {one['asked']} | {one['page_ms']:.0f} ms | {one['worst_ms']:.0f} ms |" for one in found["pages"]
    ]
    lines += [
        "",
        f"{together['annotators']} annotators at once claimed and submitted {together['items']:,} items in",
        f"{together['seconds']:.0f} s, each on a connection of their own; {together['vanished']} times one",
        f"vanished with an item in hand, and {together['sent twice']} submits were sent twice. None was",
        "doubled, lost or stranded.",
    ]
    return "\n".join(lines)


def _fine_tuning(found: Figures) -> str:
    lines = [
        "## Fine-tuning through a job",
        "",
        f"A LoRA adapter of the embedded model, supervised, {found['steps']} steps of four rows on the",
        f"device “{found['device']}”: through a job (REST, Celery, the `gpu` worker, its training process,",
        "the registry), and by the same TRL script run by hand, in turn. The Trainer's own speed, which",
        "counts neither the loading of the model nor its registering.",
        "",
        "| | steps/s | tokens/s | memory |",
        "|---|---:|---:|---:|",
    ]
    for name in ("job", "script"):
        side = found[name]
        lines.append(
            f"| {name} | {side['steps_per_second']:.3f} | {side['tokens_per_second']:,.0f} "
            f"| {side['memory_bytes'] / 1e9:.2f} GB |"
        )
    each = ", ".join(f"{ratio:.3f}" for ratio in found["ratios"])
    lines += ["", f"Median ratio of steps a second: {found['ratio']:.3f} (each pair: {each})."]
    return "\n".join(lines)


def _adapters(found: Figures) -> str:
    lines = [
        "## Adapters on one base",
        "",
        f"{found['prompts']} prompts, each asked of the embedded model and of two adapters on it in one",
        f"queue, greedy, at most {found['max_tokens']} tokens, float32 on this processor; then of each of",
        f"the three on an engine of its own. A switch to the next takes {found['switch_ms']:.1f} ms.",
        "",
        "| | same text as alone | other text than the base |",
        "|---|---:|---:|",
    ]
    for (name, same), other in zip(found["same"].items(), [0, *found["differ_from_base"]], strict=True):
        lines.append(f"| {name} | {same:.1%} | {other:.0%} |")
    return "\n".join(lines)


SECTIONS: dict[str, Callable[[Figures], str]] = {
    "reference": _reference,
    "long": _long,
    "stopping": _stopping,
    "fairness": _fairness,
    "comparison": _comparison,
    "local": _local,
    "streaming": _streaming,
    "prompt-list": _prompt_list,
    "typing": _typing,
    "thumbs": _thumbs,
    "span-list": _span_list,
    "annotation-queue": _annotation_queue,
    "feedback-pages": _feedback_pages,
    "fine-tuning": _fine_tuning,
    "adapters": _adapters,
}
