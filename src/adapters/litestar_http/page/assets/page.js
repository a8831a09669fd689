/* Keeps the page fresh: listens to /events, fetches the page anew, and puts in what has changed. */
"use strict";

(() => {
  const LEAST_PAUSE = 1000; // between two looks at the page, however much happens
  const PATIENCE = 6000; // before a break is told: a stream that ends comes back sooner
  const REOPEN = 2500; // where the browser itself does not try again
  const SILENCE = 60000; // after which the page is fetched without an event
  const WAKING = 5000; // between two ticks: the machine slept
  const root = document.documentElement;
  const main = document.querySelector("main");
  const lost = document.getElementById("lost");
  const said = document.getElementById("said");
  const raw = new Map(); // the sections as the server sent them, to see what has changed
  const locale = navigator.languages.find((each) => each.slice(0, 2) === root.lang.slice(0, 2)) || root.lang;
  const when = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
  const zoned = new Intl.DateTimeFormat(locale, {
    year: "numeric", month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit", timeZoneName: "short",
  });
  const short = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  let stream = null;
  let breaking = 0;
  let waiting = 0;
  let running = false;
  let again = false;
  let fetchedAt = performance.now();
  let tickedAt = Date.now(); // unlike the other clock, it runs while a machine sleeps

  // --- what the server wrote, in the reader's own time ------------------------------------------

  function localize(part) {
    for (const each of part.querySelectorAll("time[datetime]")) {
      each.title = each.textContent;
      each.textContent = (each.closest("footer") ? zoned : when).format(new Date(each.dateTime));
    }
    for (const line of part.querySelectorAll(".line")) {
      const start = Date.parse(line.dataset.now) - 1000 * line.dataset.seconds;
      const step = 1000 * line.dataset.step;
      [...line.children].forEach((bar, place) => {
        bar.title = short.formatRange(start + place * step, start + (place + 1) * step) + "\n" + bar.title;
      });
    }
  }

  function duration(seconds) {
    const parts = [];
    const units = main.dataset.units.split("|");
    let left = Math.max(0, Math.floor(seconds));
    for (const [place, unit] of [86400, 3600, 60, 1].entries()) {
      const count = Math.floor(left / unit);
      left -= count * unit;
      if (count || (unit === 1 && !parts.length)) parts.push(units[place].replace("{}", count));
      else if (parts.length) break;
    }
    return parts.slice(0, 2).join(" ");
  }

  function tick() {
    const slept = Date.now() - tickedAt > WAKING;
    tickedAt = Date.now();
    if (slept && !document.hidden) start();
    const passed = (performance.now() - fetchedAt) / 1000;
    for (const each of document.querySelectorAll("[data-age]")) {
      const text = each.dataset.text.replace("{}", duration(Number(each.dataset.age) + passed));
      if (each.textContent !== text) each.textContent = text;
    }
  }

  // --- the page anew ----------------------------------------------------------------------------

  // Only what differs is touched: a selection, a bar that is pointed at, a reader's place stay.
  function renew(old, fresh) {
    if (old.isEqualNode(fresh)) return;
    if (old.nodeName !== fresh.nodeName || !fresh.childElementCount || old.childNodes.length !== fresh.childNodes.length) {
      old.replaceWith(fresh);
      return;
    }
    for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const parts = [...fresh.childNodes];
    [...old.childNodes].forEach((part, place) => renew(part, parts[place]));
  }

  function put(page) {
    if (page.documentElement.dataset.version !== root.dataset.version) {
      location.reload(); // the service was upgraded: this script is of another version
      return;
    }
    const fresh = page.querySelector("main");
    const focused = document.activeElement && document.activeElement.id;
    for (const section of fresh.querySelectorAll("section")) {
      const source = section.outerHTML;
      if (raw.get(section.id) === source) continue;
      raw.set(section.id, source);
      localize(section);
      renew(document.getElementById(section.id), document.adoptNode(section));
    }
    const footer = document.adoptNode(page.querySelector("footer time"));
    document.querySelector("footer time").replaceWith(footer);
    localize(footer.parentNode);
    if (focused && document.activeElement.id !== focused) {
      const heir = document.getElementById(focused);
      if (heir) heir.focus({ preventScroll: true });
    }
    document.title = page.title;
    document.getElementById("icon").href = page.getElementById("icon").getAttribute("href");
    if (main.dataset.spoken !== fresh.dataset.spoken) say(fresh.dataset.spoken);
    main.dataset.spoken = fresh.dataset.spoken;
  }

  async function refresh() {
    if (running) {
      again = true;
      return;
    }
    running = true;
    try {
      const answer = await fetch(location.href, {
        headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(10000),
      });
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      fetchedAt = performance.now();
      put(new DOMParser().parseFromString(text, "text/html"));
      tick();
      if (document.hidden || (stream && stream.readyState === EventSource.OPEN)) found();
    } catch {
      miss();
    } finally {
      running = false;
      if (again) soon();
      again = false;
    }
  }

  function soon() {
    if (waiting) return;
    const pause = Math.max(0, LEAST_PAUSE - (performance.now() - fetchedAt));
    waiting = setTimeout(() => {
      waiting = 0;
      refresh();
    }, pause);
  }

  // --- the connection ---------------------------------------------------------------------------

  function say(text) {
    said.textContent = text;
  }

  function miss() {
    if (lost.hidden) say(lost.dataset.text);
    lost.textContent = lost.dataset.text;
    lost.hidden = false;
  }

  function found() {
    clearTimeout(breaking);
    breaking = 0;
    if (!lost.hidden) say(lost.dataset.back);
    lost.hidden = true;
  }

  function listen() {
    if (stream) stream.close();
    stream = new EventSource("events");
    stream.onmessage = soon;
    stream.onopen = () => {
      clearTimeout(breaking);
      breaking = 0;
    };
    stream.onerror = () => {
      if (!breaking) breaking = setTimeout(miss, PATIENCE);
      // An answer that is no stream ends a browser's own attempts.
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => !document.hidden && listen(), REOPEN);
    };
  }

  function start() {
    listen();
    refresh();
  }

  // A page that nobody sees gives its connection back: a browser has but six for each address.
  function look() {
    if (document.hidden) {
      stream.close();
      clearTimeout(breaking);
      breaking = 0;
    } else {
      listen();
    }
  }

  localize(document);
  listen();
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pageshow", (event) => event.persisted && look());
  window.addEventListener("pagehide", () => stream.close());
  setInterval(tick, 1000);
  setInterval(() => {
    if (performance.now() - fetchedAt <= SILENCE) return;
    if (document.hidden) refresh();
    else start(); // a stream may be dead without a word, after a sleep or on another network
  }, SILENCE / 6);
})();
