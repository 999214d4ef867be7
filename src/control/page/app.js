// The page shows what the control API says, and changes nothing: what is asked for, and all that is shown but the picture.

import { $, el, renew, write } from "./dom.js";
import { drawPicture, drawTalks, mark, said } from "./picture.js";

let status = null;
let traffic = { requests: 0, talks: [] };
let chosen = "";

// ---- asking

async function ask(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  const answer = await fetch(`${path}?${new URLSearchParams(given)}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(`${body.error} (${body.hint})`);
  return body;
}

let asking = false;
let askAgain = false;

/** Looks at everything again; while that is under way, once more afterwards is enough. */
async function refresh() {
  askAgain = true;
  if (asking) return;
  asking = true;
  while (askAgain) {
    askAgain = false;
    try {
      performance.mark("update");
      const fresh = await ask("/v1/status");
      const before = status;
      status = fresh;
      show();
      tellNews(before, fresh);
      performance.measure("update", "update");
      away("");
    } catch (error) {
      away(error.message);
    }
  }
  asking = false;
}

function away(why) {
  $("problem").hidden = !why;
  write($("problem"), why ? `dockline does not answer: ${why}` : "");
}

function listen() {
  const live = new EventSource("/v1/events?live=true");
  live.addEventListener("map", refresh);
  live.addEventListener("state", refresh);
  live.addEventListener("traffic", (event) => {
    showTraffic(JSON.parse(event.data));
  });
  live.onerror = () => away("it may have ended; trying again");
  live.onopen = refresh;
}

// ---- health

function show() {
  write($("instance"), `· ${status.instance}`);
  document.title = `dockline · ${status.instance}`;
  showHealth();
  showMap();
  showChoices();
  showNames();
  showWarnings();
  write($("where"), `dockline ${status.version} · gateway ${status.gateway} · DNS ${status.dns} · engine ${status.engine.endpoint}`);
}

function showHealth() {
  const { engine, tunnel, interceptor } = status;
  const link = tunnel.link;
  const good = (holds, otherwise = "bad") => (holds ? "good" : otherwise);
  const items = [
    ["dockline", status.ready ? "ready" : "not ready", good(status.ready, "warn")],
    ["engine", engine.connected ? engine.version ?? "connected" : engine.problem ?? "connecting", good(engine.connected)],
    ["tunnel", tunnel.problem ? `${tunnel.state}: ${tunnel.problem}` : tunnel.state, good(tunnel.state === "running", tunnel.state === "failed" ? "bad" : "warn")],
    ["link", link.owner ? `${link.state}: ${link.owner}` : link.state, good(link.state === "up", "warn")],
  ];
  if (interceptor) {
    const where = interceptor.kind === "builtin" ? "built in" : interceptor.address;
    const word = !status.intercepting ? "paused" : interceptor.reachable ? where : `${where} does not answer`;
    items.push(["interceptor", word, good(interceptor.reachable && status.intercepting, "warn")]);
  } else {
    items.push(["interceptor", "none", "off"]);
  }
  renew($("health"), items.map(([name, word, is]) => ({
    key: name, says: [name, word], make: () => el("li", [el("b", name), ` ${word}`]), put: { "data-is": is },
  })));
}

function showMap() {
  const networks = drawPicture(status, chosen);
  drawTalks(traffic.talks);
  const counted = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
  write($("summary"), `${counted(status.containers.length, "container")} on ${counted(networks, "network")}, ${status.map.names} names`);
}

function tellNews(before, now) {
  if (before && before.map.generation !== now.map.generation) {
    $("news").textContent = `The map has changed: ${$("summary").textContent}`;
  }
}

// ---- traffic

let last = { at: 0, requests: 0 };

function showTraffic(fresh) {
  const now = performance.now();
  const seconds = (now - last.at) / 1000;
  if (last.at) $("rate").textContent = `${((fresh.requests - last.requests) / seconds).toFixed(1)} requests/s through the interceptor`;
  last = { at: now, requests: fresh.requests };
  // The service tells the latest first: rows that change places every second cannot be read.
  const talks = [...fresh.talks].sort((a, b) => b.requests - a.requests || said(a).localeCompare(said(b)));
  traffic = { ...fresh, talks };
  drawTalks(talks);
  renew($("talks"), talks.slice(0, 50).map((talk) => ({
    key: said(talk),
    says: [talk.from, talk.to_name ? `${talk.to} (${talk.to_name})` : talk.to, talk.via, talk.open, talk.requests, bytes(talk.sent + talk.received)],
    make: (from, to, via, ...counts) => el("tr", [
      el("td", from), el("td", to), el("td", via, { class: "way" }), ...counts.map((count) => el("td", `${count}`, { class: "n" })),
    ]),
  })));
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) [count, unit] = [count / 1000, unit + 1];
  return `${unit ? count.toFixed(1) : count} ${units[unit]}`;
}

// ---- names and routes

/** Rows that are shown at once: enough to look through; searching finds the others. */
const MOST_ROWS = 100;

function showNames() {
  const words = $("name").value.trim().toLowerCase();
  const rows = [];
  let all = 0;
  for (const container of status.containers) {
    for (const network of container.networks) {
      for (const name of network.names) {
        const row = [name, container.name, network.name, network.addresses.join(" ")];
        if (words && !row.some((cell) => cell.toLowerCase().includes(words))) continue;
        all += 1;
        if (rows.length < MOST_ROWS) rows.push(row);
      }
    }
  }
  renew($("rows"), rows.map((row) => ({
    key: row.slice(0, 3).join("\n"),
    says: row,
    make: (name, ...others) => el("tr", [
      el("td", el("button", name, { type: "button", "aria-label": `Resolve ${name}` })),
      ...others.map((cell) => el("td", cell)),
    ]),
  })));
  write($("found"), all > rows.length ? `${rows.length} of ${all} shown` : `${all} found`);
}

/** What the log warned of, the latest first. */
function showWarnings() {
  const warnings = status.warnings ?? [];
  write($("warned"), warnings.length ? "the latest first" : "none since it was started");
  renew($("warnings"), warnings.map(({ at, level, text, times }) => ({
    key: `${level} ${text}`,
    says: [at, times],
    make: () => el("li", [
      el("time", new Date(at * 1000).toLocaleTimeString(), { datetime: new Date(at * 1000).toISOString() }),
      ` ${text}`,
      times > 1 ? el("span", ` ×${times}`, { class: "quiet" }) : "",
    ], { "data-is": level }),
  })));
}

/** The containers to choose from. */
function showChoices() {
  const names = ["", ...status.containers.filter((container) => container.running).map((container) => container.name)];
  for (const list of [$("name-from"), $("route-from")]) {
    renew(list, names.map((name) => ({ key: name, says: [name], make: () => el("option", name || "anybody", { value: name }) })));
  }
}

function choose(name) {
  chosen = name;
  for (const list of [$("name-from"), $("route-from")]) list.value = name;
  mark(name);
}

/** Shows an answer, its reasons, or why there is none. */
function answer(place, ok, headline, reasons) {
  place.classList.toggle("bad", !ok);
  place.replaceChildren(el("p", el("strong", headline)), ...reasons.filter(Boolean).map((text) => el("p", text)));
}

async function tryResolve() {
  const name = $("name").value.trim();
  if (!name) return;
  const from = $("name-from").value;
  try {
    const found = await ask("/v1/resolve", { name, from });
    const what = [...found.addresses, ...found.names].join(" ") || found.status;
    const as = from ? ` as ${from}` : "";
    answer($("resolved"), found.status === "ok", `${name}${as} → ${what}`, [found.why, found.hint]);
  } catch (error) {
    answer($("resolved"), false, name, [error.message]);
  }
}

async function tryRoute() {
  const [, host, port] = /^(.*?)(?::(\d+))?$/.exec($("host").value.trim());
  const from = $("route-from").value;
  try {
    const found = await ask("/v1/route", { host, port, from });
    const to = [found.address, found.network && `on ${found.network}`].filter(Boolean).join(" ");
    answer($("routed"), found.via !== "refused", `${found.destination} → ${found.via} ${to}`.trim(), [found.reason, found.why, found.hint]);
  } catch (error) {
    answer($("routed"), false, host, [error.message]);
  }
}

// ---- what people do

$("resolve").addEventListener("submit", (event) => {
  event.preventDefault();
  tryResolve();
});
$("route").addEventListener("submit", (event) => {
  event.preventDefault();
  tryRoute();
});
$("name").addEventListener("input", () => status && showNames());
$("name-from").addEventListener("change", (event) => choose(event.target.value));
$("rows").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  $("name").value = button.textContent;
  tryResolve();
});
$("picture").addEventListener("click", (event) => {
  const box = event.target.closest(".box");
  if (box) choose(box.dataset.name === chosen ? "" : box.dataset.name);
});
let resizing = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(() => status && showMap());
});

refresh();
listen();
