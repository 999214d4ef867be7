// The page shows what the control API says, and changes nothing. Text goes in as text alone: names are other people's.

const $ = (id) => document.getElementById(id);

/** An HTML element with text or children. */
function el(tag, content = "", attributes = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...[content].flat());
  return made;
}

/** An SVG element. */
function shape(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

let status = null;
let traffic = { requests: 0, talks: [] };
/** Where things are in the picture: by container id, and the three hubs by name. */
let places = new Map();
let chosen = "";

// ---- asking

async function ask(path, query = {}) {
  const said = Object.entries(query).filter(([, value]) => value !== "" && value != null);
  const answer = await fetch(`${path}?${new URLSearchParams(said)}`);
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
  $("problem").textContent = why ? `dockline does not answer: ${why}` : "";
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
  $("instance").textContent = `· ${status.instance}`;
  document.title = `dockline · ${status.instance}`;
  showHealth();
  drawPicture();
  showChoices();
  showNames();
  showWarnings();
  $("where").textContent =
    `dockline ${status.version} · gateway ${status.gateway} · DNS ${status.dns} · engine ${status.engine.endpoint}`;
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
  const lines = items.map(([name, word, is]) => el("li", [el("b", name), ` ${word}`], { "data-is": is }));
  $("health").replaceChildren(...lines);
}

function tellNews(before, now) {
  if (before && before.map.generation !== now.map.generation) {
    $("news").textContent = `The map has changed: ${$("summary").textContent}`;
  }
}

// ---- the picture

const GAP = 14;
const TOP = 26;

/** Networks with who is on them, the largest first; who is on none comes last. */
function groups() {
  const joined = new Set(status.tunnel.networks.map((network) => network.id));
  const found = new Map();
  const enter = (id, name, container) => {
    if (!found.has(id)) found.set(id, { id, name, joined: joined.has(id), members: [] });
    found.get(id).members.push(container);
  };
  for (const container of status.containers) {
    if (container.networks.length === 0) enter("", "no network", container);
    for (const network of container.networks) enter(network.id, network.name, container);
  }
  return [...found.values()].sort((a, b) => b.members.length - a.members.length || a.name.localeCompare(b.name));
}

function drawPicture() {
  const all = groups();
  const count = status.containers.length;
  const dense = count > 80;
  const chip = dense ? { width: 104, height: 20, letters: 15 } : { width: 146, height: 28, letters: 20 };
  const width = Math.max(320, $("scroll").clientWidth - 2);
  places = new Map();
  const hubs = drawHubs(width);
  const [wires, grounds, boxes] = [[], [], []];
  const most = Math.max(1, Math.floor((width - 2 * GAP) / (chip.width + GAP)));
  let [row, used, y] = [[], 0, 96];
  const place = () => {
    let x = Math.max(1, (width - used) / 2);
    for (const { group, wide, high, columns } of row) {
      grounds.push(drawGround(group, { x, y, wide, high }));
      boxes.push(...drawMembers(group, { x, y }, columns, chip));
      if (group.joined) wires.push(shape("path", { class: "wire up", d: curve(places.get("tunnel"), { x: x + wide / 2, y }) }));
      x += wide + 18;
    }
    y += Math.max(0, ...row.map((box) => box.high)) + 18;
    [row, used] = [[], 0];
  };
  for (const group of all) {
    const columns = Math.min(most, Math.max(1, Math.ceil(Math.sqrt(group.members.length * (dense ? 0.9 : 0.6)))));
    const wide = Math.max(columns * (chip.width + GAP) + GAP, 170);
    const high = Math.ceil(group.members.length / columns) * (chip.height + GAP) + TOP;
    if (row.length > 0 && used + 18 + wide > width - 2) place();
    used += wide + (row.length > 0 ? 18 : 0);
    row.push({ group, wide, high, columns });
  }
  place();
  const height = y - 8;
  // Calls lie between the networks' ground and the boxes, so that none crosses a name.
  const talks = shape("g", { id: "talk" });
  const picture = $("picture");
  picture.setAttribute("width", width);
  picture.setAttribute("height", height);
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.replaceChildren(arrowHeads(), ...wires, ...grounds, talks, ...hubs, ...boxes);
  const networks = all.filter((group) => group.id).length;
  $("summary").textContent =
    `${count} container${count === 1 ? "" : "s"} on ${networks} network${networks === 1 ? "" : "s"}, ${status.map.names} names`;
  drawTalks();
}

/** Interceptor, tunnel, and what lies outside, with the wire between the first two. */
function drawHubs(width) {
  const { tunnel, interceptor } = status;
  const where = interceptor ? (interceptor.kind === "builtin" ? "built in" : interceptor.address) : "none";
  // Side by side on a telephone, too.
  const half = Math.min(78, Math.floor(width / 6.4));
  const isNarrow = half < 78;
  const hub = (key, at, name, state) => {
    places.set(key, { x: at, y: 62 });
    return shape("g", { class: "hub" },
      shape("rect", { x: at - half, y: 18, width: 2 * half, height: 44, rx: 9 }),
      shape("text", { x: at, y: 37 }, clipped(name, Math.floor(half / 3.4))),
      shape("text", { x: at, y: 53, class: "state" }, clipped(state, Math.floor(half / 2.9))));
  };
  const [left, middle, right] = [0.17, 0.5, 0.83].map((share) => Math.round(width * share));
  const up = tunnel.link.state === "up" && status.intercepting;
  return [
    shape("path", { class: `wire ${up ? "up" : "down"}`, d: `M ${left + half} 40 H ${middle - half}` }),
    shape("path", { class: "wire", d: `M ${middle + half} 40 H ${right - half}` }),
    hub("interceptor", left, "interceptor", where),
    hub("tunnel", middle, "tunnel", `${isNarrow ? "" : `${tunnel.state} · `}link ${tunnel.link.state}`),
    hub("outside", right, isNarrow ? "outside" : "this host, the world", "gateway"),
  ];
}

function drawGround(group, { x, y, wide, high }) {
  const title = clipped(group.name, Math.floor(wide / 8));
  return shape("g", { class: group.joined ? "network joined" : "network" },
    shape("rect", { x, y, width: wide, height: high, rx: 9 }),
    shape("text", { x: x + GAP, y: y + 17 }, title, shape("title", {}, group.name)));
}

function drawMembers(group, { x, y }, columns, chip) {
  return group.members.map((container, place) => {
    const left = x + GAP + (place % columns) * (chip.width + GAP);
    const top = y + TOP + Math.floor(place / columns) * (chip.height + GAP);
    const at = { x: left + chip.width, y: top + chip.height / 2, half: chip.height / 2, network: group.id };
    if (!places.has(container.id)) places.set(container.id, at);
    return drawContainer(container, left, top, chip);
  });
}

function drawContainer(container, x, y, chip) {
  const kind = !container.running ? "stopped" : container.injected ? "injected" : "watched";
  const is = container.name === chosen ? `box ${kind} chosen` : `box ${kind}`;
  return shape("g", { class: is, "data-name": container.name },
    shape("rect", { x, y, width: chip.width, height: chip.height, rx: 5 }),
    shape("text", { x: x + 7, y: y + chip.height / 2 + 4 }, clipped(container.name, chip.letters)),
    shape("title", {}, `${container.name} (${kind})`));
}

function clipped(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function curve(from, to) {
  const middle = (from.y + to.y) / 2;
  return `M ${from.x} ${from.y} C ${from.x} ${middle}, ${to.x} ${middle}, ${to.x} ${to.y}`;
}

// ---- traffic

let last = { at: 0, requests: 0 };

function showTraffic(fresh) {
  const now = performance.now();
  const seconds = (now - last.at) / 1000;
  if (last.at) $("rate").textContent = `${((fresh.requests - last.requests) / seconds).toFixed(1)} requests/s through the interceptor`;
  last = { at: now, requests: fresh.requests };
  // The service tells the latest first: rows that change places every second cannot be read.
  const said = (talk) => `${talk.from} ${talk.to} ${talk.via}`;
  const talks = [...fresh.talks].sort((a, b) => b.requests - a.requests || said(a).localeCompare(said(b)));
  traffic = { ...fresh, talks };
  drawTalks();
  const rows = talks.slice(0, 50).map((talk) => el("tr", [
    el("td", talk.from), el("td", talk.to_name ? `${talk.to} (${talk.to_name})` : talk.to), el("td", talk.via, { class: "way" }),
    el("td", `${talk.open}`, { class: "n" }), el("td", `${talk.requests}`, { class: "n" }),
    el("td", bytes(talk.sent + talk.received), { class: "n" }),
  ]));
  $("talks").replaceChildren(...rows);
}

function drawTalks() {
  const group = $("talk");
  if (!group) return;
  const lines = traffic.talks.slice(0, 200).map((talk, number) => {
    const from = places.get(talk.from_id ?? "outside");
    const to = places.get(talk.to_id ?? "outside");
    if (!from || !to || from === to) return null;
    const is = ["talk"];
    if (talk.from_id) is.push("containers");
    if (talk.open > 0) is.push("open");
    if (talk.idle_seconds < 3) is.push("busy");
    const head = talk.from_id ? "url(#arrow-containers)" : "url(#arrow)";
    const neighbours = from.network !== undefined && from.network === to.network;
    const d = neighbours ? aisle(from, to, (number % 3) - 1) : bow(from, to);
    return shape("path", { class: is.join(" "), d, "marker-end": head });
  });
  group.replaceChildren(...lines.filter(Boolean));
}

/** From the right edge of one to the right edge of the other, around what is between them. */
function bow(from, to) {
  const reach = 22 + Math.abs(to.y - from.y) * 0.12;
  return `M ${from.x} ${from.y} C ${from.x + reach} ${from.y}, ${to.x + reach} ${to.y}, ${to.x + 2} ${to.y}`;
}

/** The same on one network, by the aisles between the boxes; `lane`: -1, 0 or 1, of those side by side. */
function aisle(from, to, lane) {
  const half = GAP / 2 + lane * 3;
  const [out, back] = [from.x + half, to.x + half];
  const crossing = to.y + (from.y < to.y ? -1 : 1) * (to.half + half);
  const corners = out === back
    ? [[out, from.y], [out, to.y]]
    : [[out, from.y], [out, crossing], [back, crossing], [back, to.y]];
  const end = [to.x + 2, to.y];
  // Each corner is rounded by as much as the shorter of its sides allows.
  let path = `M ${from.x} ${from.y}`;
  let before = [from.x, from.y];
  corners.forEach((corner, place) => {
    const after = corners[place + 1] ?? end;
    const [a, b] = [before, after].map((side) => {
      const length = Math.hypot(side[0] - corner[0], side[1] - corner[1]) || 1;
      const share = Math.min(5, length / 2) / length;
      return [corner[0] + (side[0] - corner[0]) * share, corner[1] + (side[1] - corner[1]) * share];
    });
    path += ` L ${a[0]} ${a[1]} Q ${corner[0]} ${corner[1]} ${b[0]} ${b[1]}`;
    before = corner;
  });
  return `${path} L ${end[0]} ${end[1]}`;
}

function arrowHeads() {
  const heads = ["arrow", "arrow-containers"].map((id) => shape("marker", {
    id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto",
  }, shape("path", { d: "M 0 0 L 8 4 L 0 8 z" })));
  return shape("defs", {}, ...heads);
}

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) [count, unit] = [count / 1000, unit + 1];
  return `${unit ? count.toFixed(1) : count} ${units[unit]}`;
}

