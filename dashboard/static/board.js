// The board fetches its figures anew every ten seconds. The focus stays where it is, and nothing moves under a finger.

const EVERY = 10_000; // ms
const LATE_AFTER = 30_000; // ms without new figures: the page says that they are old

const find = (id) => document.getElementById(id);
const board = find("board");
const state = find("board-state");
const pause = find("board-pause");
let paused = false;
let pressed = false;
let gotAt = Date.now();
let failed = false; // and a reader has been told so

document.addEventListener("pointerdown", () => (pressed = true));
for (const end of ["pointerup", "pointercancel"]) {
  document.addEventListener(end, () => setTimeout(() => (pressed = false), 300));
}

function show(html) {
  const focused = board.contains(document.activeElement) ? document.activeElement : null;
  board.innerHTML = html;
  if (!focused) return;
  const links = [...board.querySelectorAll("a")];
  const same = links.find((one) => one.href === focused.href) ?? find(focused.id);
  (same ?? board).focus(); // what is there no more leaves the focus in its place
}

function say(words, isBad = false) {
  state.textContent = words;
  state.classList.toggle("tag-late", isBad);
  // A reader hears when it begins to be wrong, and when it is well again, and nothing each ten seconds.
  if (isBad !== failed) find("board-said").textContent = words;
  failed = isBad;
}

async function fetchFigures() {
  if (paused || pressed || document.hidden) return;
  try {
    const answer = await fetch("/board/now");
    if (answer.redirected || answer.status === 401) {
      say("You are logged out: log in again. These figures are old.", true);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    const html = await answer.text();
    if (paused) return;
    show(html);
    gotAt = Date.now();
    say("Updates itself every 10 seconds.");
  } catch {
    if (Date.now() - gotAt > LATE_AFTER) say("These figures are old: the service does not answer. Trying again.", true);
  }
}

pause.addEventListener("click", () => {
  paused = !paused;
  pause.textContent = paused ? "Go on updating" : "Stop updating";
  say(paused ? "Stopped: these figures stay as they are." : "Updates itself every 10 seconds.");
  pressed = false; // it was this button
  if (!paused) fetchFigures();
});
document.addEventListener("visibilitychange", fetchFigures);
pause.hidden = false;
say("Updates itself every 10 seconds.");
setInterval(fetchFigures, EVERY);
