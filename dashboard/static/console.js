// The live console: hears of changes, sounds for those that wait, and says loudly when it hears nothing any more.

import "./keys.js";
import { neverMuted, showSound, soundForWaiting, soundOnce, toneOfLostLine } from "./sound.js";
import { isGrave, showTroubles, troublesByHealth } from "./trouble.js";

const SILENT_AFTER = 12_000; // ms without a sign of life: the line is dead
const POLL_EVERY = 5_000; // ms, while it is
const COUNTS_EVERY = 15_000; // ms: the line about homes changes without an alert
const SAY_EVERY = 5_000; // ms between polite announcements

const find = (id) => document.getElementById(id);
const queue = find("queue");
const page = find("changed"); // on an alert's own page
const title = document.title;

// ---------------------------------------------------------------- what is open

const open = new Map(); // id -> {priority, state, alarm_count}
let skew = 0; // ms that this machine's clock is behind the server's

async function loadOpen() {
  const answer = await fetch("/api/alerts?state=open&limit=1000");
  if (answer.status === 401 || answer.redirected) throw new LoggedOut();
  if (!answer.ok) throw new Error(String(answer.status));
  const before = new Map(open);
  open.clear();
  for (const alert of (await answer.json()).alerts) {
    open.set(alert.id, alert);
    if (started) notice(alert, before.get(alert.id));
  }
  started = true;
  showTitle();
  if (page) compareHere();
}

let started = false;
class LoggedOut extends Error {}

function heard(alert) {
  const before = open.get(alert.id);
  if (alert.state === "closed") open.delete(alert.id);
  else open.set(alert.id, alert);
  notice(alert, before);
  showTitle();
  if (page && Number(page.dataset.alert) === alert.id) changedHere(alert.alarm_count);
}

function notice(alert, before) {
  if (alert.state === "closed") return;
  const isNew = !before;
  // An incident grows by hundreds: its first sound is the one that counts.
  const moreAlarms = before && !alert.incident && alert.alarm_count > before.alarm_count;
  const backInQueue = before && before.state !== "raised" && alert.state === "raised";
  const rose = before && alert.priority < before.priority;
  if (!isNew && !moreAlarms && !backInQueue && !rose) return;
  if (alert.priority === 1) neverMuted(); // a new emergency sounds
  if (alert.priority < 4) soundOnce(alert.priority);
  announce(alert, isNew ? "New" : moreAlarms ? "Another alarm" : rose ? "More urgent now" : "Back in the queue");
}

// What happened between the drawing of this page and the opening of the line.
function compareHere() {
  const now = open.get(Number(page.dataset.alert));
  const isSame = now ? now.version === Number(page.dataset.version) : page.dataset.state === "closed";
  if (!isSame) changedHere(now?.alarm_count ?? 0);
}

function changedHere(alarms) {
  const joined = alarms > Number(page.dataset.alarms);
  page.replaceChildren(joined ? "Another alarm has joined this alert. " : "Something was added to this alert. ");
  const link = document.createElement("a");
  link.href = `/console/alerts/${page.dataset.alert}`;
  link.textContent = "Show it";
  page.append(link);
  page.classList.toggle("changed-alarm", joined);
  page.hidden = false;
}

function waiting() {
  return [...open.values()].filter((alert) => alert.state === "raised" && alert.priority < 4);
}

function levelsThatSound() {
  const levels = waiting().map((alert) => alert.priority);
  return isGrave() ? [...levels, 1] : levels;
}

function hearTroubles(troubles) {
  if (!showTroubles(troubles)) return;
  neverMuted(); // as a new emergency
  soundOnce(1);
  find("urgent").textContent = `Alarms may not reach you. ${troubles.find((one) => one.grave).words}`;
}

function showTitle() {
  const count = waiting().length;
  document.title = count ? `(${count} waiting) ${title}` : title;
}

// ---------------------------------------------------------------- words for a screen reader

const WORDS = { 1: "emergency", 2: "urgent", 3: "attention", 4: "technical" };
let unsaid = [];
let saidAt = 0;

