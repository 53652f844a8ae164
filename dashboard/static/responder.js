// A responder's pages and their files are kept on the phone, for reading where there is no signal (responder-worker.js).

const CACHE = "responder";
const me = document.body.dataset.member;
const visit = document.getElementById("visit")?.dataset.visit;

async function keepPages() {
  if (localStorage.getItem("responder") !== me) await caches.delete(CACHE); // a colleague's
  localStorage.setItem("responder", me);
  await navigator.serviceWorker.register("/responder-worker.js", { scope: "/responder" });
  const cache = await caches.open(CACHE);
  const files = [...document.querySelectorAll('link[rel="stylesheet"], link[rel="icon"], script[src]')].map((one) => one.href || one.src);
  const links = [...document.querySelectorAll('a[href^="/responder/visits/"]')].map((one) => one.getAttribute("href"));
  for (const address of new Set([...files, "/responder", ...(visit ? [`/responder/visits/${visit}`] : []), ...links])) {
    const answer = await fetch(address, { redirect: "manual" });
    if (answer.ok) await cache.put(address, answer);
  }
  document.documentElement.dataset.kept = "";
}

if (me && isSecureContext && navigator.serviceWorker) keepPages().catch(() => {}); // without signal, what is kept is kept
