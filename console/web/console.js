// The live tables: lists are loaded once the stream is ready, then every message changes one row.
import { current, limitWords, switchLanguage, translate, word } from "/web/words.js";

const PAGE = 50;
const MOST_ROWS = 500;
const SEVERITIES = ["critical", "major", "minor", "info"];
const $ = (id) => document.getElementById(id);

const lists = {
  cases: { items: new Map(), next: null, state: "", rows: $("case-rows"), none: $("no-cases"), more: $("more-cases"), key: (c) => c.task_number, row: caseRow },
  alerts: { items: new Map(), next: null, state: "", rows: $("alert-rows"), none: $("no-alerts"), more: $("more-alerts"), key: (a) => a.id, row: alertRow },
};
let lastId = null;

// --- asking the hub ---

function headers() {
  const token = sessionStorage.getItem("token");
  return token ? { Authorization: `Bearer ${token}` } : {};
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { ...headers(), ...options.headers } }).catch(() => null);
  if (answer?.ok) return answer;
  const problem = answer ? await answer.json().catch(() => ({})) : { code: "away" };
  throw Object.assign(new Error(problem.detail ?? answer?.statusText ?? ""), { status: answer?.status, code: problem.code });
}

// What went wrong in the reader's language, by the code of the problem; else as the hub says it.
function why(error) {
  const key = `problem_${error.code}`;
  const said = word(key);
  return `${word("failed")}: ${said === key ? error.message : said}`;
}

const settled = () => { $("fault").textContent = ""; };

function complain(error) {
  $("fault").textContent = why(error);
  if (error.status === 401) openAccess();
}

async function load(name, cursor = null) {
  const list = lists[name];
  const query = new URLSearchParams({ limit: PAGE });
  if (list.state) query.set("state", list.state);
  if (cursor) query.set("cursor", cursor);
  const page = await (await ask(`/api/v1/${name}?${query}`)).json();
  if (!cursor) list.items.clear();
  list.loaded = true;
  for (const item of page.items) list.items.set(list.key(item), item);
  list.next = page.next;
  draw(name);
}

async function loadAll() {
  await Promise.all([load("cases"), load("alerts"), drawTiles(), loadCovers()]);
}

// --- the stream ---

let tryNow = () => {};

async function follow() {
  let pause = 500;
  for (;;) {
    try {
      const resume = lastId === null ? {} : { "Last-Event-ID": String(lastId) };
      const answer = await ask("/api/v1/stream", { headers: resume });
      const fresh = lastId === null;
      for await (const message of messages(answer.body)) {
        pause = 500;
        if (message.name === "reset" || (message.name === "ready" && fresh)) await loadAll();
        if (message.name === "alert") takeAlert(message.data.alert);
        if (message.name === "case") takeCase(message.data);
        if (COVERS.has(message.name)) takeCover(message);
        if (message.name === "ready" || message.name === "reset") say("live");
        lastId = message.id ?? lastId;
      }
      say("lost");
    } catch (error) {
      say(error.status === 401 ? "closed" : "lost");
    }
    await new Promise((resolve) => { tryNow = resolve; setTimeout(resolve, pause); });
    pause = Math.min(pause * 2, 10000);
  }
}

async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const fields = Object.fromEntries(part.split("\n").filter((l) => !l.startsWith(":")).map((l) => {
        const colon = l.indexOf(": ");
        return [l.slice(0, colon), l.slice(colon + 2)];
      }));
      if (fields.event) yield { id: fields.id, name: fields.event, data: JSON.parse(fields.data) };
    }
  }
}

// A row that is further down than what was loaded stays there: only what is new, or new to a filter, comes on top.
function take(name, item, isNew) {
  const list = lists[name];
  const key = list.key(item);
  const fits = !list.state || item.state === list.state;
  if (!fits) list.items.delete(key);
  else if (list.items.has(key)) list.items.set(key, item);
  else if (isNew || list.state) list.items = new Map([[key, item], ...list.items].slice(0, MOST_ROWS));
  soon(name);
}

function takeAlert(alert) {
  const shown = lists.alerts.items.get(alert.id);
  if (!shown || alert.revision >= shown.revision) take("alerts", alert, alert.revision === 1);
}

function takeCase({ line, case: changed }) {
  take("cases", changed, line.what === "opened");
  if (line.what === "opened") $("news").textContent = `${word("new_case")} ${changed.task_number}: ${title(changed)}, ${changed.place}`;
}

// --- drawing: at most once a frame, however many messages come ---

const waiting = new Set();

