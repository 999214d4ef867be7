"""mitmproxy: a line for each answer, with the container that dockline's add-on found, if it is there."""


class Recorder:
    def response(self, flow):
        name = flow.metadata.get("dockline_name") or "-"
        print(f"{name} {flow.request.method} {flow.request.pretty_url} {flow.response.status_code}", flush=True)

    def error(self, flow):
        print(f"- {flow.request.method} {flow.request.pretty_url} failed: {flow.error.msg}", flush=True)


addons = [Recorder()]
