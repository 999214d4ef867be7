//! `dockline pause` and `dockline resume`

use super::{Failure, Global, output};
use crate::control::client;
use crate::control::report::shape::Intercepting;

/// Stops intercepting, for as long as the service runs.
pub(super) async fn pause(global: &Global) -> Result<(), Failure> {
    tell(global, "/v1/pause").await?;
    output::note(
        "paused: what containers send goes on without the interceptor, until `dockline resume`",
    );
    Ok(())
}

/// Intercepts again.
pub(super) async fn resume(global: &Global) -> Result<(), Failure> {
    tell(global, "/v1/resume").await?;
    output::note("intercepting");
    Ok(())
}

async fn tell(global: &Global, path: &str) -> Result<Intercepting, Failure> {
    Ok(client::post(&global.control_socket(), path).await?)
}
