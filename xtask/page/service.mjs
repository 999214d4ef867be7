// A `dockline serve` of the check's own, and what it is asked by its own commands.

import { execFile, spawn } from "node:child_process";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export const run = promisify(execFile);

/** Fails with `what` unless `holds` gives something within half a minute. */
export async function eventually(what, holds) {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within 30 s: ${what}`);
    await new Promise((later) => setTimeout(later, 50));
  }
}

export class Service {
  /** Starts it; `flags` are more flags of `serve`. */
  static async start(host, flags) {
    const service = new Service();
    service.folder = mkdtempSync(join(tmpdir(), "dockline-page-"));
    service.env = {
      ...process.env,
      DOCKLINE_INSTANCE: "page",
      DOCKLINE_HOST: host,
      DOCKLINE_RUNTIME_DIR: join(service.folder, "run"),
      DOCKLINE_DATA_DIR: join(service.folder, "data"),
    };
    const anywhere = ["--dns", "127.0.0.1:0", "--gateway", "127.0.0.1:0", "--http", "127.0.0.1:0", "--dns-forward", "none"];
    const log = openSync(join(process.env.PAGE_LOGS, `serve-${flags.includes("--all") ? "crowd" : "engine"}.log`), "w");
    service.child = spawn(process.env.DOCKLINE_PROGRAM, ["serve", ...anywhere, ...flags], {
      env: service.env,
      stdio: ["ignore", log, log],
    });
    service.ended = new Promise((ended) => service.child.on("exit", ended));
    service.status = JSON.parse(await service.say("status", "--wait", "60", "--json"));
    service.url = `http://${service.status.http}/`;
    return service;
  }

  /** What a command of dockline prints. */
  async say(...command) {
    return (await run(process.env.DOCKLINE_PROGRAM, command, { env: this.env, maxBuffer: 1 << 26 })).stdout;
  }

  async stop() {
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), 30_000);
    await this.ended;
    clearTimeout(late);
    rmSync(this.folder, { recursive: true });
  }
}
