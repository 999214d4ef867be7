// Uses the page as people do, in a real browser: `cargo xtask page` prepares and starts this.
//
// First on a real engine, with containers that talk to one another; then on a made-up one with 500 of them, for the clock.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "node:http";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { Engine } from "./engine.mjs";
import { Service, eventually, run } from "./service.mjs";

const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
const SHOP = ["web", "api", "db", "cache", "worker"];
const BLOG = ["web", "api", "db"];
const MOST_BYTES = 200 * 1024;
const MOST_BYTES_OF_PAGE = 150 * 1000;
/** One network's boxes may move, and another network's place; a list has a row more and one less. */
const MOST_CHANGED = 120;

const say = (text) => process.stdout.write(`${text}\n`);

/** A page in a fresh browser; fails at its end if it asked anybody else, or complained. */
async function browse(url, options, use) {
  const folder = mkdtempSync(join(tmpdir(), "dockline-browser-"));
  const browser = await chromium.launchPersistentContext(folder, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS, ...options,
  });
  try {
    const page = browser.pages()[0] ?? (await browser.newPage());
    page.setDefaultTimeout(30_000);
    const complaints = [];
    page.on("console", (said) => said.type() === "error" && complaints.push(said.text()));
    page.on("pageerror", (error) => complaints.push(`${error}`));
    page.on("request", (asked) => {
      if (!asked.url().startsWith(url) && !asked.url().startsWith("data:")) complaints.push(`asked ${asked.url()}`);
    });
    await use(page, complaints);
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

// ---- on a real engine

const docker = async (host, ...words) => (await run(process.env.DOCKER_PROGRAM, ["-H", host, ...words])).stdout.trim();

/** Containers of two projects; the last of the shop is created past dockline, so that it is watched and not intercepted. */
async function fill(engine, api) {
  for (const [project, services] of [["shop", SHOP], ["blog", BLOG]]) {
    const network = `page-${project}`;
    await docker(engine, "network", "create", "--label", "page=1", network);
    for (const service of services) {
      const host = service === "worker" ? engine : api;
      await docker(
        host, "run", "-d", "--name", `page-${project}-${service}`, "--network", network, "--network-alias", service,
        "--label", "page=1", "--label", "dockline.instance=page", "dockline-fixture:latest", "hello", `${project}/${service}`,
      );
    }
  }
}

/** Lets two services ask others, until their containers are gone. */
async function talk(engine) {
  for (const [from, to] of [["page-shop-web", "api"], ["page-shop-api", "db"], ["page-blog-web", "api"]]) {
    await docker(engine, "exec", "-d", from, "sh", "-c", `while :; do wget -q -O /dev/null http://${to}/; sleep 0.5; done`);
  }
}

async function clean(engine) {
  for (const [list, remove] of [[["ps", "-aq"], ["rm", "-fv"]], [["network", "ls", "-q"], ["network", "rm"]]]) {
    const found = await docker(engine, ...list, "--filter", "label=page=1");
    if (found) await docker(engine, ...remove, ...found.split("\n"));
  }
}

async function onEngine() {
  const engine = process.env.PAGE_ENGINE;
  await clean(engine);
  const service = await Service.start(engine, []);
  try {
    const { api_socket } = service.status;
    await fill(engine, api_socket);
    await eventually("a link", async () => JSON.parse(await service.say("status", "--json")).tunnel.link.state === "up");
    await talk(engine);
    await warn(service);
    await size(service);
    const light = { colorScheme: "light", viewport: { width: 1280, height: 820 } };
    await browse(service.url, light, async (page, complaints) => {
      await page.goto(service.url);
      await looks(page);
      await names(page, service);
      await routes(page, service);
      await lives(page, api_socket);
      await warns(page);
      assert.deepEqual(await overlaps(page), []);
      await keyboard(page);
      await accessible(page);
      await screenshot(page, "page-light.png");
      await strict(page, complaints);
    });
    await browse(service.url, { ...light, colorScheme: "dark" }, async (page) => {
      await page.goto(service.url);
      await page.locator(".talk.busy").first().waitFor({ state: "attached" });
      await accessible(page);
      await screenshot(page, "page-dark.png");
    });
    await browse(service.url, { ...light, viewport: { width: 390, height: 844 } }, async (page) => {
      await page.goto(service.url);
      await looks(page);
      await accessible(page);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(wide, 0, "nothing is beyond the edge of a telephone");
      assert.deepEqual(await overlaps(page), []);
      await page.screenshot({ path: join(process.env.PAGE_LOGS, "narrow.png"), fullPage: true });
    });
  } finally {
    await clean(engine);
    await service.stop();
  }
}

async function looks(page) {
  for (const name of [...SHOP.map((name) => `page-shop-${name}`), ...BLOG.map((name) => `page-blog-${name}`)]) {
    await page.locator(`.box[data-name="${name}"]`).waitFor();
  }
  assert.equal(await page.locator('.box[data-name="page-shop-web"]').getAttribute("class"), "box injected");
  assert.equal(await page.locator('.box[data-name="page-shop-worker"]').getAttribute("class"), "box watched");
  for (const [name, state] of [["engine", ""], ["tunnel", "running"], ["link", "up"], ["interceptor", "built in"]]) {
    const line = page.locator("#health li", { hasText: name }).and(page.locator('[data-is="good"]'));
    await line.filter({ hasText: state }).waitFor();
  }
  await page.locator(".network.joined", { hasText: "page-shop" }).waitFor();
  await page.locator(".talk.containers.busy").first().waitFor({ state: "attached" });
  const line = page.locator("#talks tr", { hasText: "page-shop-web" });
  await line.filter({ hasText: "page-shop-api" }).first().waitFor();
}

/** Asks as somebody who does not exist, of which the log warns. */
async function warn(service) {
  const [host, port] = service.status.gateway.split(":");
  const headers = { Host: "api.page-shop", "Dockline-Client": "nobody" };
  await new Promise((answered, failed) => {
    const asked = request({ host, port, path: "http://api.page-shop/", headers }, (answer) => answer.resume().on("end", answered));
    asked.on("error", failed).end();
  });
}

async function warns(page) {
  await page.locator("#warnings li", { hasText: "nobody" }).first().waitFor();
}

/** Names in the map that lie upon one another, or are wider than their boxes. */
async function overlaps(page) {
  return await page.evaluate(() => {
    const texts = [...document.querySelectorAll("#picture text")].map((text) => ({ text, at: text.getBoundingClientRect() }));
    const boxes = [...document.querySelectorAll("#picture .box, #picture .hub")].map((group) => [group, group.querySelector("rect").getBoundingClientRect()]);
    const said = [];
    texts.forEach(({ text, at }, place) => {
      const other = texts.slice(place + 1).find(({ at: b }) => at.left < b.right && b.left < at.right && at.top + 2 < b.bottom && b.top + 2 < at.bottom);
      if (other) said.push(`${text.textContent} on ${other.text.textContent}`);
      const own = boxes.find(([group]) => group.contains(text))?.[1];
      if (own && (at.left < own.left || at.right > own.right)) said.push(`${text.textContent} is wider than its box`);
    });
    return said;
  });
}

/** All that a browser fetches for the page. */
async function size(service) {
  let all = 0;
  for (const path of ["", "app.js", "picture.js", "dom.js", "app.css"]) all += (await (await fetch(service.url + path)).arrayBuffer()).byteLength;
  say(`the page has ${(all / 1000).toFixed(1)} KB`);
  assert(all <= MOST_BYTES_OF_PAGE, `${all} bytes`);
}

/** Roles, names, contrast, order: what a machine can judge of WCAG 2, levels A and AA. */
async function accessible(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join("; ")}`);
  assert.deepEqual(told, []);
}

async function names(page, service) {
  const search = page.getByRole("searchbox", { name: "Name" });
  await search.fill("page-shop-ca");
  await eventually("one container's rows", async () => {
    const found = await page.locator("#rows tr").allInnerTexts();
    return found.length > 0 && found.every((row) => row.includes("page-shop-cache"));
  });
  await page.getByRole("button", { name: "Resolve page-shop-cache" }).click();
  const answer = page.locator("#resolved");
  const { addresses } = JSON.parse(await service.say("resolve", "page-shop-cache", "--json"));
  await answer.filter({ hasText: addresses[0] }).waitFor();
  // The same name as two containers see it.
  for (const project of ["shop", "blog"]) {
    await search.fill("api");
    await page.getByRole("combobox", { name: "Resolve as" }).selectOption(`page-${project}-web`);
    await page.getByRole("button", { name: "Resolve", exact: true }).click();
    const seen = JSON.parse(await service.say("resolve", "api", "--from", `page-${project}-web`, "--json"));
    await answer.filter({ hasText: `api as page-${project}-web → ${seen.addresses[0]}` }).waitFor();
    assert.equal(await page.locator(".box.chosen").getAttribute("data-name"), `page-${project}-web`);
  }
  await search.fill("nobody.there");
  await search.press("Enter");
  await page.locator("#resolved.bad", { hasText: "nobody.there" }).waitFor();
  await search.fill("api");
  await page.getByRole("combobox", { name: "Resolve as" }).selectOption("page-shop-web");
  await search.press("Enter");
  await answer.filter({ hasText: "api as page-shop-web" }).waitFor();
}

async function routes(page, service) {
  await page.locator('.box[data-name="page-blog-web"]').click();
  assert.equal(await page.getByRole("combobox", { name: "From" }).inputValue(), "page-blog-web");
  await page.locator('.box[data-name="page-shop-web"]').click();
  assert.equal(await page.getByRole("combobox", { name: "From" }).inputValue(), "page-shop-web");
  await page.getByRole("textbox", { name: "Destination" }).fill("api:80");
  await page.getByRole("button", { name: "Try" }).click();
  const { address } = JSON.parse(await service.say("route", "api:80", "--from", "page-shop-web", "--json"));
  await page.locator("#routed", { hasText: `api:80 → tunnel ${address} on page-shop` }).waitFor();
}

/** What starts and ends is shown, and told to those who listen. */
async function lives(page, api) {
  const box = page.locator('.box[data-name="page-blog-late"]');
  const words = ["--network", "page-blog", "--label", "page=1", "dockline-fixture:latest", "hello", "late"];
  await docker(api, "run", "-d", "--name", "page-blog-late", ...words);
  await box.waitFor();
  await page.locator("#news", { hasText: "9 containers" }).waitFor({ state: "attached" });
  await docker(api, "rm", "-f", "page-blog-late");
  await box.waitFor({ state: "detached" });
}

/** Everything has a name and a place, and can be reached without a mouse. */
async function keyboard(page) {
  for (const role of ["banner", "main", "contentinfo", "search"]) await page.getByRole(role).waitFor();
  for (const name of ["Map", "Names", "Routes", "Traffic", "Warnings"]) await page.getByRole("region", { name }).waitFor();
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("input, select")].filter((field) => field.labels.length === 0).length);
  assert.equal(nameless, 0);
  await page.evaluate(() => document.activeElement.blur());
  const reached = [];
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim()));
  }
  for (const wanted of ["Skip to names", "scroll", "name", "name-from", "Resolve"]) assert(reached.includes(wanted), wanted);
  // Whoever is there sees it.
  await page.locator("#name").focus();
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid");
}

/** No script but its own runs, however it got there. */
async function strict(page, complaints) {
  await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "window.strange = true";
    document.body.append(script);
  });
  assert.equal(await page.evaluate(() => window.strange), undefined);
  await eventually("the browser's complaint", () => complaints.length > 0);
  assert(complaints.splice(0).every((said) => said.includes("Content Security Policy")));
}

async function screenshot(page, name) {
  const path = join(process.env.PAGE_DOCS, name);
  await page.screenshot({ path, fullPage: true });
  const { size } = statSync(path);
  assert(size <= MOST_BYTES, `${name} has ${size} bytes`);
  say(`${name}: ${Math.ceil(size / 1024)} KB`);
}

// ---- five hundred containers

/** Runs in the page: which elements change from now on, and how long updates take. */
function watchChanges() {
  performance.clearMeasures("update");
  window.changed = new Set();
  window.watcher?.disconnect();
  window.watcher = new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes) [target, ...addedNodes].forEach((element) => window.changed.add(element));
  });
  window.watcher.observe(document.body, { attributes: true, childList: true, subtree: true });
}

/** Tells how many milliseconds the page's main thread has worked. */
async function work(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "TaskDuration").value;
  };
}

async function crowd() {
  const engine = new Engine();
  const folder = mkdtempSync(join(tmpdir(), "dockline-crowd-"));
  const socket = join(folder, "engine.sock");
  const networks = Array.from({ length: 20 }, (_, number) => engine.network(`project${number}_default`));
  for (let number = 0; number < 500; number += 1) engine.run(`project${number % 20}-service-${number}`, networks[number % 20]);
  await engine.listen(socket);
  const service = await Service.start(`unix://${socket}`, ["--all", "--interceptor", "none", "--tunnel-image", "absent"]);
  try {
    const paints = [];
    const maps = [];
    const updates = [];
    const works = [];
    await browse(service.url, { viewport: { width: 1280, height: 1000 } }, async (page) => {
      for (let round = 0; round < 5; round += 1) {
        await page.goto(service.url);
        await page.locator(".box").nth(499).waitFor();
        const [paint, map] = await page.evaluate(() => [
          performance.getEntriesByName("first-contentful-paint")[0].startTime,
          performance.getEntriesByName("update", "measure")[0],
        ].map((entry) => (typeof entry === "number" ? entry : entry.startTime + entry.duration)));
        paints.push(paint);
        maps.push(map);
      }
      const worked = await work(page);
      for (let round = 0; round < 5; round += 1) {
        await page.evaluate(watchChanges);
        const before = await worked();
        engine.run(`late-${round}-0`, networks[0]);
        await page.locator(`.box[data-name="late-${round}-0"]`).waitFor();
        // Two frames later the browser has drawn it, too.
        await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
        works.push((await worked()) - before);
        updates.push(await page.evaluate(() => Math.max(...performance.getEntriesByName("update", "measure").map((e) => e.duration))));
        const changed = await page.evaluate(() => window.changed.size);
        assert(changed < MOST_CHANGED, `${changed} elements changed for one container`);
      }
    });
    const scrapes = [];
    for (let round = 0; round < 50; round += 1) {
      const begun = performance.now();
      const answer = await fetch(`${service.url}metrics`);
      assert((await answer.text()).endsWith("# EOF\n"));
      scrapes.push(performance.now() - begun);
    }
    const median = (all) => all.sort((a, b) => a - b)[Math.floor(all.length / 2)].toFixed(1);
    say(`500 containers, medians in ms: first paint ${median(paints)}, whole map ${median(maps)}, update ${median(updates)} (the page's own work, drawing and all: ${median(works)}), scrape ${median(scrapes)}`);
    if (process.env.PAGE_STRICT_CLOCK) {
      for (const [what, all, most] of [["first paint", paints, 300], ["update", updates, 50], ["work", works, 50], ["scrape", scrapes, 5]]) {
        assert(median(all) <= most, `${what}: ${median(all)} ms, at most ${most}`);
      }
    }
  } finally {
    await service.stop();
    engine.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.env.PAGE_ENGINE) await onEngine();
await crowd();
say("the page is as it should be");
