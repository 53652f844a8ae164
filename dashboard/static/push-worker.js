// Shows a carer our messages while no page of ours is open, tells us that it does, and opens the message's link when pressed.

const SCOPE = "/carer";
const MEMORY = "push-device"; // what the page wrote down of this device
const AGAIN_AFTER = [2_000, 6_000]; // ms: a telephone that has just woken may not be connected yet
const UNREADABLE = { title: "A message for you", body: "Press to see it on your page." };

self.addEventListener("install", () => self.skipWaiting());

self.addEventListener("push", (event) => event.waitUntil(show(event.data)));

async function show(data) {
  let message = UNREADABLE;
  try {
    message = data.json();
  } catch {
    // Browsers want something shown for every push.
  }
  await self.registration.showNotification(message.title, {
    body: message.body,
    icon: "/static/icon-192.png",
    tag: message.tag, // the same message once more replaces the first,
    renotify: Boolean(message.tag), // and rings again
    requireInteraction: true,
    data: { link: message.link },
  });
  const { id, device, proof } = message;
  if (proof) await tell("/hooks/push/receipts", { id, device, proof });
}

async function tell(address, what) {
  for (const pause of [...AGAIN_AFTER, null]) {
    try {
      const answer = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(what),
        credentials: "omit",
      });
      if (answer.status < 500) return answer.ok;
    } catch {
      // Not connected: once more.
    }
    if (pause !== null) await new Promise((done) => setTimeout(done, pause));
  }
  return false;
}

// ---------------------------------------------------------------- pressed

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data?.link));
});

// Only a page of our own, whatever a message says.
function own(link) {
  try {
    const address = new URL(link ?? SCOPE, self.location.origin);
    return address.origin === self.location.origin ? address.href : new URL(SCOPE, self.location.origin).href;
  } catch {
    return new URL(SCOPE, self.location.origin).href;
  }
}

async function open(link) {
  const address = own(link);
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => one.url === address);
  return there ? there.focus() : self.clients.openWindow(address);
}

// ---------------------------------------------------------------- the browser is rung elsewhere

self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(move(event)));

async function move(event) {
  const memory = await caches.open(MEMORY);
  const known = (await (await memory.match(SCOPE))?.json()) ?? null;
  const old = event.oldSubscription?.toJSON();
  const was = old ? { endpoint: old.endpoint, auth: old.keys.auth } : known;
  if (!was?.endpoint) return; // the page says so when it is opened next
  const fresh = event.newSubscription ?? (await subscribe(event.oldSubscription, known));
  const now = fresh.toJSON();
  if (await tell("/hooks/push/renewals", { was: { endpoint: was.endpoint, auth: was.auth }, now: { endpoint: now.endpoint, keys: now.keys } })) {
    await memory.put(SCOPE, new Response(JSON.stringify({ ...known, endpoint: now.endpoint, auth: now.keys.auth })));
  }
}

function subscribe(old, known) {
  const applicationServerKey = old?.options?.applicationServerKey ?? known?.key;
  return self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
}
