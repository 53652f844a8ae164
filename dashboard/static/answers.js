// The script's card: number keys answer while the focus is inside it (WCAG 2.1.4), and an answer is sent once.

const card = document.getElementById("script");
let sent = false;

card.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  const button = /^[1-9]$/.test(event.key) && card.querySelector(`button[data-key="${event.key}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});
card.addEventListener("submit", (event) => {
  if (sent) event.preventDefault();
  sent = true;
});
addEventListener("pageshow", () => (sent = false));

for (const button of card.querySelectorAll("button[data-key]")) {
  button.setAttribute("aria-keyshortcuts", button.dataset.key);
}
document.getElementById("script-keys").hidden = !card.querySelector("button[data-key]");
