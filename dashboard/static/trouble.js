// The banner that says what is wrong with the service: drawn by the server, kept up to date by the console.

const banner = document.getElementById("trouble");
let grave = new Set(); // words of what keeps alarms from people
let shown = null; // what the banner says, as text

export const isGrave = () => grave.size > 0;

// Show these; true when something grave is among them that was not there before.
export function showTroubles(troubles) {
  const before = grave;
  // A number in the words grows while a trouble lasts; that is no news.
  grave = new Set(troubles.filter((one) => one.grave).map((one) => one.words.replace(/\d+/g, "")));
  if (banner && JSON.stringify(troubles) !== shown) draw(troubles);
  return [...grave].some((words) => !before.has(words));
}

function draw(troubles) {
  shown = JSON.stringify(troubles);
  const items = troubles.map((one) => {
    const item = document.createElement("li");
    const words = document.createElement("strong");
    words.textContent = one.words;
    item.append(words, ` ${one.advice}.`);
    return item;
  });
  document.getElementById("trouble-list").replaceChildren(...items);
  const title = document.getElementById("trouble-title");
  title.textContent = isGrave() ? title.dataset.grave : title.dataset.quiet;
  banner.toggleAttribute("data-grave", isGrave());
  banner.hidden = !troubles.length;
}

// While the line is dead: what the service says of itself to anybody who asks.
export async function troublesByHealth() {
  try {
    const { problems } = await (await fetch("/health")).json();
    return problems.map((words) => ({ words: `${words}.`, advice: "Ring the engineer on call now", grave: true }));
  } catch {
    return [{ words: "The service does not answer.", advice: "Ring the engineer on call now", grave: true }];
  }
}
