//! What comes before an answer: hints, and leave to go on.

use crate::gateway::tests::rig::Rig;

#[tokio::test]
async fn a_client_that_waits_for_100_gets_it() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig
        .asked("PUT http://web/ HTTP/1.1\r\nHost: web\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        .await;
    let head = container.hear_head().await;
    assert!(
        head.contains(&"Expect: 100-continue".to_owned()),
        "{head:?}"
    );
    container.say("HTTP/1.1 100 Continue\r\n\r\n").await;
    assert_eq!(client.hear_head().await, ["HTTP/1.1 100 Continue"]);
    client.say("body").await;
    container.hear("body").await;
    container
        .say("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(client.hear_response().await.0, 201);
}

#[tokio::test]
async fn what_comes_before_an_answer_passes() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    for round in 0..2 {
        client
            .say("POST http://web/ HTTP/1.1\r\nHost: web\r\nContent-Length: 4\r\n\r\nbo")
            .await;
        let mut container = web.accept().await;
        container.hear_head().await;
        container
            .say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x\r\nX: y\r\n\r\nHTTP/1.1 102 Whatever\r\n\r\n")
            .await;
        // While the request has yet to end.
        assert_eq!(
            client.hear_head().await,
            ["HTTP/1.1 103 Early Hints", "Link: </a>"]
        );
        assert_eq!(client.hear_head().await, ["HTTP/1.1 102 Whatever"]);
        client.say("dy").await;
        // At once with the answer, the order stays.
        container
            .say(format!(
                "HTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{round}"
            ))
            .await;
        assert_eq!(
            client.hear_head().await,
            ["HTTP/1.1 103 Early Hints", "Link: </b>"]
        );
        assert_eq!(client.hear_response().await, (200, round.to_string()));
    }
    // Clients of HTTP/1.0 would take it for the answer.
    client.say("GET http://web/ HTTP/1.0\r\n\r\n").await;
    let mut container = web.accept().await;
    container.hear_head().await;
    container
        .say("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
        .await;
    assert_eq!(client.hear_head().await[0], "HTTP/1.0 204 No Content");
}

/// The second request is there before the first has been answered: nothing gets between the pieces of an answer.
#[tokio::test]
async fn what_comes_before_an_answer_comes_after_the_one_before() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    let request = "GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n";
    client.say([request, request].concat()).await;
    let mut container = web.accept().await;
    container.hear_head().await;
    let long = "0123456789abcdef".repeat(64 * 1024);
    let hinted = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{long}",
        long.len()
    );
    container.say(format!("{hinted}{answer}")).await;
    assert_eq!(client.hear_head().await, ["HTTP/1.1 103 Early Hints"]);
    let early = async {
        container.hear_head().await;
        container.say(format!("{hinted}{answer}")).await;
    };
    let late = async {
        assert_eq!(client.hear_response().await, (200, long.clone()));
        assert_eq!(client.hear_head().await, ["HTTP/1.1 103 Early Hints"]);
        assert_eq!(client.hear_response().await, (200, long.clone()));
    };
    tokio::join!(early, late);
}
