"""`compare` and `watch`, seen and pressed in a browser."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from browser_lab import KERNEL_IS_IDLE
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable

    from browser_lab import Lab, Notebook
    from playwright.sync_api import Locator, Page

APPS = """
import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.request import urlopen
from unblocked import Upstream, compare, serve

upstream = Upstream(delay=0.1)

def fetch():
    return urlopen(upstream.url).read()

async def answer(send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

async def threads(scope, receive, send):
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(2) as pool:
        await asyncio.gather(*(loop.run_in_executor(pool, fetch) for _ in range(2)))
    await answer(send)

async def waits(scope, receive, send):
    await asyncio.sleep(0.1)
    await answer(send)
"""
COMPARE = """
result = await compare({{"threads": threads, "await": waits}}, upstream=upstream, users=4,
                       seconds={seconds}, rounds={rounds}, interactive={interactive})
"""
LEFT = """
import json, os, psutil, threading, unblocked
upstream.stop()
package = os.path.dirname(unblocked.__file__)  # the folder of the course may have our name too
ours = {"compare", "meter", "watch", "load reports", "serve threads", "serve await"}
print(json.dumps({
    "threads": sorted(ours & {thread.name for thread in threading.enumerate()}),
    "children": len(psutil.Process().children()),
    "tasks": sum(package in repr(task) for task in asyncio.all_tasks()),
}))
"""


def compare_cell(seconds: float, *, interactive: bool = False, rounds: int = 1) -> str:
    return COMPARE.format(seconds=seconds, interactive=interactive, rounds=rounds)


def panels(page: Page) -> Locator:
    return page.locator(".lc-root")


def await_updates(page: Page, least: int) -> None:
    page.wait_for_function(
        "(least) => +(document.querySelector('.lc-root')?.dataset.updates ?? 0) >= least",
        arg=least,
    )


def printed(notebook: Notebook, cell: int) -> str:
    return "".join(output.get("text", "") for output in notebook.outputs()[cell])


def nothing_is_left(notebook: Notebook, cell: int) -> None:
    notebook.start_cell(cell)
    notebook.await_idle()
    assert notebook.errors() == []
    assert json.loads(printed(notebook, cell)) == {"threads": [], "children": 0, "tasks": 0}


def data_of(notebook: Notebook, cell: int) -> dict[str, Any]:
    outputs = notebook.outputs()[cell]
    assert len(outputs) == 1, outputs
    data: dict[str, Any] = outputs[0]["data"]
    return data


def test_the_chart_changes_and_gives_way_to_picture_and_table(
    open_notebook: Callable[..., Notebook], page: Page, lab: Lab
) -> None:
    numbers = "print([row['threads_added'] for row in result.rows])"
    notebook = open_notebook(APPS, compare_cell(4, rounds=2), numbers, LEFT)
    notebook.start_cell(0)
    notebook.await_idle()
    notebook.start_cell(1)
    await_updates(page, 5)
    assert panels(page).count() == 2
    before = panels(page).first.screenshot()
    await_updates(page, 12)
    assert panels(page).first.screenshot() != before
    figure = panels(page).first.get_by_role("img")
    label = figure.get_attribute("aria-label") or ""
    assert re.match(r"threads\. threads added: latest \S+, largest [\d,]+", label), label

    notebook.await_idle()
    assert panels(page).count() == 0
    data = data_of(notebook, 1)
    assert data["image/png"]
    assert "application/vnd.jupyter.widget-view+json" not in data
    picture = notebook.cell(1).locator("img")
    assert "threads added" in (picture.get_attribute("alt") or "")
    notebook.start_cell(2)
    notebook.await_idle()
    for number in json.loads(printed(notebook, 2)):
        assert notebook.cell(1).get_by_role("cell", name=str(number), exact=True).count()
    nothing_is_left(notebook, 3)
    as_a_stranger_sees_it(notebook, lab)


def as_a_stranger_sees_it(notebook: Notebook, lab: Lab) -> None:
    """Saved, changed by somebody else and so no longer trusted, opened with a new kernel."""
    notebook.close()
    file = lab.root / notebook.path
    document = json.loads(file.read_text())
    document["metadata"]["title"] = "not the file that was trusted"
    file.write_text(json.dumps(document))
    notebook.open()
    shown = notebook.cell(1)
    shown.locator("img").wait_for()
    assert shown.locator("img").evaluate("(img) => img.complete && img.naturalWidth > 0")
    assert "threads added" in (shown.locator("img").get_attribute("alt") or "")
    assert shown.get_by_role("row").count() == 3
    assert notebook.page.get_by_text("model not found").count() == 0


def test_stop_ends_the_run_and_keeps_what_was_measured(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = open_notebook(APPS, compare_cell(3600), LEFT)
    notebook.start_cell(0)
    notebook.await_idle()
    notebook.start_cell(1)
    await_updates(page, 5)
    page.locator(".jp-OutputArea").get_by_role("button", name="Stop").click()
    notebook.await_idle()
    assert "Stopped early" in data_of(notebook, 1)["text/html"]
    assert panels(page).count() == 0
    nothing_is_left(notebook, 2)


def test_interrupting_the_kernel_leaves_nothing(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = open_notebook(APPS, compare_cell(3600), LEFT)
    notebook.start_cell(0)
    notebook.await_idle()
    notebook.start_cell(1)
    await_updates(page, 5)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:interrupt-kernel')")
    notebook.await_idle()
    assert panels(page).count() == 0
    [error] = notebook.errors()
    assert (error["ename"], error["evalue"]) == ("CancelledError", "interrupted")
    shown = "\n".join(error["traceback"])
    assert "compare" in shown, "where it stood in the cell"
    assert shown.count("File") == 1, "and nothing more of ours"
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    nothing_is_left(notebook, 2)


def start_interactive(open_notebook: Callable[..., Notebook], *cells: str) -> Notebook:
    notebook = open_notebook(APPS, compare_cell(0.5, interactive=True), *cells, LEFT)
    notebook.start_cell(0)
    notebook.await_idle()
    notebook.start_cell(1)
    expect(order(notebook.page, "Keep")).to_be_enabled()
    return notebook


def order(page: Page, name: str) -> Locator:
    return page.locator(".ub-controls").get_by_role("button", name=name, exact=True)


def test_what_the_controls_show_is_what_is_measured(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    """By keyboard, typing and mouse, with Start pressed at once after the last change."""
    notebook = start_interactive(open_notebook, "print(result.title)")
    slider, exact = page.get_by_label("Users", exact=True), page.get_by_label("Users, exactly")
    delay = page.get_by_label("Upstream's delay, s", exact=True)
    for change in (
        lambda: [slider.press("ArrowRight") for _ in range(7)],
        lambda: exact.fill("9"),
        lambda: exact.fill("100000"),
        lambda: slider.click(position={"x": 6, "y": 12}),
        lambda: delay.press("ArrowRight"),
    ):
        change()
        order(page, "Start").click()
        assert slider.input_value() == exact.input_value()
        users, seconds = int(exact.input_value()), float(delay.input_value())
        who = "1 user" if users == 1 else f"{users} users"
        caption = page.locator(".jp-OutputArea caption", has_text=f"{who}, upstream")
        expect(caption).to_contain_text(f"{who}, upstream {seconds * 1000:.0f} ms")
        expect(order(page, "Keep")).to_be_enabled()
        if users == 300:
            exact.fill("5")
    order(page, "Keep").click()
    notebook.await_idle()
    notebook.start_cell(2)
    notebook.await_idle()
    assert printed(notebook, 2).startswith(f"{who}, upstream {seconds * 1000:.0f} ms")
    nothing_is_left(notebook, 3)


def test_the_view_stays_until_keep_and_gives_way_in_the_same_place(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = start_interactive(open_notebook)
    assert panels(page).count() == 2
    order(page, "Start").click()
    expect(order(page, "Stop")).to_be_enabled()
    order(page, "Stop").click()
    expect(order(page, "Keep")).to_be_enabled()
    assert panels(page).count() == 2
    shown = page.locator(".jp-OutputArea figure img")
    expect(shown).to_have_count(1)
    order(page, "Keep").click()
    notebook.await_idle()
    assert panels(page).count() == 0
    expect(shown).to_have_count(1)
    assert len(notebook.outputs()[1]) == 1
    nothing_is_left(notebook, 2)


FOCUS_IS_VISIBLE = """() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""


def focused(page: Page) -> Locator:
    return page.locator(":focus")


def tab_to(page: Page, wanted: Locator) -> None:
    """Press Tab until something has the focus, which is not far away."""
    for _ in range(6):
        page.keyboard.press("Tab")
        if wanted.evaluate("(one) => one === document.activeElement"):
            assert page.evaluate(FOCUS_IS_VISIBLE)
            return
    raise AssertionError(f"no Tab reaches {wanted}")


def test_the_keyboard_alone_drives_it(open_notebook: Callable[..., Notebook], page: Page) -> None:
    """From the cell to a slider, Start, Stop and Keep, and back in the cell."""
    notebook = start_interactive(open_notebook, "print(result.title)")
    notebook.cell(1).focus()
    tab_to(page, page.get_by_label("Users", exact=True))
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    expect(page.get_by_label("Users, exactly")).to_have_value("6")
    tab_to(page, page.get_by_label("Upstream's delay, s, exactly"))
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("1.5")
    tab_to(page, order(page, "Start"))
    page.keyboard.press("Enter")
    expect(order(page, "Stop")).to_be_enabled()
    tab_to(page, order(page, "Stop"))
    page.keyboard.press("Space")
    expect(focused(page)).to_have_text("Start")
    expect(order(page, "Keep")).to_be_enabled()
    tab_to(page, order(page, "Keep"))
    page.keyboard.press("Enter")
    notebook.await_idle()
    assert notebook.cell(1).evaluate("(cell) => cell.contains(document.activeElement)")
    notebook.start_cell(2)
    notebook.await_idle()
    assert printed(notebook, 2).startswith("6 users, upstream 1500 ms")
    nothing_is_left(notebook, 3)


def test_a_finger_drives_it(open_notebook: Callable[..., Notebook], page: Page) -> None:
    """A slider is dragged, and buttons are tapped: the same number everywhere."""
    notebook = start_interactive(open_notebook, "print(result.title)")
    fingers = page.context.new_cdp_session(page)
    fingers.send("Emulation.setTouchEmulationEnabled", {"enabled": True})

    def touch(kind: str, *at: tuple[float, float]) -> None:
        points = [{"x": x, "y": y} for x, y in at]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def tap(button: Locator) -> None:
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 24, "large enough for a finger"
        touch("touchStart", (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2))
        touch("touchEnd")

    slider, exact = page.get_by_label("Users", exact=True), page.get_by_label("Users, exactly")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    left, middle = box["x"], box["y"] + box["height"] / 2
    touch("touchStart", (left + 8, middle))
    for step in range(2, 6):
        touch("touchMove", (left + 8 * step, middle))
    touch("touchEnd")
    expect(exact).not_to_have_value("4")
    users = exact.input_value()
    assert int(users) > 4
    assert slider.input_value() == users

    tap(order(page, "Start"))
    expect(order(page, "Stop")).to_be_enabled()
    caption = page.locator(".jp-OutputArea caption", has_text=f"{users} users, upstream")
    expect(caption).to_have_count(1)
    expect(order(page, "Keep")).to_be_enabled()
    tap(order(page, "Keep"))
    notebook.await_idle()
    fingers.detach()
    notebook.start_cell(2)
    notebook.await_idle()
    assert printed(notebook, 2).startswith(f"{users} users, ")
    nothing_is_left(notebook, 3)


def test_what_is_typed_between_two_steps_is_the_same_number_everywhere(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = start_interactive(open_notebook, "print(result.title)")
    slider, exact = page.get_by_label("Users", exact=True), page.get_by_label("Users, exactly")
    delay = page.get_by_label("Upstream's delay, s", exact=True)
    exact.fill("6.5")
    page.get_by_label("Upstream's delay, s, exactly").fill("0.13")
    order(page, "Start").click()
    users, seconds = slider.input_value(), float(delay.input_value())
    assert exact.input_value() == users
    assert page.get_by_label("Upstream's delay, s, exactly").input_value() == delay.input_value()
    expect(page.locator(".jp-OutputArea caption")).to_contain_text(
        f"{users} users, upstream {seconds * 1000:.0f} ms"
    )
    order(page, "Keep").click()
    notebook.await_idle()
    nothing_is_left(notebook, 3)


SILENT = """
async def silent(scope, receive, send):
    if scope["type"] == "http" and upstream.delay > 1:
        await asyncio.Event().wait()
    await answer(send)
"""


def test_a_chart_without_a_number_is_not_there(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    """The first run has latencies, and the second has none: nobody is answered."""
    run = """await compare({"silent": silent}, upstream=upstream, users=2, seconds=0.5, rounds=1,
              interactive=True)"""
    notebook = open_notebook(APPS, SILENT, run, LEFT)
    notebook.run_cells(0, 1)
    notebook.start_cell(2)
    expect(order(page, "Keep")).to_be_enabled()
    latency = page.locator(".lc-caption", has_text="Latency")
    expect(latency).to_be_visible()
    page.get_by_label("Upstream's delay, s, exactly").fill("2")
    order(page, "Start").click()
    expect(latency).to_be_hidden()
    order(page, "Stop").click()
    expect(order(page, "Keep")).to_be_enabled()
    expect(latency).to_be_hidden()
    order(page, "Keep").click()
    notebook.await_idle()
    nothing_is_left(notebook, 3)


def test_charts_side_by_side_stand_at_the_same_height(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    """Also where one panel's title takes two lines: what is compared is compared by eye."""
    page.set_viewport_size({"width": 1024, "height": 900})
    run = """await compare({"a pool of threads per request and caller": threads, "await": waits},
              upstream=upstream, users=4, seconds=0.5, rounds=1, interactive=True)"""
    notebook = open_notebook(APPS, run, LEFT)
    notebook.run_cells(0)
    notebook.start_cell(1)
    expect(order(page, "Keep")).to_be_enabled()
    heights = "(all) => all.map((one) => Math.round(one.getBoundingClientRect().height))"
    one, other = page.locator(".lc-title").evaluate_all(heights)
    assert one > other, "one title has two lines"
    tops = "(all) => all.map((one) => Math.round(one.getBoundingClientRect().top))"
    for place in range(2):
        one, other = page.locator(f".lc-root figure > div:nth-of-type({place + 3})").evaluate_all(
            tops
        )
        assert one == other
    order(page, "Keep").click()
    notebook.await_idle()
    nothing_is_left(notebook, 2)


def test_letters_typed_at_a_control_are_not_the_notebooks_shortcuts(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = start_interactive(open_notebook)
    page.get_by_label("Users", exact=True).focus()
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    assert len(notebook.sources()) == 3
    order(page, "Keep").click()
    notebook.await_idle()


def test_a_second_comparison_is_drawn_beside_the_first(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    again = """second = await compare({"new": waits}, upstream=upstream, users=4, seconds=1,
                      rounds=1, beside=result)"""
    notebook = open_notebook(APPS, compare_cell(0.5), again, LEFT)
    notebook.run_cells(0, 1)
    notebook.start_cell(2)
    panels(page).nth(2).wait_for()
    titles = page.locator(".lc-title").all_text_contents()
    assert titles == ["threads", "await", "new"]
    notebook.await_idle()
    rows = notebook.cell(2).locator("tbody th")
    assert rows.all_text_contents() == ["threads", "await", "new"]
    nothing_is_left(notebook, 3)


@pytest.mark.parametrize("width", [1024, 1440])
def test_nothing_is_cut_off(open_notebook: Callable[..., Notebook], page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    notebook = start_interactive(open_notebook)
    fits = """() => [...document.querySelectorAll(
        '.jp-OutputArea-output, .ub-controls, .lc-root, .lc-tile, .jp-OutputArea table')]
        .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName)"""
    assert page.evaluate(fits) == []
    order(page, "Keep").click()
    notebook.await_idle()
    notebook.cell(1).locator("table").wait_for()
    assert page.evaluate(fits) == []


def test_a_watched_app_shows_its_strip_until_it_stops(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = open_notebook(
        APPS, "server = serve(waits, name='await')\nserver.watch(every=0.1)", "server.stop()", LEFT
    )
    notebook.run_cells(0, 1)
    await_updates(page, 5)
    assert panels(page).count() == 1
    notebook.run_cells(2)
    notebook.cell(1).locator("img").wait_for()
    assert panels(page).count() == 0
    assert "loop lag" in data_of(notebook, 1)["text/html"]
    nothing_is_left(notebook, 3)


def test_the_live_view_follows_the_theme(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    notebook = open_notebook(APPS, compare_cell(3600), LEFT)
    notebook.start_cell(0)
    notebook.await_idle()
    notebook.start_cell(1)
    await_updates(page, 3)
    ground = "(panel) => getComputedStyle(panel).backgroundColor"
    notebook.theme("JupyterLab Light")  # whatever another test has left
    light = panels(page).first.evaluate(ground)
    notebook.theme("JupyterLab Dark")
    assert panels(page).first.evaluate(ground) != light
    notebook.theme("JupyterLab Light")
    page.locator(".jp-OutputArea").get_by_role("button", name="Stop").click()
    page.wait_for_function(KERNEL_IS_IDLE)
    nothing_is_left(notebook, 2)


def test_a_lesson_and_its_live_view_lie_side_by_side(
    open_notebook: Callable[..., Notebook], page: Page
) -> None:
    """The lesson's link opens a layout; what its cell shows live is on the right, too."""
    notebook = open_notebook(path="notebooks/06-one-client-for-the-apps-life.ipynb")
    page.get_by_role("link", name="the live view beside the text").click()
    page.wait_for_url("**/lab/workspaces/side-by-side-06")
    beside = page.locator(".jp-LinkedOutputView")
    beside.wait_for()
    notebook.await_idle()
    live = next(i for i, text in enumerate(notebook.sources()) if "await compare(" in text)
    notebook.write_cell(live, "print('seen', 'twice')")
    notebook.run_cells(live)
    beside.get_by_text("seen twice").wait_for()
    text = page.locator(".jp-NotebookPanel:visible").bounding_box()
    view = beside.bounding_box()
    assert text is not None
    assert view is not None
    assert text["x"] + text["width"] <= view["x"]
    notebook.write_cell(live, "")  # Saved at the end: the lesson itself is a copy.
