// How far the loading of past records has come. Without script the page says so each time it is opened.
const bar = document.getElementById("load-progress");
const words = document.getElementById("load-words");

async function look() {
  try {
    const answer = await fetch("/commissioning/progress", { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    const { loading } = await answer.json();
    if (loading === null) {
      location.reload();
      return;
    }
    bar.max = loading.total;
    bar.value = loading.done;
    words.textContent = `${loading.done} of ${loading.total}`;
  } catch {
    // The next look may reach it.
  }
}
if (bar) setInterval(look, 2000);
