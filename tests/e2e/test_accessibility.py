"""Every page, in light and dark, on a desktop and on a phone: axe finds nothing, and nothing overflows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.urls import reverse
from playwright.sync_api import Page

from apps.core.links import Purpose, link_create
from apps.core.roles import Role
from tests.e2e.conftest import DESKTOP, PHONE, OpenPage, Watch
from tests.factories.core import PASSWORD, make_member, make_project, make_user
from tests.factories.training import make_job, make_log, make_points, make_samples
from tests.integration.test_permission_matrix import Address, addresses, in_group
from tests.permission_matrix import PAGES, PUBLIC
from tests.world import World, make_world

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

AXE = (Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js").read_text()
THEMES = ("light", "dark")
#: Answers that are no page: files, fragments that only ever stand in a page that is looked at, plain text.
NO_PAGE = {
    "healthz",
    "readyz",
    "core:accounts-audit-export",
    "core:audit-export",
    "core:bell",
    "datasets:export",
    "datasets:import-rejections-file",
    "evaluations:comparison-comment-edit",  # of somebody else's comment there is none
    "evaluations:comparison-panel",
    "evaluations:comparison-report",
    "evaluations:comparison-rows",  # leads to the comparison's page
    "evaluations:comparison-rows-csv",
    "evaluations:comparison-rows-jsonl",
    "evaluations:comparison-summary",
    "evaluations:comparison-texts",
    "evaluations:evaluator-example",
    "evaluations:run-distribution",
    "evaluations:run-export-csv",
    "evaluations:run-export-jsonl",
    "evaluations:run-progress",
    "evaluations:run-news",
    "feedback-js",
    "feedback:chat-answer",
    "feedback:feedback-of-span",
    "feedback:feedback-similar",
    "feedback:judge-badge",
    "feedback:judge-badges",
    "feedback:queue-label-who",
    "feedback:queue-mine",
    "feedback:queue-progress",
    "feedback:training-file",
    "mfa_download_recovery_codes",
    "prompts:export-all",
    "providers:test-status",
    "workbench:call",
    "workbench:calls",
    "workbench:completions",
    "workbench:conversation",
    "workbench:conversations",
    "workbench:draft",
    "workbench:save",
    "workbench:stream",
    "workbench:timeline",
    "workbench:trial-choices",
    "workbench:trial-detail",
    "workbench:values",
    "workbench:values-past",
    "workbench:version-typed",
    "training:job-log",
    "training:job-plan-checks",
    "training:job-plan-parts",
    "training:model-card-file",
    "training:model-export",
    "training:model-measurements",  # leads to the page of the version
    "training:models-of-person",
}
QUERIES = {
    "datasets:diff": "?old=1&new=1",
    "datasets:example-edit": "?key={key}",
    "evaluations:comparison-create": "?baseline={run}",
    "evaluations:evaluator-create": "?kind=exact_match",
    "evaluations:run-create": "?prompt={prompt}&dataset={dataset}",
    "evaluations:run-column": "?dataset={dataset}",
    "feedback:queue-add": "?source=spans",
    "prompts:diff": "?old=1&new=2",
}
LINKS = {
    "core:setup": Purpose.FIRST_ADMIN,
    "core:invitation": Purpose.INVITATION,
    "core:password-reset": Purpose.PASSWORD_RESET,
}
ROOMS = (
    "",
    "providers/",
    "prompts/",
    "datasets/",
    "evaluators/",
    "runs/",
    "comparisons/",
    "traces/",
    "feedback/",
    "feedback/votes/",
    "feedback/chat/",
    "feedback/queues/",
    "feedback/training/",
    "fine-tuning/",
    "models/",
    "members/",
    "api-keys/",
)
#: A constructed style sheet passes the content security policy; colours then change at once with the theme.
STILL = """() => {
  const still = new CSSStyleSheet();
  still.replaceSync("*, *::before, *::after { transition: none !important; animation: none !important; }");
  document.adoptedStyleSheets.push(still);
}"""
#: What depends on the theme; all else is the same in both.
COLOURS = ("color-contrast", "link-in-text-block")
FIND = """async ({within, only}) => {
  const options = {resultTypes: ["violations"]};
  if (only) options.runOnly = {type: "rule", values: only};
  const found = await axe.run(within === "html" ? document : document.querySelector(within), options);
  return found.violations.flatMap((rule) => rule.nodes.map(
    (node) => [rule.id, rule.help, node.html.slice(0, 160), ...node.any.map((one) => one.message)].join(": ")
  ));
}"""
OVERFLOWS = """() => {
  const page = document.documentElement;
  if (page.scrollWidth <= page.clientWidth) return "";
  const wide = [...document.body.querySelectorAll("*")].filter(
    (one) => one.getBoundingClientRect().right > page.clientWidth + 1 && !one.closest(".table-responsive")
  );
  const named = wide.slice(0, 5).map((one) => one.outerHTML.slice(0, 90));
  return `${page.scrollWidth} pixels wide: ${named.join(" | ")}`;
}"""


#: Pages of an account that has two-factor sign-in; the others are seen as somebody who has not.
SECOND_FACTOR = {
    "mfa_deactivate_totp",
    "mfa_view_recovery_codes",
    "mfa_generate_recovery_codes",
    "mfa_reauthenticate",
}
GROUPS = (
    *("", "core", "providers", "prompts", "datasets", "evaluations", "workbench", "traces", "feedback"),
    "training",
)


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()


@pytest.mark.parametrize("group", GROUPS)
def test_pages(group: str, live_server: Any, world: World, open_page: OpenPage, watch: Watch) -> None:
    watch.expect("Failed to load resource")  # a page that is refused says so by its status
    admin = make_member(
        world.project, Role.ADMIN, make_user("ada@example.com", superuser=True, password=PASSWORD)
    )
    pages = {None: open_page(live_server.url), admin: open_page(live_server.url, user=admin)}
    if group == "":
        secured = make_member(world.project, Role.ADMIN, make_user("second-factor@example.com"))
        TOTP.activate(secured, "JBSWY3DPEHPK3PXP")
        RecoveryCodes.activate(secured)
        pages[secured] = open_page(live_server.url, user=secured)
    wrong: list[str] = []
    for address in addresses():
        entry = PAGES.get(address.name, {})
        if "GET" not in entry or address.name in NO_PAGE or not in_group(group, address.name):
            continue
        who = secured if address.name in SECOND_FACTOR else None if entry["GET"] == PUBLIC else admin
        page = pages[who]
        answer = page.goto(path_of(address, world), wait_until="load")
        if answer is None or answer.status >= 400:
            wrong.append(f"{address.name}: answered {answer and answer.status}")
        if address.name == "workbench:prompt":
            page.locator(".cm-content").first.wait_for()  # its script draws the editors
            page.locator("#version-scores table").wait_for()
        wrong += problems(page, address.name)
    assert not wrong, "\n".join(sorted(set(wrong)))


def test_refusals_and_empty_pages(live_server: Any, world: World, open_page: OpenPage, watch: Watch) -> None:
    watch.expect("Failed to load resource")
    viewer = open_page(live_server.url, user=make_member(world.project, Role.VIEWER))
    fresh = make_project("Nothing yet")
    admin = open_page(live_server.url, user=make_member(fresh, Role.ADMIN))
    training = make_job(world.project, status="running", dataset_version=world.training_set.dataset_version)
    make_points(training, 20)
    make_samples(training, [0, 10])
    make_log(training, ["Training."])
    wrong: list[str] = []
    for page, path, status in (
        (viewer, f"/p/{world.project.slug}/settings/", 403),
        (viewer, "/no/such/page/", 404),
        (viewer, f"/p/{world.project.slug}/runs/{world.live_run.number}/", 200),
        (viewer, f"/p/{world.project.slug}/fine-tuning/{training.number}/", 200),
        *((admin, f"/p/{fresh.slug}/{room}", 200) for room in ROOMS),
    ):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status, path
        wrong += problems(page, path)
    assert not wrong, "\n".join(sorted(set(wrong)))


def path_of(address: Address, world: World) -> str:
    """The page's address with what it needs to be more than an error."""
    purpose = LINKS.get(address.name)
    if purpose is not None:
        fields = {"project": world.project, "email": "new@example.com", "role": Role.EDITOR}
        _, token = link_create(purpose, lasts=timedelta(hours=1), user=make_user(), **fields)
        return reverse(address.name, args=[token])
    return address.path(world) + QUERIES.get(address.name, "").format(
        key=world.example.key, prompt=world.prompt.slug, dataset=world.dataset.slug, run=world.runs[0].number
    )


def problems(page: Page, name: str, within: str = "html") -> list[str]:
    """What axe says in both themes and at both widths, and what is wider than a phone.

    `within` names a part of a page of which the rest was looked at before.
    """
    page.evaluate(AXE)
    page.evaluate(STILL)
    found: list[str] = []
    for width, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
        for theme in THEMES:
            asked = {"within": within, "only": None if theme == "light" else list(COLOURS)}
            page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
            found += [f"{name}, {theme}, {width}: {problem}" for problem in page.evaluate(FIND, asked)]
    if wide := page.evaluate(OVERFLOWS):
        found.append(f"{name}, phone: {wide}")
    page.set_viewport_size(DESKTOP)  # type: ignore[arg-type]
    return found