// ---- names and routes

/** Rows that are shown at once: enough to look through; searching finds the others. */
const MOST_ROWS = 200;

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
  $("rows").replaceChildren(...rows.map(([name, ...others]) => el("tr", [
    el("td", el("button", name, { type: "button", "aria-label": `Resolve ${name}` })),
    ...others.map((cell) => el("td", cell)),
  ])));
  $("found").textContent = all > rows.length ? `${rows.length} of ${all} shown` : `${all} found`;
}

/** What the log warned of, the latest first. */
function showWarnings() {
  const warnings = status.warnings ?? [];
  $("warned").textContent = warnings.length ? "the latest first" : "none since it was started";
  $("warnings").replaceChildren(...warnings.map(({ at, level, text, times }) => el("li", [
    el("time", new Date(at * 1000).toLocaleTimeString(), { datetime: new Date(at * 1000).toISOString() }),
    ` ${text}`,
    times > 1 ? el("span", ` ×${times}`, { class: "quiet" }) : "",
  ], { "data-is": level })));
}

let known = "";

/** The containers to choose from; left alone while they are the same, so that an open list stays. */
function showChoices() {
  const names = status.containers.filter((container) => container.running).map((container) => container.name);
  const now = names.join("\n");
  if (now === known) return;
  known = now;
  for (const list of [$("name-from"), $("route-from")]) {
    const before = list.value;
    list.replaceChildren(el("option", "anybody", { value: "" }), ...names.map((name) => el("option", name, { value: name })));
    list.value = names.includes(before) ? before : "";
  }
}

function choose(name) {
  chosen = name;
  for (const list of [$("name-from"), $("route-from")]) list.value = name;
  for (const box of $("picture").querySelectorAll(".box")) box.classList.toggle("chosen", box.dataset.name === name);
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
  resizing = requestAnimationFrame(() => status && drawPicture());
});

refresh();
listen();
