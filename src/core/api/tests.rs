use super::{ApiCall, parameter};

#[test]
fn calls_are_known_with_and_without_a_version() {
    let web = || "web".to_owned();
    let cases = [
        ("GET", "/_ping", ApiCall::Ping),
        ("HEAD", "/v1.45/_ping", ApiCall::Ping),
        (
            "POST",
            "/v1.41/containers/create?name=web",
            ApiCall::CreateContainer,
        ),
        ("POST", "/containers/create", ApiCall::CreateContainer),
        (
            "POST",
            "/v1.45/containers/web/start?detachKeys=",
            ApiCall::StartContainer(web()),
        ),
        (
            "POST",
            "/containers/web/restart?t=1",
            ApiCall::StartContainer(web()),
        ),
        (
            "POST",
            "/v1.45/containers/web/stop?t=1",
            ApiCall::StopContainer(web()),
        ),
        (
            "POST",
            "/containers/web/kill?signal=TERM",
            ApiCall::StopContainer(web()),
        ),
        ("POST", "/v1.45/commit?container=web", ApiCall::Commit),
        ("POST", "/v1.45/containers/web/wait", ApiCall::Other),
        ("GET", "/containers/json?all=1", ApiCall::ListContainers),
        (
            "GET",
            "/v1.41/containers/web/json",
            ApiCall::InspectContainer(web()),
        ),
        (
            "GET",
            "/containers/w%65b/json",
            ApiCall::InspectContainer(web()),
        ),
        ("DELETE", "/containers/web", ApiCall::Other),
        ("GET", "/networks/web", ApiCall::InspectNetwork(web())),
        (
            "DELETE",
            "/v1.45/networks/web",
            ApiCall::RemoveNetwork(web()),
        ),
        ("POST", "/networks/prune", ApiCall::PruneNetworks),
        (
            "POST",
            "/v1.41/build?remote=https://x.test/own.git",
            ApiCall::Build,
        ),
        ("GET", "/networks", ApiCall::Other),
        (
            "POST",
            "/v1.45/containers/web/attach?stdin=1",
            ApiCall::Hijack,
        ),
        ("POST", "/exec/3517/start", ApiCall::Exec("3517".to_owned())),
        ("POST", "/session", ApiCall::Hijack),
        ("POST", "/grpc", ApiCall::BuildKit),
        ("GET", "/grpc", ApiCall::Other),
        (
            "GET",
            "http://docker.example/v1.45/containers/json",
            ApiCall::ListContainers,
        ),
        ("GET", "http://docker.example", ApiCall::Other),
        ("GET", "/v1/containers/json", ApiCall::Other),
        ("GET", "//containers//json", ApiCall::ListContainers),
        ("POST", "/containers/json", ApiCall::Other),
        ("GET", "*", ApiCall::Other),
        ("GET", "", ApiCall::Other),
    ];
    for (method, target, call) in cases {
        assert_eq!(ApiCall::of(method, target), call, "{method} {target}");
    }
}

#[test]
fn parameters_are_decoded() {
    let target = "/containers/create?platform=&name=a%2Fb&name=c";
    assert_eq!(parameter(target, "name").as_deref(), Some("a/b"));
    assert_eq!(parameter(target, "platform").as_deref(), Some(""));
    assert_eq!(parameter(target, "filters"), None);
    assert_eq!(parameter("/containers/create", "name"), None);
}
