//! How much HTTP makes the gateway hold.

use super::rig::{GET, Rig};
use crate::proxy::conversation::BUFFER;

/// `start` and one header, `length` bytes in all, without the empty line that would end the head.
fn unfinished_head(start: &str, length: usize) -> String {
    let filler = length - start.len() - "X-Long: ".len();
    format!("{start}X-Long: {}", "x".repeat(filler))
}

#[tokio::test]
async fn a_head_that_fits_passes_both_ways() {
    let rig = Rig::new().await;
    let web = rig.container("10.231.1.2:80").await;
    let mut client = rig.client().await;
    let request = "GET http://web/ HTTP/1.1\r\nHost: web\r\n";
    let length = BUFFER - "\r\n\r\n".len();
    client
        .say(unfinished_head(request, length) + "\r\n\r\n")
        .await;
    let mut container = web.accept().await;
    assert_eq!(container.hear_head().await.len(), 3);
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    container
        .say(unfinished_head(answer, length) + "\r\n\r\n")
        .await;
    assert_eq!(client.hear_head().await.len(), 3);
}

#[tokio::test]
async fn a_request_head_that_fills_the_buffer_is_refused() {
    let rig = Rig::new().await;
    let mut client = rig.client().await;
    let request = "GET http://web/ HTTP/1.1\r\nHost: web\r\n";
    client.say(unfinished_head(request, BUFFER)).await;
    assert_eq!(client.hear_response().await.0, 431);
    client.hear_end().await;
}

#[tokio::test]
async fn an_answers_head_that_fills_the_buffer_is_refused() {
    let rig = Rig::new().await;
    let (mut client, mut container) = rig.asked(GET).await;
    container.hear_head().await;
    container
        .say(unfinished_head("HTTP/1.1 200 OK\r\n", BUFFER))
        .await;
    assert_eq!(client.hear_response().await.0, 502);
    container.hear_nothing().await;
}