function announce(alert, what) {
  if (alert.priority === 1) {
    find("urgent").textContent = `${what}: emergency, ${alert.person_name ?? alert.address}`;
    return;
  }
  unsaid.push(alert.priority);
}

function sayPolitely(now) {
  if (!unsaid.length || now - saidAt < SAY_EVERY) return;
  find("polite").textContent = `${unsaid.length} new, highest ${WORDS[Math.min(...unsaid)]}`;
  unsaid = [];
  saidAt = now;
}

// ---------------------------------------------------------------- one row of the queue

const rows = new Map(); // alert id -> its newest row that is not on the screen yet; null: it goes
const LISTS = { live: "queue-list", technical: "list-technical", shelved: "list-shelved" };

function takeRow(alert) {
  if (!queue) return;
  rows.set(alert.id, alert.row);
  placeRows();
}

function placeRows() {
  if (undrawn !== null || fetching) return; // the whole list is on its way, and then these
  if (pressed) {
    setTimeout(placeRows, 200);
    return;
  }
  const focused = queue.contains(document.activeElement) ? document.activeElement.id : "";
  let fits = true;
  for (const [id, html] of rows) {
    if (html === null) find(`alert-${id}`)?.remove();
    else fits = placeRow(id, html) && fits;
  }
  rows.clear();
  if (!fits || !queue.querySelector(".case")) {
    redraw();
    return;
  }
  if (focused && document.activeElement?.id !== focused) find(focused)?.focus();
  showCount();
  tellTime();
}

// False where there is no list for it yet: the server then draws them all.
function placeRow(id, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  const row = template.content.querySelector(".case");
  fit(row);
  // Equipment is in a list of its own in a flood only.
  const list = find(LISTS[row.dataset.group]) ?? (row.dataset.group === "technical" ? find(LISTS.live) : null);
  if (!list) return false;
  find(`alert-${id}`)?.remove();
  const next = [...list.children].find((one) => one.dataset.sort > row.dataset.sort);
  list.insertBefore(row, next ?? null);
  return true;
}

// What is drawn once for everybody becomes this member's.
function fit(row) {
  for (const field of row.querySelectorAll("[data-csrf]")) field.value = document.body.dataset.csrf;
  const owner = row.querySelector("[data-owner]");
  if (owner && owner.dataset.owner === document.body.dataset.member) owner.textContent = "You have this";
}

function showCount() {
  const live = [...open.values()].filter((alert) => !alert.shelved_until);
  const count = live.filter((alert) => alert.state === "raised").length;
  find("queue-count").textContent = `${open.size} open ${open.size === 1 ? "alert" : "alerts"}, ${count} waiting`;
}

// ---------------------------------------------------------------- the queue on the screen

let fetching = false;
let again = false;
let pressed = false; // no row moves away under a finger
let drawnAt = Date.now();

document.addEventListener("pointerdown", () => (pressed = true));
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => setTimeout(() => (pressed = false), 300));
}

async function redraw() {
  if (!queue) return;
  if (fetching) {
    again = true;
    return;
  }
  fetching = true;
  try {
    const answer = await fetch("/console/queue");
    if (answer.redirected || answer.status === 401) throw new LoggedOut();
    if (answer.ok) show(await answer.text());
  } catch (problem) {
    if (problem instanceof LoggedOut) loggedOut();
  } finally {
    fetching = false;
    if (again) {
      again = false;
      redraw();
    } else placeRows();
  }
}

let undrawn = null; // the newest that has not been drawn yet

function show(html) {
  undrawn = html;
  draw();
}

function draw() {
  if (undrawn === null) return;
  if (pressed) {
    setTimeout(draw, 200);
    return;
  }
  const focused = queue.contains(document.activeElement) ? document.activeElement.id : "";
  const unfolded = [...queue.querySelectorAll("details[open]")].map((one) => one.id);
  const flooded = find("flood") !== null;
  queue.innerHTML = undrawn;
  undrawn = null;
  for (const id of unfolded) find(id)?.setAttribute("open", "");
  if (!flooded && find("flood")) find("polite").textContent = find("flood").textContent;
  drawnAt = Date.now();
  if (focused) find(focused)?.focus();
  tellTime();
  placeRows();
}

