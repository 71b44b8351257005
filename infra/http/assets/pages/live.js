// Says that the answer of this page has changed, or that this can no longer be known. The page itself
// never moves: its reader reloads it.
"use strict";

const EVERY = 30_000; // milliseconds

const line = document.querySelector("[data-answer]");
const lost = document.querySelector("[data-lost]");

async function answer() {
  const found = await fetch(line.dataset.answer, { headers: { Accept: "application/json" } });
  return found.ok ? found.text() : null;
}

async function watch() {
  let shown = await answer().catch(() => null);
  const timer = setInterval(async () => {
    if (document.hidden) return;
    const now = await answer().catch(() => null);
    lost.hidden = now !== null;
    if (now === null) return;
    shown ??= now;
    if (now === shown) return;
    line.hidden = false;
    clearInterval(timer);
  }, EVERY);
}

if (line) watch();
