/* Times in the reader's zone, and timelines that can be read with a mouse, a finger and the keyboard. */
const root = document.documentElement;
// English has several orders of day and month. Chinese times look the same for everyone.
const english = navigator.languages.find((each) => each.slice(0, 2) === "en");
const locale = root.lang === "en" && english ? english : root.lang;
const when = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });
const short = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
const minutes = new Intl.DateTimeFormat(locale, { timeStyle: "short" });
const day = new Intl.DateTimeFormat(locale, { weekday: "short", year: "numeric", month: "short", day: "numeric" });
const zone = new Intl.DateTimeFormat(locale, { timeZoneName: "short" });
const readings = new Map(); // number of the bar that is read, by the timeline's id

export function localize(part) {
  for (const each of part.querySelectorAll("time[datetime]")) {
    each.title = each.textContent;
    const at = new Date(each.dateTime);
    if (each.className === "clock") each.title = each.dateTime.slice(0, 10) + " " + each.title + " UTC";
    each.textContent = (each.className === "clock" ? clock : each.closest(".gpus, .figures") ? short : when).format(at);
    if (each.closest("footer")) each.textContent += " " + zone.formatToParts(at).find(({ type }) => type === "timeZoneName").value;
  }
  part.querySelectorAll(".days").forEach(groupByDay);
  part.querySelectorAll(".line").forEach(prepareLine);
}

// The server has the days of UTC.
function groupByDay(days) {
  const groups = [];
  const heading = days.querySelector(".day").nodeName;
  let last = "";
  for (const incident of days.querySelectorAll("li")) {
    const name = day.format(new Date(incident.querySelector(".clock").dateTime));
    if (name !== last) {
      groups.push(document.createElement(heading), document.createElement("ul"));
      groups.at(-2).className = "day";
      groups.at(-2).textContent = last = name;
      groups.at(-1).setAttribute("role", "list");
    }
    groups.at(-1).append(incident);
  }
  days.replaceChildren(...groups);
}

// --- timelines: each bar can be read with a mouse, a finger, and the arrow keys -----------------

function prepareLine(line) {
  const start = Date.parse(line.dataset.now) - 1000 * line.dataset.seconds;
  const step = 1000 * line.dataset.step;
  [...line.children].forEach((bar, place) => {
    const [from, to] = [place, place + 1].map((each) => new Date(start + each * step));
    const end = from.toDateString() === to.toDateString() ? minutes : short;
    bar.title = short.format(from) + " \u2013 " + end.format(to) + "\n" + bar.title;
  });
  line.tabIndex = 0;
  line.setAttribute("role", "slider");
  line.setAttribute("aria-valuemin", 1);
  line.setAttribute("aria-valuemax", line.children.length);
  showReading(line);
}

function showReading(line) {
  const place = readings.get(line.id);
  const bar = line.children[place ?? line.children.length - 1];
  const text = bar.title.replace("\n", " · ");
  line.querySelectorAll(".current").forEach((each) => each.classList.remove("current"));
  if (place !== undefined) bar.classList.add("current");
  line.parentNode.querySelector(".reading").textContent = place === undefined ? "" : text;
  line.setAttribute("aria-valuenow", (place ?? line.children.length - 1) + 1);
  line.setAttribute("aria-valuetext", text);
}

function read(line, place) {
  if (place === undefined) readings.delete(line.id);
  else readings.set(line.id, Math.min(line.children.length - 1, Math.max(0, place)));
  showReading(line);
}

function onKey(event) {
  const line = event.target.closest(".line");
  if (!line || event.altKey || event.ctrlKey || event.metaKey) return;
  const last = line.children.length - 1;
  const place = readings.get(line.id) ?? last;
  const places = {
    ArrowLeft: place - 1, ArrowDown: place - 1, ArrowRight: place + 1, ArrowUp: place + 1,
    PageDown: place - 10, PageUp: place + 10, Home: 0, End: last, Escape: undefined,
  };
  if (!(event.key in places)) return;
  event.preventDefault();
  read(line, places[event.key]);
}

function onClick(event) {
  const bar = event.target.closest(".line > span");
  if (bar) read(bar.parentNode, [...bar.parentNode.children].indexOf(bar));
}

function onLeave(event) {
  if (event.target.matches(".line") && document.hasFocus() && event.target.isConnected) read(event.target);
}

localize(document);
document.addEventListener("keydown", onKey);
document.addEventListener("click", onClick);
document.addEventListener("focusout", onLeave);
