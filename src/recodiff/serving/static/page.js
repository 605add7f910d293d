// The page of the service: a history on one side, what models make of it on the other. All names are written as text.

import { WORDS, usualLanguage } from "./words.js";

const LENGTH = 10;
const state = { history: [], models: [], limits: {}, lists: {}, language: usualLanguage(), token: "" };
const $ = (id) => document.getElementById(id);
const say = (key, ...given) => {
  const word = WORDS[state.language][key];
  return typeof word === "function" ? word(...given) : word;
};

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const nameOf = (item) => item.title || String(item.item);

// Asking.

async function ask(path, { method = "GET", body, signal } = {}) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  if (state.token) headers.Authorization = `Bearer ${state.token}`;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error(say("down_"));
  }
  const found = await answer.json().catch(() => ({ error: say("down_") }));
  if (answer.status === 401) $("access").hidden = false;
  if (!answer.ok) throw new Error(found.error);
  return found;
}

async function tried(work) {
  try {
    $("wrong").textContent = "";
    return await work();
  } catch (error) {
    if (error.name !== "AbortError") $("wrong").textContent = say("failed", error.message);
    return null;
  }
}

const latest = {};
function newer(what) {
  latest[what]?.abort();
  latest[what] = new AbortController();
  return latest[what].signal;
}

// The history.

function showHistory(focus = null, action = null) {
  const list = $("history");
  list.replaceChildren(
    ...state.history.map((item, at) => {
      const title = nameOf(item);
      return make(
        "li",
        { "data-item": item.item, tabindex: "0", onkeydown: (event) => keyed(event, at) },
        make("span", { class: "title" }, title),
        make("span", { class: "speaks", "aria-hidden": "true" }),
        make("span", { class: "tools" },
          make("button", { type: "button", class: "up", "aria-label": say("up", title), disabled: at === 0, onclick: () => move(at, -1, "up") }, "↑"),
          make("button", { type: "button", class: "down", "aria-label": say("down", title), disabled: at === state.history.length - 1, onclick: () => move(at, 1, "down") }, "↓"),
          make("button", { type: "button", class: "remove", "aria-label": say("remove", title), onclick: () => remove(at) }, "×")),
      );
    }),
  );
  $("empty").hidden = state.history.length > 0;
  if (focus !== null) {
    const row = list.children[Math.min(focus, list.children.length - 1)];
    const button = action && row?.querySelector(`.${action}:not(:disabled)`);
    (button || row || $("search")).focus();
  }
}

function keyed(event, at) {
  if (event.target !== event.currentTarget) return;
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step && event.altKey) move(at, step);
  else if (step) $("history").children[at + step]?.focus();
  else if (event.key === "Delete" || event.key === "Backspace") remove(at);
  else return;
  event.preventDefault();
}

function move(at, step, action = null) {
  const to = at + step;
  if (to < 0 || to >= state.history.length) return;
  state.history.splice(to, 0, ...state.history.splice(at, 1));
  showHistory(to, action);
  refresh();
}

function remove(at) {
  state.history.splice(at, 1);
  showHistory(at);
  refresh();
}

function add(item) {
  if (state.history.length >= state.limits.history) {
    $("wrong").textContent = say("full", state.limits.history);
    return;
  }
  state.history = [...state.history.filter((one) => one.item !== item.item), item];
  showHistory();
  refresh();
}

// The search.

let found = [];
let active = -1;

function showFound(items) {
  found = items || [];
  active = -1;
  const list = $("found");
  list.replaceChildren(
    ...(found.length
      ? found.map((item, at) => make("li", { role: "option", id: `found-${at}`, "aria-selected": "false", onmousedown: (event) => { event.preventDefault(); choose(at); } }, nameOf(item)))
      : [make("li", { class: "hint" }, say("nothing"))]),
  );
  list.hidden = items === null;
  $("search").setAttribute("aria-expanded", String(items !== null));
  $("search").removeAttribute("aria-activedescendant");
}

function point(at) {
  active = found.length ? (at + found.length) % found.length : -1;
  [...$("found").children].forEach((row, number) => row.setAttribute("aria-selected", String(number === active)));
  if (active < 0) return;
  $("search").setAttribute("aria-activedescendant", `found-${active}`);
  $("found").children[active].scrollIntoView({ block: "nearest" });
}

