// On every page of an operator that is not the console: says that this screen is connected, and hears what is wrong with the
// service. Their alerts go back to the queue when no screen of theirs is connected any more.
import { showTroubles } from "./trouble.js";

let source = null;

// A browser has few connections: a page that nobody looks at holds none. The console itself always does.
function attend() {
  if (document.hidden) {
    source?.close();
    source = null;
  } else if (!source || source.readyState === EventSource.CLOSED) {
    source = new EventSource("/api/alerts/stream");
    source.addEventListener("beat", (event) => showTroubles(JSON.parse(event.data).troubles ?? []));
  }
}

document.addEventListener("visibilitychange", attend);
setInterval(attend, 5000); // one that was refused is asked for again
attend();
