// The map as a picture: networks with their containers below the tunnel, and who talks to whom.
//
// What is drawn lies in layers, so that calls are above the networks' ground and below every name. Each network has its own place in
// the layers: when others grow it is moved, not drawn again.

import { $, put, renew, shape } from "./dom.js";

const GAP = 14;
const TOP = 26;
const BETWEEN = 18;

/** Where things are in the picture: by container id, and the three hubs by name. */
let places = new Map();
const layers = Object.fromEntries(["wires", "grounds", "talks", "hubs", "names"].map((name) => [name, shape("g")]));
/** Each network's boxes, by its id. */
let members = new Map();

/** Draws what `status` tells; answers how many networks there are. */
export function drawPicture(status, chosen) {
  const width = Math.max(320, $("scroll").clientWidth - 2);
  const all = groups(status);
  const isDense = status.containers.length > 80;
  const chip = isDense ? { width: 104, height: 20, letters: 14 } : { width: 146, height: 28, letters: 20 };
  places = new Map();
  const hubs = drawHubs(status, width);
  const { laid, height } = layOut(all, width, chip, isDense ? 0.9 : 0.6);
  const joined = laid.filter(({ group }) => group.joined);
  renew(layers.wires, [...hubs.wires, ...joined.map(({ group, x, y, wide }) => ({
    key: group.id, says: [], make: () => shape("path", { class: "wire up" }), put: { d: curve(places.get("tunnel"), { x: x + wide / 2, y }) },
  }))]);
  renew(layers.grounds, laid.map(ground));
  renew(layers.names, laid.map(named));
  renew(layers.hubs, hubs.boxes);
  for (const one of laid) renew(members.get(one.group.id), boxes(one, chip, chosen));
  members = new Map(laid.map(({ group }) => [group.id, members.get(group.id)]));
  const picture = $("picture");
  put(picture, { width, height, viewBox: `0 0 ${width} ${height}` });
  if (!layers.wires.parentNode) picture.replaceChildren(arrowHeads(), ...Object.values(layers));
  return all.filter((group) => group.id).length;
}

/** Marks the chosen container's boxes. */
export function mark(name) {
  for (const box of $("picture").querySelectorAll(".box")) box.classList.toggle("chosen", box.dataset.name === name);
}

