// Keeps a responder's pages for reading where there is no signal. Only what a GET answers is kept: the code of a key safe
// is shown by a POST, and so never is.

const CACHE = "responder"; // the page's script fills it too, and empties it on logging out
const LIST = "/responder";
const WITHIN = 5_000; // ms: a weak signal is no signal where the page is kept
const LONGEST = 24 * 3_600_000; // ms that a page of somebody's home stays on a phone

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const address = new URL(url);
  if (address.origin !== self.location.origin) return;
  if (method === "GET" && mode === "navigate") event.respondWith(page(event.request));
  else if (mode === "navigate") event.respondWith(fetch(event.request).catch(noSignal));
  else if (method === "GET" && address.pathname.startsWith("/static/")) event.respondWith(file(event.request));
});

async function page(request) {
  const cache = await caches.open(CACHE);
  const kept = await fresh(cache, request);
  try {
    const answer = await fetch(request, kept ? { signal: AbortSignal.timeout(WITHIN) } : {});
    if (answer.ok && answer.type === "basic" && !answer.redirected) await keep(cache, request.url, answer.clone());
    return answer;
  } catch {
    return kept ?? noSignal();
  }
}

async function fresh(cache, request) {
  const kept = await cache.match(request, { ignoreSearch: true });
  if (!kept || Date.now() - Date.parse(kept.headers.get("Date")) < LONGEST) return kept;
  await cache.delete(request, { ignoreSearch: true });
}

async function keep(cache, url, answer) {
  const address = new URL(url);
  await cache.put(address.pathname, answer.clone());
  if (address.pathname !== LIST) return;
  const text = await answer.text(); // visits that are not on the list any more are over
  for (const { url: known } of await cache.keys()) {
    const { pathname } = new URL(known);
    if (pathname.startsWith(`${LIST}/visits/`) && !text.includes(pathname)) await cache.delete(known);
  }
}

async function file(request) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok && new URL(request.url).searchParams.has("v")) await cache.put(request, answer.clone());
  return answer;
}

function noSignal() {
  const words = '<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><title>No signal</title><h1>No signal</h1><p>This page is not kept on this phone. <a href="/responder">Visits</a>. If you are in danger, ring 999.</p></html>';
  return new Response(words, { status: 503, headers: { "Content-Type": "text/html; charset=utf-8" } });
}
