// mockttp as dockline's interceptor: a line for each request, with the container that sent it.
//
//     npm install
//     node start.mjs                                   # makes ca.pem and ca.key, once
//     dockline serve --interceptor 127.0.0.1:8000 --ca ca.pem --tell-who mockttp
//
// Settings: PORT, DOCKLINE (its HTTP address), DOCKLINE_GATEWAY_PASSWORD; ORIGIN_CA, a PEM file with an authority that origins have.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import * as mockttp from 'mockttp';
import { DOCKLINE, containerOf, throughDockline } from './dockline.mjs';

const { PORT = '8000', DOCKLINE: api = DOCKLINE, DOCKLINE_GATEWAY_PASSWORD: password, ORIGIN_CA } = process.env;

if (!existsSync('ca.pem')) {
    const { key, cert } = await mockttp.generateCACertificate({ subject: { commonName: 'mockttp with dockline' } });
    writeFileSync('ca.key', key, { mode: 0o600 });
    writeFileSync('ca.pem', cert);
}

// Either of the two may be started first.
async function dockline() {
    for (;;) {
        try {
            return await throughDockline({ api, password });
        } catch (error) {
            if (!(error instanceof TypeError)) throw error;
            await pause(200);
        }
    }
}

const server = mockttp.getLocal({ https: { keyPath: 'ca.key', certPath: 'ca.pem' }, http2: 'fallback', recordTraffic: false });
const options = await dockline();
if (ORIGIN_CA) {
    options.additionalTrustedCAs = [{ cert: readFileSync(ORIGIN_CA, 'utf8') }];
}
await server.forAnyRequest().thenPassThrough(options);
await server.forAnyWebSocket().thenPassThrough(options);

const open = new Map();
await server.on('request', (request) => {
    open.set(request.id, request);
});
await server.on('response', ({ id, statusCode }) => {
    const request = open.get(id);
    open.delete(id);
    if (request) console.log(`${containerOf(request) ?? '-'} ${request.method} ${request.url} ${statusCode}`);
});
await server.on('abort', ({ id, method, url, error }) => {
    open.delete(id);
    console.log(`- ${method} ${url} aborted: ${error?.message ?? 'by the client'}`);
});
await server.on('tls-client-error', ({ failureCause, tlsMetadata }) => {
    console.log(`- TLS of a client for ${tlsMetadata?.sniHostname ?? '?'} failed: ${failureCause}`);
});

await server.start(Number(PORT));
console.log(`mockttp listens at 127.0.0.1:${PORT}, and goes on through ${options.proxyConfig.proxyUrl}`);