function choose(at) {
  const item = found[at];
  if (!item) return;
  $("search").value = "";
  showFound(null);
  add(item);
}

let typing = 0;
function search() {
  clearTimeout(typing);
  const text = $("search").value.trim();
  if (!text) {
    newer("search");
    showFound(null);
    return;
  }
  typing = setTimeout(async () => {
    const query = new URLSearchParams({ search: text, limit: Math.min(12, state.limits.found) });
    const answer = await tried(() => ask(`v1/models/${$("first").value}/items?${query}`, { signal: newer("search") }));
    if (answer) showFound(answer.items);
  }, 120);
}

// The lists.

async function refresh() {
  const names = [$("first").value, $("second").value].filter((name) => name);
  const signal = newer("lists");
  const answers = await tried(() => Promise.all(names.map((name) => recommended(name, signal))));
  if (!answers) return;
  const before = state.lists;
  state.lists = Object.fromEntries(names.map((name, at) => [name, answers[at]]));
  showLists(before);
}

function recommended(name, signal) {
  const explains = state.models.find((model) => model.name === name)?.explains;
  const body = { history: state.history.map((item) => item.item), k: Math.min(LENGTH, state.limits.k), explain: explains, effect_of_newest: true };
  return ask(`v1/models/${name}/recommend`, { method: "POST", body, signal });
}

function showLists(before = {}) {
  const names = Object.keys(state.lists);
  const shared = names.length > 1 ? new Set(state.lists[names[0]].items.map((one) => one.item).filter((item) => state.lists[names[1]].items.some((one) => one.item === item))) : new Set();
  speak(null);
  $("lists").replaceChildren(...names.map((name) => listOf(name, state.lists[name], before[name], shared)));
  const first = state.lists[names[0]];
  const old = new Set((before[names[0]]?.items || []).map((one) => one.item));
  if (before[names[0]] && first.items.length) $("said").textContent = say("changed", first.items.filter((one) => !old.has(one.item)).length, nameOf(first.items[0]));
}

function listOf(name, answer, before, shared) {
  const old = before && new Set(before.items.map((one) => one.item));
  const newest = state.history.at(-1);
  const id = `list-${name}`;
  const notes = [];
  if (answer.based_on === "popular" && answer.history === 0) notes.push(say("popular"));
  if (answer.based_on === "nothing") notes.push(say("unordered"));
  if (answer.unknown.length) notes.push(say("unknown", answer.unknown.length));
  if (!answer.items.length) notes.push(say("short"));
  if (answer.history > 1) notes.push(say("newest", nameOf(newest)));
  return make("section", { class: "list", "aria-labelledby": id },
    make("h2", { id }, say("list", name)),
    ...notes.map((note) => make("p", { class: "hint" }, note)),
    make("ol", {}, ...answer.items.map((item) => rowOf(name, item, { fresh: old && !old.has(item.item), shared: shared.has(item.item), marks: answer.history > 1 }))),
    answer.left?.length ? make("p", { class: "left" }, `${say("left")} ${answer.left.map(nameOf).join(" · ")}`) : null);
}

function rowOf(name, item, { fresh, shared, marks }) {
  const title = nameOf(item);
  const rank = state.lists[name].items.indexOf(item) + 1;
  const [kind, word] = item.before === null ? ["entered", say("entered")] : item.before > rank ? ["rose", say("rose", item.before - rank)] : item.before < rank ? ["fell", say("fell", rank - item.before)] : ["same", say("same")];
  const similar = state.models.find((model) => model.name === name)?.similar;
  const reasons = item.because || [];
  return make("li",
    { class: `${fresh ? "fresh " : ""}${shared ? "both" : ""}`, title: [fresh && say("fresh"), shared && say("both")].filter(Boolean).join("; ") || null, onmouseenter: () => speak(item), onmouseleave: () => speak(null), onfocusin: () => speak(item), onfocusout: () => speak(null) },
    make("span", { class: "title" }, title),
    marks ? make("span", { class: `mark ${kind}` }, word) : null,
    make("span", { class: "tools" },
      make("button", { type: "button", "aria-label": say("add", title), onclick: () => add({ item: item.item, title: item.title }) }, say("addShort")),
      similar ? make("button", { type: "button", "aria-label": say("similar", title), onclick: () => showSimilar(name, item) }, say("similarShort")) : null),
    reasons.length ? make("span", { class: "because" }, `${say("because")} ${reasons.map(nameOf).join(" · ")}`) : null);
}

