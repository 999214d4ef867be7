//! Many at once.

use tokio::task::JoinSet;

use super::inside::Talk;
use super::recorder::Recorder;
use super::{intercepted, resident};
use crate::support::{on_each_engine, raise_file_limit};

/// As many requests at a time as the issue names.
const CALLERS: usize = 1_000;

#[test]
fn a_thousand_requests_at_once_pass_entry_link_interceptor_and_gateway() {
    raise_file_limit();
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let recorder = Recorder::new().await;
        let (Some(client), Some(server)) = (
            resident(&lab, "client", &net, &[]),
            resident(&lab, "server", &net, &[]),
        ) else {
            return;
        };
        let running = intercepted(&lab, &recorder).await;
        recorder.do_not_ask_who();
        running.joined(&[&net]).await;
        let entry = client.entry(&lab).await;
        let listener = server.listen(80);
        let mut answering = JoinSet::new();
        answering.spawn(async move {
            // All are there before the first is answered.
            let mut asked = JoinSet::new();
            for _ in 0..CALLERS {
                let mut far = Talk::accept(&listener).await;
                asked.spawn(async move {
                    far.hear_head().await;
                    far
                });
            }
            for mut far in asked.join_all().await {
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
                far.say(answer).await;
            }
        });
        let mut calls = JoinSet::new();
        for _ in 0..CALLERS {
            let client = client.clone();
            let stream = client.try_connect(entry).unwrap();
            calls.spawn(async move { Talk(stream).get("http://server/").await });
        }
        for answer in calls.join_all().await {
            assert_eq!(answer, (200, "ok".to_owned()));
        }
        // On a busy machine some may have waited too long for dockline, and were served without.
        let intercepted = recorder.recorded().len();
        println!("{intercepted} of {CALLERS} were intercepted");
        assert!(intercepted > 0);
        running.stop().await;
    });
}