function tellTime() {
  const drawn = document.querySelector("[data-now]");
  if (drawn && drawn.dataset.read === undefined) {
    skew = Number(drawn.dataset.now) * 1000 - Date.now();
    drawn.dataset.read = "";
  }
  const now = (Date.now() + skew) / 1000;
  for (const clock of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor(now - Number(clock.dataset.since)));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const late = clock.closest("[data-late-after]");
    late?.toggleAttribute("data-late", seconds >= Number(late.dataset.lateAfter));
  }
  for (const time of document.querySelectorAll("[data-ago]")) {
    time.textContent = ago(now - Number(time.dataset.ago));
  }
}

function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} days ago`;
}

// ---------------------------------------------------------------- the line

let source = null;
let signAt = Date.now(); // the last sign of life
let lost = false;
let polledAt = 0;
let ended = false;

function connect() {
  source?.close();
  source = new EventSource("/api/alerts/stream?rows=true");
  // Read what is open only now: what comes after this is sent to us.
  source.addEventListener("open", reload);
  for (const name of ["beat", "alert", "resync"]) {
    source.addEventListener(name, (event) => {
      signAt = Date.now();
      if (lost) found();
      else if (!live) showLine("live", "Live");
      if (name === "alert") {
        const alert = JSON.parse(event.data);
        heard(alert);
        takeRow(alert);
      } else if (name === "resync") reload();
      else hearTroubles(JSON.parse(event.data).troubles ?? []);
    });
  }
}

async function reload() {
  try {
    await loadOpen();
  } catch (problem) {
    if (problem instanceof LoggedOut) loggedOut();
    return false;
  }
  redraw();
  return true;
}

let live = false;

function showLine(state, words) {
  live = state === "live";
  find("connection").dataset.state = state;
  find("connection-words").textContent = words;
  document.body.classList.toggle("line-lost", state === "lost");
}

function found() {
  lost = false;
  showLine("live", "Live");
  reload();
}

function loggedOut() {
  if (ended) return;
  ended = true;
  source?.close();
  showLine("lost", "You are logged out: log in again");
  find("urgent").textContent = "You are logged out. This screen is not live.";
}

function watch(now) {
  if (ended) {
    if (now - polledAt >= POLL_EVERY) {
      polledAt = now;
      toneOfLostLine();
    }
    return;
  }
  if (now - signAt <= SILENT_AFTER) return;
  if (!lost) {
    lost = true;
    find("urgent").textContent = "This screen is not live. Alerts may be missing.";
    toneOfLostLine();
  }
  showLine("lost", `Not live for ${Math.floor((now - signAt) / 1000)} s: alerts may be missing. Trying again`);
  if (now - polledAt >= POLL_EVERY) {
    polledAt = now;
    toneOfLostLine();
    if (source.readyState === EventSource.CLOSED || now - signAt > 3 * SILENT_AFTER) {
      connect();
    }
    poll();
  }
}

async function poll() {
  hearTroubles(await troublesByHealth());
  if (await reload()) showLine("lost", "Not live: this list is fetched every 5 seconds");
}

function tick() {
  const now = Date.now();
  watch(now);
  soundForWaiting(now, levelsThatSound());
  sayPolitely(now);
  tellTime();
  showSound();
  if (queue && now - drawnAt >= COUNTS_EVERY && !document.hidden) {
    drawnAt = now;
    redraw();
  }
}

function startTicking() {
  const script = document.querySelector("script[data-ticker]");
  try {
    new Worker(script.dataset.ticker).addEventListener("message", tick);
  } catch {
    setInterval(tick, 1000);
  }
}

find("without-script").remove();
showLine("connecting", "Connecting");
connect();
showSound();
startTicking();