/** Networks with who is on them, the largest first; who is on none comes last. */
function groups(status) {
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

/** Rows of networks below the hubs, each row in the middle. */
function layOut(all, width, chip, share) {
  const most = Math.max(1, Math.floor((width - 2 * GAP) / (chip.width + GAP)));
  const laid = [];
  let [row, used, y] = [[], 0, 96];
  const end = () => {
    let x = Math.max(1, (width - used) / 2);
    for (const one of row) {
      laid.push({ ...one, x, y });
      x += one.wide + BETWEEN;
    }
    y += Math.max(0, ...row.map((one) => one.high)) + BETWEEN;
    [row, used] = [[], 0];
  };
  for (const group of all) {
    const count = group.members.length;
    const columns = Math.min(most, Math.max(1, Math.ceil(Math.sqrt(count * share))));
    const wide = Math.max(columns * (chip.width + GAP) + GAP, 170);
    const high = Math.ceil(count / columns) * (chip.height + GAP) + TOP;
    if (row.length > 0 && used + BETWEEN + wide > width - 2) end();
    used += wide + (row.length > 0 ? BETWEEN : 0);
    row.push({ group, wide, high, columns });
  }
  end();
  return { laid, height: y - 8 };
}

const isJoined = (group) => (group.joined ? "network joined" : "network");

function ground({ group, x, y, wide, high }) {
  return {
    key: group.id, says: [], make: () => shape("rect", { rx: 9 }),
    put: { class: isJoined(group), x, y, width: wide, height: high },
  };
}

/** A network's name, and a group for its boxes. */
function named({ group, x, y, wide }) {
  return {
    key: group.id,
    says: [group.name, Math.floor(wide / 8)],
    make: (name, letters) => {
      const text = shape("text", { x: GAP, y: 17 }, clipped(name, letters), shape("title", {}, name));
      if (!members.has(group.id)) members.set(group.id, shape("g"));
      return shape("g", {}, text, members.get(group.id));
    },
    put: { class: isJoined(group), transform: `translate(${x} ${y})` },
  };
}

function boxes({ group, x, y, columns }, chip, chosen) {
  return group.members.map((container, place) => {
    const left = GAP + (place % columns) * (chip.width + GAP);
    const top = TOP + Math.floor(place / columns) * (chip.height + GAP);
    const at = { x: x + left + chip.width, y: y + top + chip.height / 2, half: chip.height / 2, network: group.id };
    if (!places.has(container.id)) places.set(container.id, at);
    const kind = !container.running ? "stopped" : container.injected ? "injected" : "watched";
    return {
      key: container.id,
      says: [container.name, kind, chip.width],
      make: (name) => box(name, kind, chip),
      put: { class: container.name === chosen ? `box ${kind} chosen` : `box ${kind}`, transform: `translate(${left} ${top})` },
    };
  });
}

function box(name, kind, chip) {
  return shape("g", { "data-name": name },
    shape("rect", { width: chip.width, height: chip.height, rx: 5 }),
    shape("text", { x: 7, y: chip.height / 2 + 4 }, clipped(name, chip.letters)),
    shape("title", {}, `${name} (${kind})`));
}

/** Interceptor, tunnel, and what lies outside, with the wires between them. */
function drawHubs({ tunnel, interceptor, intercepting }, width) {
  const where = interceptor ? (interceptor.kind === "builtin" ? "built in" : interceptor.address) : "none";
  // Side by side on a telephone, too.
  const half = Math.min(78, Math.floor(width / 6.4));
  const isNarrow = half < 78;
  const hub = (key, at, name, state) => {
    places.set(key, { x: at, y: 62 });
    const make = () => shape("g", { class: "hub" },
      shape("rect", { x: at - half, y: 18, width: 2 * half, height: 44, rx: 9 }),
      shape("text", { x: at, y: 37 }, clipped(name, Math.floor(half / 3.4))),
      shape("text", { x: at, y: 53, class: "state" }, clipped(state, Math.floor(half / 2.9))));
    return { key, says: [at, half, name, state], make };
  };
  const [left, middle, right] = [0.17, 0.5, 0.83].map((share) => Math.round(width * share));
  const up = tunnel.link.state === "up" && intercepting;
  const wire = (key, is, d) => ({ key, says: [], make: () => shape("path"), put: { class: is, d } });
  return {
    wires: [
      wire("in", `wire ${up ? "up" : "down"}`, `M ${left + half} 40 H ${middle - half}`),
      wire("out", "wire", `M ${middle + half} 40 H ${right - half}`),
    ],
    boxes: [
      hub("interceptor", left, "interceptor", where),
      hub("tunnel", middle, "tunnel", `${isNarrow ? "" : `${tunnel.state} · `}link ${tunnel.link.state}`),
      hub("outside", right, isNarrow ? "outside" : "this host, the world", "gateway"),
    ],
  };
}

function clipped(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function curve(from, to) {
  const middle = (from.y + to.y) / 2;
  return `M ${from.x} ${from.y} C ${from.x} ${middle}, ${to.x} ${middle}, ${to.x} ${to.y}`;
}

// ---- who talks to whom

/** Draws calls between what the picture shows. */
export function drawTalks(talks) {
  const lines = talks.slice(0, 200).map((talk, number) => {
    const from = places.get(talk.from_id ?? "outside");
    const to = places.get(talk.to_id ?? "outside");
    if (!from || !to || from === to) return null;
    const is = ["talk"];
    if (talk.from_id) is.push("containers");
    if (talk.open > 0) is.push("open");
    if (talk.idle_seconds < 3) is.push("busy");
    const head = talk.from_id ? "url(#arrow-containers)" : "url(#arrow)";
    const areNeighbours = from.network !== undefined && from.network === to.network;
    const d = areNeighbours ? aisle(from, to, (number % 3) - 1) : bow(from, to);
    return { key: said(talk), says: [], make: () => shape("path"), put: { class: is.join(" "), d, "marker-end": head } };
  });
  renew(layers.talks, lines.filter(Boolean));
}

/** Tells one pair from another. */
export function said(talk) {
  return `${talk.from} ${talk.to} ${talk.via}`;
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