function soon(name) {
  if (waiting.size === 0) requestAnimationFrame(() => {
    for (const each of waiting) draw(each);
    waiting.clear();
  });
  waiting.add(name);
}

function draw(name) {
  const list = lists[name];
  const focused = document.activeElement?.dataset?.key;
  list.rows.replaceChildren(...[...list.items.values()].map(list.row));
  list.none.hidden = !list.loaded || list.items.size > 0;
  list.more.hidden = list.next === null;
  if (focused) list.rows.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  tilesSoon();
}

let tilesTimer = null;
function tilesSoon() {
  tilesTimer ??= setTimeout(() => { tilesTimer = null; drawTiles().catch(() => {}); }, 1000);
}

let counts = null;

async function drawTiles() {
  counts = (await (await ask("/api/v1/counts")).json()).alerts;
  showTiles();
}

function showTiles() {
  if (counts === null) return;
  const tiles = SEVERITIES.map((severity) => {
    const count = make("dd", String(counts[severity]));
    const tile = make("div", null, `tile ${severity}`);
    tile.append(make("dt", `${word(severity)} · ${word("open_alerts")}`), count);
    return tile;
  });
  $("tiles").replaceChildren(...tiles);
}

// --- what is kept back, and by what: profiles that are on, maintenance, what is over, what is hidden now ---

const COVERS = new Set(["kept", "over", "maintenance", "profile"]);
const MOST_OVER = 5;
const MOST_HIDDEN = 20;
const COVERS_AGAIN_MS = 30000;
let covers = { profiles: [], works: [], over: [], hidden: [], more: false };
let coversTimer = null;

function takeCover({ name, data }) {
  if (name !== "kept") $("news").textContent = says(data);
  coversSoon();
}

function coversSoon() {
  coversTimer ??= setTimeout(() => { coversTimer = null; loadCovers().catch(() => {}); }, 1000);
}

async function loadCovers() {
  const get = async (path) => (await ask(`/api/v1/${path}`)).json();
  const [profiles, works, over, hidden] = await Promise.all([
    get("profiles"), get("maintenance"), get(`ledger/over?limit=${MOST_OVER}`), get(`ledger?outcome=kept&limit=${MOST_HIDDEN}`),
  ]);
  covers = {
    profiles: profiles.items.filter((one) => one.on).map((one) => one.last),
    works: works.items, over: over.items, hidden: hidden.items, more: hidden.next !== null,
  };
  drawCovers();
}

const says = (item) => (current() === "zh" ? item.says_zh : item.says_en);

function drawCovers() {
  const line = (kind, item) => {
    const entry = make("li");
    entry.append(make("span", word(`cover_${kind}`), `cover ${kind}`), make("span", says(item)));
    return entry;
  };
  const lines = [
    ...covers.profiles.map((one) => line("profile", one)),
    ...covers.works.map((one) => line("maintenance", one)),
    ...covers.over.map((one) => line("over", one)),
    ...covers.hidden.map((one) => line("kept", one)),
  ];
  if (covers.more) lines.push(make("li", word("more_hidden"), "more"));
  $("covers-section").hidden = lines.length === 0;
  $("covers").replaceChildren(...lines);
}

setInterval(() => { if (!$("covers-section").hidden) coversSoon(); }, COVERS_AGAIN_MS);

