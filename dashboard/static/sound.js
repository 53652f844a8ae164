// The sounds of the console by level, their health, and silence: one operator's, for a minute at most, and never an emergency's.

const SOUND_EVERY = { 1: 6_000, 2: 15_000 }; // ms; level 3 sounds once, level 4 not at all
const SILENCE_FOR = 60_000; // ms at most

const find = (id) => document.getElementById(id);

let audio = null;
let shift = sessionStorage.getItem("shift") === "on";
let silentUntil = 0;
const soundedAt = { 1: 0, 2: 0 };

function pulses(times, pitch) {
  if (!audio || audio.state !== "running") return;
  for (const time of times) {
    const tone = audio.createOscillator();
    const loudness = audio.createGain();
    const at = audio.currentTime + time;
    tone.frequency.value = pitch;
    loudness.gain.setValueAtTime(0, at);
    loudness.gain.linearRampToValueAtTime(0.4, at + 0.02);
    loudness.gain.setValueAtTime(0.4, at + 0.13);
    loudness.gain.linearRampToValueAtTime(0, at + 0.16);
    tone.connect(loudness).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.2);
  }
}

const PATTERNS = {
  1: () => pulses([0, 0.25, 0.5, 1, 1.25], 880), // 3 + 2
  2: () => pulses([0, 0.3, 0.6], 660), // 3
  3: () => pulses([0], 520), // 1
  lost: () => pulses([0, 0.2], 330), // the line is dead
};

export function soundOnce(level) {
  if (Date.now() < silentUntil) return;
  PATTERNS[level]();
  if (level in soundedAt) soundedAt[level] = Date.now();
}

// `levels`: of those that wait.
export function soundForWaiting(now, levels) {
  if (now < silentUntil) return;
  for (const level of [1, 2]) {
    if (levels.includes(level) && now - soundedAt[level] >= SOUND_EVERY[level]) {
      soundOnce(level);
      return;
    }
  }
}

async function startShift() {
  audio ??= new AudioContext();
  await audio.resume();
  shift = true;
  sessionStorage.setItem("shift", "on");
  PATTERNS[3]();
  find("heard").hidden = false;
  showSound();
}

export function showSound() {
  const bar = find("sound");
  const running = audio !== null && audio.state === "running";
  const silent = Math.ceil((silentUntil - Date.now()) / 1000);
  let words = "Sound off: start your shift";
  let state = "off";
  if (shift && !running) [words, state] = ["Sound blocked: press Start shift", "blocked"];
  else if (shift && silent > 0) [words, state] = [`Silent for ${silent} s`, "muted"];
  else if (shift) [words, state] = ["Sound on", "on"];
  if (bar.dataset.state !== state || find("sound-words").textContent !== words) {
    bar.dataset.state = state;
    find("sound-words").textContent = words;
  }
  find("start-shift").hidden = shift && running;
  find("silence").hidden = !(shift && running) || silent > 0;
}

find("start-shift").addEventListener("click", startShift);
find("silence").addEventListener("click", () => {
  silentUntil = Date.now() + SILENCE_FOR;
  showSound();
});
find("heard-yes").addEventListener("click", () => (find("heard").hidden = true));
find("heard-no").addEventListener("click", () => {
  PATTERNS[2]();
  find("sound-words").textContent = "Check the loudspeaker and its volume, then answer again";
});
// A browser lets sound begin only with a click or a key: any one does, once the shift has been started.
for (const gesture of ["pointerdown", "keydown"]) {
  document.addEventListener(gesture, async () => {
    if (!shift || audio?.state === "running") return;
    audio ??= new AudioContext();
    await audio.resume();
    showSound();
  });
}

export const toneOfLostLine = () => PATTERNS.lost();

export function neverMuted() {
  silentUntil = 0;
}

if (shift) {
  audio = new AudioContext(); // may stay suspended until the first click
}
