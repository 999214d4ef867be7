// An engine that is none, with as many containers as are wanted: what dockline asks of it, and its events.

import { createServer } from "node:http";

const EPOCH = 1_780_000_000n * 1_000_000_000n;

export class Engine {
  #clock = 0n;
  #count = 0;
  #containers = new Map();
  #networks = new Map();
  #readers = new Set();
  #server = createServer((request, answer) => this.#answer(request, answer));

  listen(socket) {
    return new Promise((listening) => this.#server.listen(socket, listening));
  }

  close() {
    for (const reader of this.#readers) reader.end();
    this.#server.closeAllConnections();
    this.#server.close();
  }

  network(name) {
    const id = this.#id();
    this.#networks.set(id, { name, range: this.#networks.size + 1, members: 0 });
    this.#tell("network", "create", id, { name });
    return id;
  }

  run(name, network) {
    const id = this.#id();
    const on = this.#networks.get(network);
    on.members += 1;
    const address = `10.${on.range}.${on.members >> 8}.${(on.members & 255) + 1}`;
    this.#containers.set(id, { name, network, endpoint: this.#id(), address });
    this.#tell("container", "create", id, { name });
    this.#tell("network", "connect", network, { container: id });
    this.#tell("container", "start", id, { name });
  }

  #id() {
    this.#count += 1;
    return this.#count.toString(16).padStart(12, "0") + "0".repeat(52);
  }

  #tell(Type, Action, ID, Attributes) {
    this.#clock += 1_000_000n;
    const timeNano = EPOCH + this.#clock;
    const time = timeNano / 1_000_000_000n;
    const actor = JSON.stringify({ ID, Attributes });
    const line = `{"Type":"${Type}","Action":"${Action}","Actor":${actor},"scope":"local","time":${time},"timeNano":${timeNano}}\n`;
    for (const reader of this.#readers) reader.write(line);
  }

  #endpoints(id, { name, network, endpoint, address }, whole) {
    const alias = name.split("-").at(-2);
    const names = [name, alias, id.slice(0, 12)];
    const settings = { NetworkID: network, EndpointID: endpoint, IPAddress: address };
    if (whole) Object.assign(settings, { Aliases: [alias], DNSNames: names });
    return { Networks: { [this.#networks.get(network).name]: settings } };
  }

  #inspectNetwork(id) {
    const found = this.#networks.get(id);
    return found && { Id: id, Name: found.name, Driver: "bridge", IPAM: { Config: [{ Subnet: `10.${found.range}.0.0/16` }] } };
  }

  #inspectContainer(id) {
    const found = this.#containers.get(id);
    return found && {
      Id: id, Name: `/${found.name}`, State: { Running: true }, Config: { Hostname: id.slice(0, 12), Labels: {} },
      HostConfig: { NetworkMode: "default" }, NetworkSettings: this.#endpoints(id, found, true),
    };
  }

  #find(kind, id) {
    if (kind === "version") return { Version: "26.1.5", ApiVersion: "1.45", MinAPIVersion: "1.24" };
    if (kind === "info") {
      const now = new Date(Number((EPOCH + this.#clock) / 1_000_000n)).toISOString();
      return { ServerVersion: "26.1.5", Architecture: "x86_64", OSType: "linux", SystemTime: now };
    }
    if (kind === "containers" && id === "json") {
      return [...this.#containers].map(([Id, found]) => ({
        Id, Names: [`/${found.name}`], Labels: {}, State: "running", NetworkSettings: this.#endpoints(Id, found, false),
      }));
    }
    if (kind === "containers") return this.#inspectContainer(id);
    if (kind === "networks" && id) return this.#inspectNetwork(id);
    if (kind === "networks") return [...this.#networks.keys()].map((network) => this.#inspectNetwork(network));
    return undefined;
  }

  #answer(request, answer) {
    const [kind, id] = new URL(request.url, "http://engine").pathname.replace(/^\/v\d+\.\d+/, "").slice(1).split("/");
    if (kind === "_ping") return answer.end("OK");
    if (kind === "events") {
      this.#readers.add(answer);
      answer.on("close", () => this.#readers.delete(answer));
      answer.writeHead(200, { "Content-Type": "application/json" });
      return answer.flushHeaders();
    }
    const found = this.#find(kind, id);
    const body = JSON.stringify(found ?? { message: `no such thing: ${request.url}` });
    answer.writeHead(found ? 200 : 404, { "Content-Type": "application/json" });
    return answer.end(body);
  }
}
