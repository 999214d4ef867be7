//! One side that ends before the other.

use std::time::Duration;

use super::{OK, asked};
use crate::gateway::tests::peer::Server;
use crate::gateway::tests::rig::{GET, Rig};
use crate::gateway::{Config, Deadlines};

#[tokio::test]
async fn a_client_that_says_no_more_still_gets_its_answer() {
    let (_rig, mut client, mut container) = asked(GET).await;
    client.finish().await;
    container.hear_end().await;
    container.say(OK).await;
    assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
    client.hear_end().await;
}

#[tokio::test]
async fn an_answer_may_end_when_it_likes_but_not_begin_so() {
    let half_closed = Duration::from_millis(50);
    let rig = Rig::with(Config {
        deadlines: Deadlines {
            half_closed,
            ..Deadlines::default()
        },
        ..Config::default()
    })
    .await;
    let web = rig.container("10.231.1.2:80").await;
    for begins in [true, false] {
        let mut client = rig.client().await;
        client.say(GET).await;
        let mut container = web.accept().await;
        container.hear_head().await;
        if begins {
            container
                .say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
                .await;
            client.hear_head().await;
            client.hear("ha").await;
        }
        client.finish().await;
        container.hear_end().await;
        if begins {
            tokio::time::sleep(4 * half_closed).await;
            container.say("lf").await;
            client.hear("lf").await;
            client.hear_end().await;
        } else {
            client.hear_reset().await;
        }
    }
}

#[tokio::test]
async fn nothing_is_done_again_for_a_client_that_has_left() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    client.say(GET).await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container.say(OK).await;
    client.hear_response().await;
    client.say(GET).await;
    container.hear_head().await;
    client.finish().await;
    container.hear_end().await;
    drop(container);
    assert_eq!(client.hear_response().await.0, 502);
    assert!(web.is_alone().await, "it was not asked again");
}

#[tokio::test]
async fn the_end_after_the_last_of_several_requests_is_not_that_of_the_first() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    let post = "POST http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: 0\r\n\r\n";
    client.say([GET, "\r\n", post].concat()).await;
    client.finish().await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container.say(OK).await;
    assert_eq!(container.hear_head().await[0], "POST / HTTP/1.1");
    container.hear_end().await;
    container.say(OK).await;
    for _ in 0..2 {
        assert_eq!(client.hear_response().await, (200, "ok".to_owned()));
    }
    client.hear_end().await;
}

#[tokio::test]
async fn an_answer_that_comes_before_a_large_request_was_read_arrives() {
    // Whether the end of what is written or what can be read is seen first, is chance.
    for _ in 0..40 {
        let (rig, server) = (Rig::new().await, Server::new().await);
        let url = format!("http://localhost:{}/", server.address().port());
        let mut client = rig.client().await;
        let get = format!("GET {url} HTTP/1.1\r\nHost: x\r\n\r\n");
        client.say(&get).await;
        let mut origin = server.accept().await;
        origin.hear_head().await;
        origin.say(OK).await;
        client.hear_response().await;
        let put = format!("PUT {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\nx");
        client.say(&put).await;
        origin.hear_head().await;
        origin
            .say("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            .await;
        // Of what was sent to it nothing has been read: the kernel resets it.
        drop(origin);
        client.say(vec![b'x'; 1_000]).await;
        assert_eq!(client.hear_response().await.0, 413);
    }
}

#[tokio::test]
async fn a_body_that_was_not_wanted_is_not_waited_for() {
    let (_rig, mut client, mut container) = asked(
        "PUT http://web/ HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 60\r\n\r\n",
    )
    .await;
    container
        .say("HTTP/1.1 401 Who\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.hear_response().await.0, 401);
    client.hear_end().await;
    container.hear_end().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_any_more_is_waited_for_for_a_moment() {
    let (_rig, mut client, mut container) =
        asked("PUT http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbo").await;
    container.hear("bo").await;
    container.say(OK).await;
    assert_eq!(client.hear_response().await.0, 200);
    client.hear_end().await;
    container.hear_end().await;
}
