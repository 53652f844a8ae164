// A responder's pages on a phone: what cannot be sent is kept in order and sent later, each once (its `entry` sees to it);
// the next step is offered from what is on the page. Without this script the forms are sent as they are.

const CACHE = "responder"; // of responder-worker.js
const EVERY = 15_000; // ms between tries
const LONGEST = 24 * 3_600_000; // ms that what was sent is remembered for a page that was kept before it
const WITHIN = 20_000; // ms for an answer; sent again, it is done once all the same
const INSIDE = ["arrived", "no-access", "access", "checked", "lifted", "not-lifted"];
const COMING = ["accepted", "en-route", ...INSIDE];

const me = document.body.dataset.member;
const [page, kept] = ["visit", "kept"].map((id) => document.getElementById(id));
const visit = page?.dataset.visit;
let touched = false; // something is being entered

const opened = new Promise((done, failed) => {
  const asked = indexedDB.open("responder", 1);
  asked.onupgradeneeded = () => asked.result.createObjectStore("entries", { keyPath: "n", autoIncrement: true });
  [asked.onsuccess, asked.onerror] = [() => done(asked.result), () => failed(asked.error)];
});
opened.catch(() => {});

async function store(mode, act) {
  const change = (await opened).transaction("entries", mode, { durability: "strict" });
  const request = act(change.objectStore("entries"));
  return new Promise((done, failed) => ([change.oncomplete, change.onabort] = [() => done(request.result), () => failed(change.error)]));
}

const write = (entry) => store("readwrite", (entries) => entries.put(entry));
const remove = ({ n }) => store("readwrite", (entries) => entries.delete(n));
// A colleague's who used this phone before wait for their own login.
const mine = async () => (await store("readonly", (entries) => entries.getAll())).filter((entry) => entry.member === me);
const waits = (entry) => !entry.refused && !entry.done;

async function post(entry, token) {
  const answer = await fetch(entry.address, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams([...entry.fields, ["csrf_token", token]]),
    redirect: "manual",
    signal: AbortSignal.timeout(WITHIN),
  });
  if (answer.ok || [409, 422].includes(answer.status)) return answer.json();
  if ([400, 404, 413].includes(answer.status)) return { refused: ["There is no such visit of yours, or no such step of it."] };
  throw new Error(`not taken now: ${answer.status}`);
}

// The token of the session that there is now: the one of the page may be old.
async function fresh() {
  const answer = await fetch("/responder/token", { redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(WITHIN) });
  kept.dataset.login = answer.type === "opaqueredirect" ? "needed" : "";
  const given = answer.ok ? await answer.json() : {};
  if (given.member !== me) throw new Error("not logged in");
  return given.token;
}

async function sendAll() {
  let sent = false;
  const urgent = (one, other) => (other.step === "panic") - (one.step === "panic") || one.n - other.n;
  const waiting = (await mine()).filter(waits).sort(urgent);
  try {
    const token = waiting.length ? await fresh() : "";
    for (const entry of waiting) {
      const answer = await post(entry, token);
      await write(answer.done ? { ...entry, fields: [], done: answer.at } : { ...entry, refused: answer.refused });
      sent ||= entry.visit === visit && Boolean(answer.done);
    }
  } catch {
    // No signal, or the service is away: all that is left stays in its order.
  }
  return sent;
}

const reload = () => location.assign(`/responder/visits/${visit}`); // never the POST that drew it
const send = () => navigator.locks.request("responder-entries", sendAll); // one page at a time

async function sendAndShow() {
  const sent = await send();
  await show();
  if (sent && !touched) reload();
}

// What this page was drawn after, it shows by itself.
const drawn = (entry) => entry.visit === visit && entry.done <= page.dataset.at;

async function show() {
  const entries = await mine();
  for (const entry of entries) if (drawn(entry) || (entry.done && Date.now() - entry.at > LONGEST)) await remove(entry);
  const waiting = entries.filter(waits);
  const login = kept.dataset.login ? " Log in again to send." : "";
  const words = waiting.length ? `Kept on this phone, will be sent when there is signal (${waiting.length} waiting).${login}` : "";
  const line = kept.querySelector(".waiting");
  if (line.textContent !== words) line.textContent = words; // read out once
  kept.querySelector(".no-help").hidden = !waiting.some((entry) => entry.step === "panic");
  const [list, refused] = [kept.querySelector("ul"), entries.filter((entry) => entry.refused)];
  const shows = String(refused.map(({ n }) => n));
  if (list.dataset.shows !== shows) list.replaceChildren(...refused.map(refusal)); // and not under somebody's thumb
  list.dataset.shows = shows;
  if (page?.dataset.state) goOn(entries.filter((entry) => entry.visit === visit && !entry.refused && !drawn(entry)));
}