function make(tag, text = null, className = "") {
  const element = document.createElement(tag);
  if (text !== null) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function cells(headings, ...contents) {
  const row = make("tr");
  for (const [i, content] of contents.entries()) {
    const cell = make("td");
    if (headings[i]) cell.dataset.label = word(headings[i]); // on a phone it stands before the content
    cell.append(content);
    row.append(cell);
  }
  return row;
}

function title(item) {
  return (current() === "zh" ? item.title_zh || item.title_en : item.title_en || item.title_zh) || item.scene;
}

const badge = (severity) => make("span", word(severity), `badge ${severity}`);
const state = (name) => make("span", word(name), `state ${name}`);

function time(text) {
  const element = make("time", new Date(text).toLocaleString(current() === "zh" ? "zh-CN" : "en-GB"));
  element.dateTime = text;
  return element;
}

function where(item) {
  return item.town ? `${item.place} · ${item.town}` : item.place;
}

const CASE_HEADINGS = ["task_number", "severity", "what", "place", "state", "alert", "opened"];
const ALERT_HEADINGS = ["severity", "what", "place", "measured", "state", "raised", ""];

function caseRow(item) {
  const number = make("button", item.task_number, "number");
  number.type = "button";
  number.dataset.key = item.task_number;
  number.addEventListener("click", () => showCase(item.task_number).then(settled, complain));
  return cells(CASE_HEADINGS, number, badge(item.severity), title(item), where(item), state(item.state), state(item.alert_state), time(item.opened_at));
}

function alertRow(item) {
  const { value, unit, limit, metric } = item.measured;
  const measured = `${metric} ${Number(value.toPrecision(6))}${unit ? ` ${unit}` : ""}${limit ? ` (${limitWords(limit)})` : ""}`;
  let action = "";
  if (item.state === "active" || item.state === "stale") {
    action = make("button", word("acknowledge"));
    action.type = "button";
    action.dataset.key = item.id;
    action.addEventListener("click", () => openSeen(item));
  } else if (item.acknowledged_by) {
    action = make("span", item.acknowledged_by, "by");
  }
  return cells(ALERT_HEADINGS, badge(item.severity), title(item), where(item), measured, state(item.state), time(item.raised_at), action);
}

function say(how) {
  $("link").dataset.state = how;
  $("link").textContent = word(how);
}

// --- dialogs ---

// A change of severity, and a verdict, stand in a note as the words of the interface; the rest is what people wrote.
function noted(note) {
  return note.replace(/^(info|minor|major|critical) -> (info|minor|major|critical)$/, (_, from, to) => `${word(from)} → ${word(to)}`)
    .replace(/^(true|false|duplicate|not_ours|maintenance)(?=$|: )/, (verdict) => word(`verdict_${verdict}`));
}

async function showCase(number) {
  const { case: item, audit } = await (await ask(`/api/v1/cases/${encodeURIComponent(number)}`)).json();
  $("case-title").textContent = `${item.task_number} · ${title(item)}`;
  const facts = [
    ["severity", badge(item.severity)], ["state", state(item.state)], ["place", where(item)], ["scene", item.scene],
    ["leaf", item.leaf ?? word("unclassified")], ["alert", state(item.alert_state)],
    ["raised", time(item.raised_at)], ["opened", time(item.opened_at)],
    ...(item.cleared_at ? [["cleared_at", time(item.cleared_at)]] : []),
  ];
  $("case-facts").replaceChildren(...facts.flatMap(([key, content]) => {
    const value = make("dd");
    value.append(content);
    return [make("dt", word(key)), value];
  }));
  $("case-audit").replaceChildren(...audit.map((line) => {
    const entry = make("li");
    entry.append(time(line.at), make("strong", word(`what_${line.what}`)), make("span", line.who, "by"));
    if (line.note) entry.append(make("span", noted(line.note), "note"));
    return entry;
  }));
  $("case").showModal();
}

let seen = null;

function openSeen(item) {
  seen = item.id;
  $("seen-what").textContent = `${title(item)}, ${where(item)}`;
  $("seen-by").value = localStorage.getItem("name") ?? "";
  $("seen-fault").textContent = "";
  $("seen").showModal();
}

$("seen-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const by = $("seen-by").value.trim();
  const comment = $("seen-comment").value.trim() || null;
  localStorage.setItem("name", by);
  try {
    await ask(`/api/v1/alerts/${encodeURIComponent(seen)}/acknowledge`, { method: "POST", body: JSON.stringify({ by, comment }) });
    $("seen").close();
    $("seen-comment").value = "";
    $("news").textContent = word("said");
  } catch (error) {
    $("seen-fault").textContent = why(error);
    if (error.status === 401) openAccess();
  }
});
$("seen-cancel").addEventListener("click", () => $("seen").close());

function openAccess() {
  $("token").value = sessionStorage.getItem("token") ?? "";
  $("access").showModal();
}

$("open-access").addEventListener("click", openAccess);
$("access-cancel").addEventListener("click", () => $("access").close());
$("access-form").addEventListener("submit", () => {
  const token = $("token").value.trim();
  if (token) sessionStorage.setItem("token", token);
  else sessionStorage.removeItem("token");
  settled();
  tryNow();
});

// --- controls ---

for (const [id, name] of [["case-state", "cases"], ["alert-state", "alerts"]]) {
  $(id).addEventListener("change", (event) => {
    lists[name].state = event.target.value;
    load(name).then(settled, complain);
  });
}
for (const name of ["cases", "alerts"]) {
  lists[name].more.addEventListener("click", () => load(name, lists[name].next).then(settled, complain));
}
$("language").addEventListener("click", () => { switchLanguage(); speak(); });

function speak() {
  translate(document);
  $("language").textContent = current() === "en" ? "中文" : "English";
  $("language").lang = current() === "en" ? "zh" : "en";
  say($("link").dataset.state);
  draw("cases");
  draw("alerts");
  drawCovers();
  showTiles();
}

speak();
follow();
