//! Where clients connect: a socket of the user's own and, if asked for, a port on loopback.
//!
//! Bytes are passed on a thread of their own: on a shared runtime each of a call's four ways through the sockets may wake
//! another thread, which costs more than all that is done with the bytes.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{self, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{self, JoinError};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::of_authority::OfAuthority;
use super::{Config, Shared, View, classic, conversation};
use crate::core::llb::StepFiles;
use crate::local;
use crate::proxy::accept::Trouble;
use crate::relay::Socket;
use crate::tasks::Tasks;

/// Clients at a time; more wait to be accepted. A compose project of a hundred services keeps some hundreds.
const CLIENTS: usize = 4_096;
/// For calls under way once the service stops. What has become a stream is cut: it may last for days.
const GRACE: Duration = Duration::from_secs(1);

/// Why the API proxy ended.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sockets could not be served.
    #[error("serve the API")]
    Start(#[source] io::Error),
    /// Its thread panicked.
    #[error("keep the API proxy's thread")]
    Thread(#[source] JoinError),
}

/// An API proxy that is bound and not yet running.
#[derive(Debug)]
pub struct ApiProxy {
    own: local::Bound,
    tcp: Option<std::net::TcpListener>,
    socket: PathBuf,
}

impl ApiProxy {
    /// Binds to the socket, in the place of what a service left there that has ended, and to the port.
    pub fn bind(socket: PathBuf, tcp: Option<SocketAddr>) -> io::Result<Self> {
        let own = local::Bound::bind(&socket)?;
        let tcp = tcp.map(std::net::TcpListener::bind).transpose()?;
        if let Some(listener) = &tcp {
            listener.set_nonblocking(true)?;
        }
        Ok(Self { own, tcp, socket })
    }

    /// The port's address, if there is one.
    pub fn tcp_addr(&self) -> io::Result<Option<SocketAddr>> {
        let listener = self.tcp.as_ref();
        listener.map(std::net::TcpListener::local_addr).transpose()
    }

    /// Serves clients until `stop`; then finishes the calls under way, for a grace period at most.
    ///
    /// What a call needs of the engine or the tunnel is done on the runtime that this is called on.
    pub async fn run(
        self,
        view: View,
        config: Config,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let stop = stop.child_token();
        // Ends the thread also when nobody waits for this future any more.
        let _ends_thread = stop.clone().drop_guard();
        let others = Handle::current();
        let thread = task::spawn_blocking(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .map_err(Error::Start)?
                .block_on(self.serve(view, config, others, stop))
        });
        thread.await.map_err(Error::Thread)?
    }

    async fn serve(
        self,
        view: View,
        config: Config,
        others: Handle,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        let own = self.own.listen().map_err(Error::Start)?;
        let tcp = self.tcp.map(TcpListener::from_std).transpose();
        let tcp = tcp.map_err(Error::Start)?;
        let shared = Arc::new(Shared {
            instance: config.instance,
            endpoint: config.endpoint,
            client: view.client,
            map: view.map,
            tunnel: view.tunnel,
            leases: view.leases,
            authorities: view.authorities,
            counts: view.counts,
            foreign_allowed: config.foreign_allowed,
            intercept_loopback: config.intercept_loopback,
            intercept_builds: config.intercept_builds,
            pass_through: config.pass_through,
            build_files: OfAuthority::new(view.ca.clone(), classic::files_of),
            step_files: OfAuthority::new(view.ca, StepFiles::new),
            builds: view.builds,
            socket: self.socket.clone(),
            others,
            tasks: Tasks::default(),
            stop: stop.clone(),
        });
        // Whoever drops this future leaves no task behind either.
        let _guard = shared.tasks.guard();
        stop.run_until_cancelled(accept(own, tcp, &shared)).await;
        if let Err(error) = local::remove(&self.socket) {
            warn!(%error, "the API proxy's socket stays");
        }
        shared.tasks.finish(GRACE).await;
        Ok(())
    }
}

async fn accept(mut own: local::Listener, tcp: Option<TcpListener>, shared: &Arc<Shared>) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    let mut trouble = Trouble::default();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let accepted = tokio::select! {
            accepted = own.accept() => accepted.map(|stream| serve(shared, stream, false, place)),
            accepted = on_port(tcp.as_ref()) => accepted.map(|(stream, _)| {
                // Small writes are whole messages here.
                let _ = stream.set_nodelay(true);
                serve(shared, stream, true, place);
            }),
        };
        match accepted {
            Ok(()) => trouble.ends(),
            Err(error) => trouble.goes_on("the API proxy", &error).await,
        }
    }
}

async fn on_port(tcp: Option<&TcpListener>) -> io::Result<(tokio::net::TcpStream, SocketAddr)> {
    match tcp {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

fn serve<C>(shared: &Arc<Shared>, client: C, by_tcp: bool, place: OwnedSemaphorePermit)
where
    C: Socket + 'static,
{
    let conversation = conversation::serve(client, by_tcp, Arc::clone(shared));
    shared.tasks.spawn(async move {
        conversation.await;
        drop(place);
    });
}
