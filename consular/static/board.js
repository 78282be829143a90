// Keeps the board up to date: fetches its figures every 2 seconds while the page is visible, runs the timers, and says when it cannot.
(() => {
  const EVERY = 2000, TIMEOUT = 8000, SPEAK_EVERY = 30000;
  const board = document.getElementById("board");
  const text = document.getElementById("freshness-text");
  const lost = document.getElementById("lost");
  const spoken = document.getElementById("spoken");
  let etag = "", lastGood = new Date(board.dataset.now), ahead = lastGood - Date.now(), lastSpoken = 0, timer = 0;

  const clock = (date) => date.toISOString().slice(11, 19) + " UTC";

  function show(html) {
    const focused = board.contains(document.activeElement) ? document.activeElement.id : "";
    board.innerHTML = html;
    tick();
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    const summary = document.getElementById("summary")?.textContent ?? "";
    if (summary !== spoken.textContent && Date.now() - lastSpoken > SPEAK_EVERY) {
      spoken.textContent = summary;
      lastSpoken = Date.now();
    }
  }

  function good(response) {
    lastGood = new Date(response.headers.get("Date") ?? Date.now());
    ahead = lastGood - Date.now();
    text.textContent = "Last updated " + clock(lastGood);
    document.body.classList.remove("stale");
    lost.hidden = true;
  }

  function bad(words) {
    document.body.classList.add("stale");
    text.textContent = "Figures of " + clock(lastGood);
    const message = words + " The figures below are those of " + clock(lastGood) + ".";
    if (lost.textContent !== message) lost.textContent = message;
    lost.hidden = false;
  }

  async function fetchFigures() {
    const headers = { "X-Requested-With": "fetch", "Accept": "text/html", "If-None-Match": etag };
    const response = await fetch(board.dataset.url, { headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT) });
    if (response.status === 401) return bad("You are signed out: load the page again.");
    if (response.status !== 304 && !response.ok) return bad("The server answers with an error.");
    if (response.status !== 304) {
      etag = response.headers.get("ETag") ?? "";
      show(await response.text());
    }
    good(response);
  }

  async function poll() {
    clearTimeout(timer);
    if (document.hidden) return;
    try { await fetchFigures(); } catch { bad("Connection lost, trying again."); }
    timer = setTimeout(poll, EVERY);
  }

  function tick() {
    const now = Date.now() + ahead;
    for (const time of board.querySelectorAll("time[data-since]")) {
      const seconds = Math.max(0, Math.floor((now - new Date(time.dateTime)) / 1000));
      const part = (unit) => String(Math.floor(seconds / unit) % 60).padStart(2, "0");
      time.textContent = (seconds >= 3600 ? Math.floor(seconds / 3600) + ":" + part(60) : Math.floor(seconds / 60)) + ":" + part(1);
    }
  }

  document.addEventListener("visibilitychange", poll);
  setInterval(tick, 1000);
  tick();
  poll();
})();
