//! A container that had a proxy of its own gets out by that, intercepted or not.

use tokio::net::TcpListener;

use super::inside::Talk;
use super::recorder::Recorder;
use super::{intercepted, resident};
use crate::support::{Lab, docker_cli, on_each_engine, succeed};

/// Has the client ask for a page of the world, and lets it through at `proxy`, which must be the first to be asked.
async fn passes(lab: &Lab, proxy: &TcpListener) {
    let mut wget = lab.command(&docker_cli());
    let url = "http://far.test/page";
    wget.args(["exec", &lab.own("client"), "wget", "-q", "-O", "-", url]);
    let page = std::thread::spawn(move || succeed(&mut wget));
    let mut corp = Talk::accept(proxy).await;
    let head = corp.hear_head().await.to_lowercase();
    assert!(
        head.starts_with("connect far.test:80 http/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains("\r\nproxy-authorization: basic bwu6cznjcif0\r\n"),
        "{head}"
    );
    corp.say("HTTP/1.1 200 OK\r\n\r\n").await;
    let head = corp.hear_head().await;
    assert!(head.starts_with("GET /page HTTP/1.1\r\n"), "{head}");
    corp.say("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nby corp")
        .await;
    assert_eq!(page.join().unwrap(), "by corp");
}

#[test]
fn a_proxy_that_a_container_had_is_its_way_out() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let recorder = Recorder::new().await;
        let Some(corp) = resident(&lab, "corp", &net, &[]) else {
            return;
        };
        let proxy = corp.listen(3128);
        let running = intercepted(&lab, &recorder).await;
        let shell = running.shell(&lab);
        let had = "http_proxy=http://me:s3cr%21t@corp:3128";
        let options = ["--network", &net, "-e", had, "-e", "NO_PROXY=near.test"];
        shell.start("client", &options, &["sleep", "1000"]);
        passes(&lab, &proxy).await;
        let seen = ("client".to_owned(), "GET http://far.test/page".to_owned());
        assert_eq!(recorder.recorded(), [seen]);
        // Without an interceptor as well, and where its own exceptions say so not by the proxy.
        drop(recorder.die().await);
        let client = lab.own("client");
        let near = lab.try_docker(&[
            "exec",
            &client,
            "wget",
            "-q",
            "-O",
            "-",
            "http://near.test/",
        ]);
        assert!(!near.status.success(), "nobody is called so");
        passes(&lab, &proxy).await;
        running.stop().await;
    });
}
