"""Chromium before the console: how soon the queue is painted, and how soon a new row stands in it."""

import asyncio
import secrets
import shutil
from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from bench import town
from bench.limits import percentiles
from telecare.db import Connection
from telecare.register import staff
from telecare.settings import Settings
from telecare.vocabulary import Role

USER: Final = "bench-browser"
_EVERY_S: Final = 0.3
# When the page hears of an alert on a line of its own, and when the alert's row is placed.
_WATCH: Final = """() => {
    window.placed = {}; window.told = {};
    const queue = document.getElementById("queue");
    const known = new Set([...queue.querySelectorAll(".case")].map((row) => row.id.slice(6)));
    new MutationObserver((changes) => {
        for (const change of changes) for (const node of change.addedNodes)
            for (const row of node.matches?.(".case") ? [node] : node.querySelectorAll?.(".case") ?? [])
                window.placed[row.id.slice(6)] ??= performance.now();
    }).observe(queue, {childList: true, subtree: true});
    const source = new EventSource("/api/alerts/stream");
    source.addEventListener("alert", (event) => {
        const id = String(JSON.parse(event.data).id);
        if (!known.has(id)) window.told[id] ??= performance.now();
    });
    return new Promise((done) => source.addEventListener("open", () => done(true)));
}"""
_PAINTED: Final = """() => ({
    first_paint_ms: Math.round(performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? -1),
    rows: document.querySelectorAll("#queue .case").length,
})"""
_UPDATES: Final = """() => Object.keys(window.told).filter((id) => id in window.placed)
    .map((id) => Math.max(window.placed[id] - window.told[id], 0))"""


async def look(settings: Settings, conn: Connection, coming: Sequence[str]) -> dict[str, Any]:
    """Open the console, and press in these homes one after the other; says so where there is no Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    try:
        from playwright.async_api import async_playwright
    except ImportError:
        executable = None
    if executable is None:
        return {"skipped": "there is no Chromium here"}
    password = secrets.token_urlsafe()
    async with await AsyncConnection.connect(settings.database, autocommit=True) as own:
        await staff.add_member(own, USER, USER, Role.OPERATOR, password)
    base = f"http://127.0.0.1:{settings.port}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        try:
            page = await browser.new_page()
            await page.goto(f"{base}/login")
            await page.fill("#username", USER)
            await page.fill("#password", password)
            await page.click("button:has-text('Log in')")
            await page.goto(f"{base}/console")
            await page.wait_for_function("() => document.getElementById('connection')?.dataset.state === 'live'")
            await asyncio.sleep(1)
            painted: dict[str, Any] = await page.evaluate(_PAINTED)
            await page.evaluate(_WATCH)
            for hub in coming:
                await town.press(conn, [hub])
                await asyncio.sleep(_EVERY_S)
            await asyncio.sleep(1)
            updates: list[float] = await page.evaluate(_UPDATES)
        finally:
            await browser.close()
    return painted | {"presses": len(coming), "rows_placed": len(updates), "update_ms": percentiles(updates)}