function speak(item) {
  const effects = new Map((item?.because || []).map((reason) => [String(reason.item), reason.effect]));
  const most = Math.max(...effects.values(), 0);
  for (const row of $("history").children) {
    const effect = effects.get(row.dataset.item);
    row.classList.toggle("reason", effect !== undefined);
    row.querySelector(".speaks").textContent = effect === undefined ? "" : "●".repeat(Math.max(1, Math.round((3 * effect) / most)));
  }
}

async function showSimilar(name, item) {
  const query = new URLSearchParams({ item: item.item, k: Math.min(LENGTH, state.limits.k) });
  const answer = await tried(() => ask(`v1/models/${name}/similar?${query}`));
  if (!answer) return;
  const panel = $("similar");
  $("similar-title").textContent = say("similarTo", nameOf(answer));
  panel.querySelector("ol").replaceChildren(
    ...answer.items.map((one) =>
      make("li", {},
        make("span", { class: "title" }, nameOf(one)),
        make("span", { class: "mark" }, one.cosine.toFixed(2)),
        make("span", { class: "tools" }, make("button", { type: "button", "aria-label": say("add", nameOf(one)), onclick: () => add({ item: one.item, title: one.title }) }, say("addShort"))))),
  );
  panel.hidden = false;
  panel.focus();
}

// A known user.

async function readUser(event) {
  event.preventDefault();
  const user = $("user").value.trim();
  if (!user) return;
  const answer = await tried(() => ask(`v1/users/${encodeURIComponent(user)}/history`));
  if (!answer) return;
  if (!answer.events.length) {
    $("wrong").textContent = say("noUser", user);
    return;
  }
  const last = new Map();
  for (const one of answer.events.filter((one) => one.known)) {
    last.delete(one.item);
    last.set(one.item, { item: one.item, title: one.title });
  }
  state.history = [...last.values()].slice(-state.limits.history);
  showHistory();
  refresh();
}

// The whole.

function translate() {
  document.documentElement.lang = state.language;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) element.setAttribute("aria-label", say(element.dataset.label));
  const other = state.language === "en" ? "zh" : "en";
  $("language").textContent = { en: "English", zh: "中文" }[other];
  $("language").lang = other;
  const none = $("second").options[0];
  if (none) none.textContent = say("none");
}

async function begin() {
  translate();
  const about = await tried(() => ask("v1/models"));
  if (!about) return;
  $("access").hidden = true;
  Object.assign(state, { models: about.models, limits: about.limits });
  const options = () => about.models.map((model) => make("option", { value: model.name }, model.name));
  $("first").replaceChildren(...options());
  $("second").replaceChildren(make("option", { value: "" }, say("none")), ...options());
  $("first").value = about.default;
  showHistory();
  await refresh();
}

for (const id of ["first", "second"]) $(id).addEventListener("change", refresh);
$("search").addEventListener("input", search);
$("search").addEventListener("blur", () => showFound(null));
$("search").addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") point(active + 1);
  else if (event.key === "ArrowUp") point(active < 0 ? found.length - 1 : active - 1);
  else if (event.key === "Enter" && found.length) choose(Math.max(active, 0));
  else if (event.key === "Escape") showFound(null);
  else return;
  event.preventDefault();
});
$("known").addEventListener("submit", readUser);
$("clear").addEventListener("click", () => { state.history = []; showHistory(); refresh(); });
$("close").addEventListener("click", () => { $("similar").hidden = true; $("search").focus(); });
$("language").addEventListener("click", () => {
  state.language = state.language === "en" ? "zh" : "en";
  translate();
  showHistory();
  showLists();
});
$("access").addEventListener("submit", (event) => {
  event.preventDefault();
  state.token = $("token").value.trim();
  begin();
});
begin();
