//! The service's news, asked for again and again while it is away.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

use super::state::News;
use crate::control::client::{self, Error, follow};

/// Between attempts while the service is away.
const AGAIN: Duration = Duration::from_secs(1);
/// At most ten pictures a second: people do not read faster.
const PACE: Duration = Duration::from_millis(100);
/// The service says something every fifteen seconds, if only that it is there.
const SILENCE: Duration = Duration::from_secs(40);

/// Goes on until nobody listens.
pub(super) async fn feed(socket: PathBuf, news: Sender<News>) {
    loop {
        let why = match heard(&socket, &news).await {
            Ok(()) => "it has ended".to_owned(),
            Err(error) => format!("{:#}", anyhow::Error::new(error)),
        };
        if news.send(News::Away(why)).await.is_err() {
            return;
        }
        sleep(AGAIN).await;
    }
}

/// Until the service ends.
async fn heard(socket: &Path, news: &Sender<News>) -> Result<(), Error> {
    let mut events = follow(socket, "/v1/events", &[("live", "true")]).await?;
    loop {
        let next = timeout(SILENCE, events.next()).await;
        let next = next.unwrap_or_else(|_| Err(Error::Broken("it fell silent".into())));
        let Some(told) = next? else {
            return Ok(());
        };
        // Of several that came at once, the last says all.
        let traffic = told.iter().rev().find(|event| event.name == "traffic");
        if let Some(event) = traffic {
            let traffic = serde_json::from_str(&event.data);
            let traffic = traffic.map_err(|error| Error::Broken(error.into()))?;
            let _ = news.send(News::Traffic(traffic)).await;
        }
        if told.iter().any(|event| event.name != "traffic") {
            let status = client::get(socket, "/v1/status", &[]).await?;
            let _ = news.send(News::Status(Box::new(status))).await;
        }
        sleep(PACE).await;
    }
}
