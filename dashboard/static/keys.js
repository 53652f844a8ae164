// Keys of the console, all of them with a key held down (WCAG 2.1.4), so that no letter alone ever does anything.

const CLAIM = "c"; // Alt+C: the first alert that nobody has
const queue = document.getElementById("queue");

// The browser itself presses the button that has the key; it goes along as the queue changes.
function giveClaimKey() {
  const first = queue.querySelector(".case .claim");
  for (const button of queue.querySelectorAll(".claim[accesskey]")) {
    if (button !== first) button.removeAttribute("accesskey");
  }
  if (first && first.accessKey !== CLAIM) first.accessKey = CLAIM;
}

if (queue) {
  document.getElementById("keys-hint").hidden = false;
  giveClaimKey();
  new MutationObserver(giveClaimKey).observe(queue, { childList: true, subtree: true });
}

// Ctrl+Enter in a field sends its form, by the same button as a click, so that nothing is sent twice.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !event.ctrlKey || event.repeat) return;
  const form = event.target.closest?.("form");
  if (!form || form.method !== "post") return;
  event.preventDefault();
  form.querySelector("button[type=submit], button:not([type])")?.click();
});
