/* Updates the page: listens to /events, fetches the page again, and replaces what has changed. */
import { localize } from "./times.js";

// Milliseconds.
const MIN_REFRESH_INTERVAL = 1000;
const LOST_DELAY = 6000; // before a lost connection is shown: a stream that ends is reopened sooner
const REOPEN_DELAY = 2500; // where the browser does not reconnect by itself
const MAX_PAGE_AGE = 60000; // then the page is fetched without an event
const SUSPENSION = 5000; // between two ticks: the machine was suspended
const root = document.documentElement;
const main = document.querySelector("main");
const lost = document.getElementById("lost");
const announcer = document.getElementById("announcer");
const sources = new Map(); // the sections as the server sent them, to detect changes
let stream = null;
let lostTimer = 0;
let refreshTimer = 0;
let isRefreshing = false;
let isRefreshDue = false;
let fetchedAt = performance.now();
let tickedAt = Date.now(); // unlike performance.now(), it runs while the machine is suspended

// --- ages ------------------------------------------------------------------------------------

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
  const wasSuspended = Date.now() - tickedAt > SUSPENSION;
  tickedAt = Date.now();
  if (wasSuspended && !document.hidden) start();
  const passed = (performance.now() - fetchedAt) / 1000;
  for (const each of document.querySelectorAll("[data-age]")) {
    const text = each.dataset.text.replace("{}", duration(Number(each.dataset.age) + passed));
    if (each.textContent !== text) each.textContent = text;
  }
}

// --- updates of the page ----------------------------------------------------------------------

// Replaces only what differs, so that selection, hover and scroll position are kept.
function morph(old, fresh) {
  if (old.nodeName === "DETAILS") fresh.open = old.open;
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName || !fresh.childElementCount || old.childNodes.length !== fresh.childNodes.length) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const parts = [...fresh.childNodes];
  [...old.childNodes].forEach((part, place) => morph(part, parts[place]));
}

function applyPage(page) {
  if (page.documentElement.dataset.version !== root.dataset.version) {
    location.reload(); // the service was upgraded: this script is outdated
    return;
  }
  const fresh = page.querySelector("main");
  const focused = document.activeElement && document.activeElement.id;
  for (const section of fresh.querySelectorAll("section")) {
    const source = section.outerHTML;
    if (sources.get(section.id) === source) continue;
    sources.set(section.id, source);
    localize(section);
    morph(document.getElementById(section.id), document.adoptNode(section));
  }
  const footer = document.adoptNode(page.querySelector("footer time"));
  document.querySelector("footer time").replaceWith(footer);
  localize(footer.parentNode);
  if (focused && document.activeElement.id !== focused) {
    const successor = document.getElementById(focused);
    if (successor) successor.focus({ preventScroll: true });
  }
  document.title = page.title;
  document.getElementById("icon").href = page.getElementById("icon").getAttribute("href");
  if (main.dataset.announcement !== fresh.dataset.announcement) announce(fresh.dataset.announcement);
  main.dataset.announcement = fresh.dataset.announcement;
}

async function refresh() {
  if (isRefreshing) {
    isRefreshDue = true;
    return;
  }
  isRefreshing = true;
  try {
    const answer = await fetch(location.href, {
      headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(10000),
    });
    if (!answer.ok) throw new Error(answer.status);
    const text = await answer.text();
    fetchedAt = performance.now();
    applyPage(new DOMParser().parseFromString(text, "text/html"));
    tick();
    if (document.hidden || (stream && stream.readyState === EventSource.OPEN)) hideLost();
  } catch {
    showLost();
  } finally {
    isRefreshing = false;
    if (isRefreshDue) scheduleRefresh();
    isRefreshDue = false;
  }
}

function scheduleRefresh() {
  if (refreshTimer) return;
  const pause = Math.max(0, MIN_REFRESH_INTERVAL - (performance.now() - fetchedAt));
  refreshTimer = setTimeout(() => {
    refreshTimer = 0;
    refresh();
  }, pause);
}

// --- the connection ---------------------------------------------------------------------------

function announce(text) {
  announcer.textContent = text;
}

function showLost() {
  if (lost.hidden) announce(lost.dataset.lost);
  lost.textContent = lost.dataset.lost;
  lost.hidden = false;
}

function hideLost() {
  clearTimeout(lostTimer);
  lostTimer = 0;
  if (!lost.hidden) announce(lost.dataset.restored);
  lost.hidden = true;
}

function listen() {
  if (stream) stream.close();
  stream = new EventSource("events");
  stream.onmessage = scheduleRefresh;
  stream.onopen = () => {
    clearTimeout(lostTimer);
    lostTimer = 0;
  };
  stream.onerror = () => {
    if (!lostTimer) lostTimer = setTimeout(showLost, LOST_DELAY);
    // After a response that is not a stream the browser does not reconnect.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => !document.hidden && listen(), REOPEN_DELAY);
  };
}

function start() {
  listen();
  refresh();
}

// A hidden page closes its connection: a browser has only six for each address.
function onVisibility() {
  if (document.hidden) {
    stream.close();
    clearTimeout(lostTimer);
    lostTimer = 0;
  } else {
    listen();
  }
}

listen();
document.addEventListener("visibilitychange", onVisibility);
window.addEventListener("pageshow", (event) => event.persisted && onVisibility());
window.addEventListener("pagehide", () => stream.close());
setInterval(tick, 1000);
setInterval(() => {
  if (performance.now() - fetchedAt <= MAX_PAGE_AGE) return;
  if (document.hidden) refresh();
  else start(); // a stream may be dead without an error, after a suspension or in another network
}, MAX_PAGE_AGE / 6);
