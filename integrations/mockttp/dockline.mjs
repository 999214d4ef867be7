// How mockttp (and so HTTP Toolkit's proxy) goes on through dockline, and who calls.

/** Where dockline's HTTP address is, unless `dockline status` shows another. */
export const DOCKLINE = 'http://127.0.0.1:8791';

/**
 * The two options of mockttp's pass-through rules that lead through dockline.
 *
 * `socks5h` leaves names to the gateway, which knows those of containers. `lookupOptions` is for what mockttp looks up itself:
 * dockline's DNS answers for containers, and forwards what it does not know.
 */
export async function throughDockline({ api = DOCKLINE, password } = {}) {
    const answer = await fetch(`${api}/v1/status`);
    if (!answer.ok) throw new Error(`dockline says ${answer.status} at ${api}`);
    const { gateway, dns, gateway_protected: isProtected } = await answer.json();
    if (isProtected && !password) throw new Error('dockline was started with --gateway-password: say it here as well');
    const login = password ? `dockline:${encodeURIComponent(password)}@` : '';
    return {
        proxyConfig: { proxyUrl: `socks5h://${login}${gateway}` },
        lookupOptions: { servers: [dns] },
    };
}

const TAG = 'socket-metadata:container:';

/** The container that sent a request: by the tags of `dockline serve --tell-who mockttp`, else nothing. */
export function containerOf(request) {
    return request.tags.find((tag) => tag.startsWith(TAG))?.slice(TAG.length);
}
