// A carer's page: ringing on this device. The browser is asked only when the button is pressed; each time the page is opened
// it says that it still rings, for browsers change where they are rung.

const WORKER = "/push-worker.js";
const SCOPE = "/carer";
const MEMORY = "push-device"; // the worker reads it too
const LOOK_EVERY = 2_000; // ms, while a test is on its way

const section = document.getElementById("push");
const form = document.getElementById("push-on");
const key = section?.dataset.key ? bytes(section.dataset.key) : null;

function bytes(base64url) {
  const text = atob(base64url.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function say(name, { button = false } = {}) {
  for (const one of section.querySelectorAll("[data-push]")) one.hidden = one.dataset.push !== name;
  form.hidden = !button;
}

// ---------------------------------------------------------------- what this browser can do

function obstacle() {
  if (!isSecureContext) return "insecure";
  // An iPad says that it is a Mac, and has fingers on it.
  const apple = /iPhone|iPad|iPod/.test(navigator.userAgent) || (/Mac/.test(navigator.platform) && navigator.maxTouchPoints > 1);
  if (!navigator.serviceWorker || !window.PushManager || !window.Notification) return apple ? "iphone" : "unsupported";
  return Notification.permission === "denied" ? "blocked" : null;
}

const sameKey = (subscription) => {
  const own = subscription.options?.applicationServerKey;
  return !own || String(new Uint8Array(own)) === String(key);
};

async function rowOf(subscription) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(subscription.endpoint));
  const mark = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return section.querySelector(`[data-device="${mark}"]`);
}

const current = async () => (await (await navigator.serviceWorker.getRegistration(SCOPE))?.pushManager.getSubscription()) ?? null;

async function remembered() {
  return (await (await (await caches.open(MEMORY)).match(SCOPE))?.json()) ?? {};
}

async function remember(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const known = JSON.stringify({ endpoint, auth: keys.auth, key: section.dataset.key });
  await (await caches.open(MEMORY)).put(SCOPE, new Response(known));
}

// ---------------------------------------------------------------- on and off

async function turnOn() {
  if ((await Notification.requestPermission()) !== "granted") {
    say(obstacle() ?? "", { button: true });
    return;
  }
  await navigator.serviceWorker.register(WORKER, { scope: SCOPE });
  const { pushManager } = await navigator.serviceWorker.ready;
  let subscription = await pushManager.getSubscription();
  if (subscription && (!sameKey(subscription) || (await rowOf(subscription))?.hasAttribute("data-gone"))) {
    await subscription.unsubscribe();
    subscription = null;
  }
  subscription ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await remember(subscription);
  const { endpoint, keys } = subscription.toJSON();
  for (const [name, value] of Object.entries({ endpoint, p256dh: keys.p256dh, auth: keys.auth })) form.elements[name].value = value;
  form.submit();
}

async function sayAgain(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const { endpoint: was = "" } = await remembered();
  const answer = await fetch("/carer/devices", {
    method: "POST",
    headers: { "X-CSRF-Token": document.body.dataset.csrf },
    body: new URLSearchParams({ again: "yes", was, endpoint, p256dh: keys.p256dh, auth: keys.auth }),
    redirect: "error",
  });
  if (!answer.ok) throw new Error(String(answer.status));
  const { device } = await answer.json();
  if (device === "known") await remember(subscription);
  return device;
}

async function begin() {
  const why = obstacle();
  if (why) {
    say(why);
    return;
  }
  const subscription = await current();
  if (!subscription) {
    say("", { button: true });
    return;
  }
  const standing = sameKey(subscription) ? await sayAgain(subscription) : "gone";
  if (standing === "known") say("on");
  else if (standing === "gone" || standing === "others") say(standing, { button: true });
  else {
    await subscription.unsubscribe(); // it was removed, here or from another device
    say("", { button: true });
  }
}

async function removed(remove) {
  try {
    const subscription = await current();
    if (subscription && (await rowOf(subscription))?.contains(remove)) await subscription.unsubscribe();
  } finally {
    remove.submit();
  }
}

// ---------------------------------------------------------------- a test

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The page as it is now, looked at again until the test has an end; only words are changed.
async function follow() {
  const test = document.getElementById("push-test");
  while (test?.dataset.state === "waiting") {
    await pause(LOOK_EVERY);
    const answer = await fetch("/carer", { redirect: "error" }).catch(() => null);
    if (!answer?.ok) continue;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.getElementById("push-test");
    if (!found?.dataset.state || found.dataset.state === "waiting") continue;
    for (const row of section.querySelectorAll("[data-device]")) {
      const line = page.querySelector(`[data-device="${row.dataset.device}"] .device-line`);
      if (line) row.querySelector(".device-line").textContent = line.textContent;
    }
    test.dataset.state = found.dataset.state;
    test.textContent = found.textContent;
  }
}

if (key) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    turnOn().catch(() => say("failed", { button: true }));
  });
  begin().catch(() => say("", { button: true }));
  follow();
}
section?.addEventListener("submit", (event) => {
  if (!event.target.classList.contains("remove-device") || obstacle() === "insecure" || !navigator.serviceWorker) return;
  event.preventDefault();
  removed(event.target);
});