const timeOf = (at) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const made = (tag, values) => Object.assign(document.createElement(tag), values);

function refusal(entry) {
  const said = entry.fields.filter(([name, value]) => value && !["entry", "entered_at"].includes(name)).map(([, value]) => value);
  const at = timeOf(entry.at);
  const textContent = `Not done: “${entry.words}”, ${at}. ${entry.refused.join(". ")}. ${said.length ? `You entered: ${said.join("; ")}` : ""} `;
  const item = made("li", { textContent });
  const onclick = () => remove(entry).then(show);
  item.append(made("button", { className: "govuk-button govuk-button--secondary big", textContent: "I have read this", onclick }));
  return item;
}

function goOn(ahead) {
  const steps = ahead.filter((entry) => document.querySelector(`[data-of="${entry.step}"]`) || ["refused", "reported"].includes(entry.step));
  const state = steps.at(-1)?.step ?? page.dataset.state;
  const flags = ahead.some((entry) => entry.step === "checked" && entry.fields.some(([name]) => name === "flags[]"));
  if (steps.length) document.getElementById("state-words").textContent = `${steps.at(-1).words} (not yet sent)`;
  for (const one of page.querySelectorAll("[data-of]")) one.hidden = one.dataset.of !== state;
  if (flags) for (const form of page.querySelectorAll('[data-step="lifted"]')) (form.closest("details") ?? form).hidden = true;
  if (flags && state === "checked") page.querySelector('[data-of="checked"] details').open = true;
  document.getElementById("flagged").hidden = !flags && !page.dataset.flags;
  document.getElementById("safety").hidden = !COMING.includes(state);
  document.getElementById("check-in").hidden = !INSIDE.includes(state);
  const heard = ahead.filter((entry) => entry.step !== "panic" && INSIDE.includes(state)).map((entry) => entry.at + page.dataset.every * 1000);
  page.dataset.until = Math.max(page.dataset.due * 1000, ...heard);
  clock();
}

function clock() {
  const line = document.getElementById("check-in-by");
  if (!line || !page.dataset.until || line.closest("[hidden]")) return;
  const left = page.dataset.until - Date.now();
  line.classList.toggle("stop", left < page.dataset.warn * 1000);
  const at = timeOf(Number(page.dataset.until));
  const words = left > 0 ? `Say that you are all right by ${at}.` : `You were to say by ${at} that you are all right. Say so now.`;
  if (line.textContent !== words) line.textContent = words;
}

function complete(form) {
  for (const group of form.querySelectorAll("[data-either]")) {
    const written = group.querySelector('input[type="text"]');
    written.setCustomValidity(group.querySelector(":checked") || written.value.trim() ? "" : "Tap an answer, or write one");
  }
  return form.reportValidity();
}

async function enter(form) {
  form.elements.entry.value = crypto.randomUUID();
  form.elements.entered_at.value = new Date().toISOString();
  const data = new FormData(form);
  data.delete("csrf_token"); // it may be old when this is sent
  const [{ step, words }, fields] = [form.dataset, [...data].filter(([, value]) => value)];
  const n = await write({ member: me, visit, step, words, address: form.action, fields, at: Date.now() });
  const sent = await send();
  const found = (await mine()).find((one) => one.n === n);
  if (found?.refused) {
    await remove(found); // it stands in its form, to be put right
    const problems = found.refused.map((textContent) => made("p", { className: "govuk-error-message", textContent }));
    form.querySelector(".problems").replaceChildren(...problems);
    problems[0].scrollIntoView({ block: "center" });
    return show();
  }
  touched = false;
  await show();
  if (sent) return reload();
  form.reset();
  document.getElementById("next").scrollIntoView();
}

async function submitted(event) {
  const form = event.target;
  if (form.action.endsWith("/logout")) return leave(event);
  if (!form.dataset.step) return;
  event.preventDefault();
  if (form.dataset.busy || !complete(form)) return;
  form.dataset.busy = "yes"; // where nothing can be kept, as without this script
  await enter(form).catch(() => form.submit()).finally(() => delete form.dataset.busy);
}

async function leave(event) {
  event.preventDefault();
  const waiting = (await mine().catch(() => [])).filter(waits).length;
  if (waiting && !confirm(`${waiting} not sent yet. They stay on this phone until you log in again. Log out?`)) return;
  await caches.delete(CACHE);
  event.target.submit();
}

if (me && kept && isSecureContext && navigator.serviceWorker && navigator.locks) {
  document.addEventListener("submit", submitted);
  document.addEventListener("input", () => (touched = true));
  addEventListener("online", sendAndShow);
  setInterval(sendAndShow, EVERY);
  setInterval(clock, EVERY);
  await show();
  await sendAndShow();
  page?.setAttribute("data-ready", "");
}
