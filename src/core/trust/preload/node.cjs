// Leads Node that does not heed HTTP_PROXY by itself (before 22.21 and 24.5) to the proxy of dockline. Put before each
// program by NODE_OPTIONS. Whatever goes wrong here, the program runs as if this were not there.
'use strict';
try {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const heeds = major >= 25 || (major === 24 && minor >= 5) || (major === 22 && minor >= 21);
  const env = process.env;
  const proxy = env.https_proxy || env.HTTPS_PROXY;
  if (!heeds && major >= 12 && proxy && env.NODE_USE_ENV_PROXY !== '0') prepare(proxy);
} catch (_) {}

// Nothing is loaded before the program loads it, or has begun: that would take longer than all else here.
function prepare(url) {
  let installed;
  const install = () => {
    if (installed) return installed;
    installed = {};
    try {
      installed = agents(new URL(url));
    } catch (_) {}
    return installed;
  };
  const Module = require('module');
  const load = Module._load;
  Module._load = function (name) {
    if (/^(node:)?https?$/.test(name)) install();
    return load.apply(this, arguments);
  };
  // For modules that are imported: none runs before this.
  process.nextTick(install);
  fetches(install);
}

function agents(proxy) {
  const http = require('http');
  const https = require('https');
  const listed = exceptions(process.env.no_proxy || process.env.NO_PROXY || '');
  const at = proxy.hostname.replace(/^\[|\]$/g, '');
  // Who connects to the proxy knows of it.
  const direct = (host, port) =>
    (host === at && Number(port) === (Number(proxy.port) || 80)) || listed(host, port);

  // A connection through the proxy, for an agent that would make one by itself. Agents with ways of their own are
  // left alone.
  const plain = http.Agent.prototype.createConnection;
  const secure = https.Agent.prototype.createConnection;
  http.Agent.prototype.createConnection = function (options, done) {
    const { host, port } = options || {};
    const own = this instanceof https.Agent || typeof done !== 'function' || options.socketPath;
    if (own || !host || direct(host, port || 80)) return plain.apply(this, arguments);
    tunnel(host, port || 80, done);
  };
  https.Agent.prototype.createConnection = function (options, done) {
    const { host, port } = options || {};
    const own = typeof done !== 'function' || options.socketPath || options.socket;
    if (own || !host || direct(host, port || 443)) return secure.apply(this, arguments);
    tunnel(host, port || 443, (error, socket) => {
      if (error) return done(error);
      let made;
      try {
        made = secure.call(this, { ...options, socket });
      } catch (failed) {
        return done(failed);
      }
      done(null, made);
    });
  };
  return { connect };

  function tunnel(host, port, done) {
    const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const asked = http.request({
      method: 'CONNECT',
      path: authority,
      headers: { host: authority },
      // With nothing of what is asked for: `path` would be a socket's.
      createConnection: () => require('net').connect(Number(proxy.port) || 80, at),
    });
    asked.once('connect', (answer, socket, early) => {
      if (answer.statusCode !== 200) {
        socket.destroy();
        return done(new Error(`proxy: ${answer.statusCode} for ${authority}`));
      }
      if (early.length) socket.unshift(early);
      done(null, socket);
    });
    asked.once('error', done);
    asked.end();
  }

  function connect(options, done) {
    const tls = options.protocol === 'https:';
    const port = Number(options.port) || (tls ? 443 : 80);
    const host = options.hostname.replace(/^\[|\]$/g, '');
    const secured = (socket) => {
      const { servername } = options;
      const name = servername || (require('net').isIP(host) ? undefined : host);
      const made = require('tls').connect({ socket, servername: name, ALPNProtocols: ['http/1.1'] });
      made.once('secureConnect', () => done(null, made));
      made.once('error', done);
    };
    const reached = (error, socket) => {
      if (error) return done(error);
      if (tls) secured(socket);
      else done(null, socket);
    };
    if (!direct(host, port)) return tunnel(host, port, reached);
    const socket = require('net').connect({ host, port });
    socket.once('error', done);
    socket.once('connect', () => {
      socket.removeListener('error', done);
      reached(null, socket);
    });
  }
}

// What Node fetches with takes its connections from an agent of its own, which is made with the first fetch.
function fetches(install) {
  const original = globalThis.fetch;
  if (typeof original !== 'function') return;
  const key = Symbol.for('undici.globalDispatcher.1');
  let ready = false;
  const prepare = () => {
    ready = true;
    const { connect } = install();
    // This loads what fetches.
    void globalThis.Headers;
    const given = globalThis[key];
    if (!connect || !given || given.constructor.name !== 'Agent') return;
    globalThis[key] = new given.constructor({ connect });
  };
  const wrapped = function fetch(...given) {
    try {
      if (!ready) prepare();
    } catch (_) {}
    return original.apply(this, given);
  };
  Object.defineProperty(globalThis, 'fetch', {
    value: wrapped, configurable: true, enumerable: true, writable: true,
  });
}

// Hosts that the proxy is not used for, as NO_PROXY lists them.
function exceptions(list) {
  const hosts = list.split(',').map((host) => host.trim().toLowerCase()).filter(Boolean);
  return (host, port) => {
    const name = String(host).toLowerCase().replace(/^\[|\]$/g, '');
    if (name === 'localhost' || name === '::1' || name.startsWith('127.')) {
      return hosts.includes('localhost') || hosts.includes('127.0.0.1');
    }
    return hosts.some((entry) => {
      if (entry === '*') return true;
      const [, bare, only] = /^(.*?)(?::(\d+))?$/.exec(entry);
      if (only && Number(only) !== Number(port)) return false;
      const domain = bare.replace(/^\*?\./, '');
      return name === entry || name === domain || name.endsWith(`.${domain}`);
    });
  };
}
