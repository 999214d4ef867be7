//! `dockline integrate --check`: a request of our own all the way round, and where it broke.

mod report;
mod traffic;

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Upstream;
use crate::check::{self, Scene, Scheme, Stage};
use crate::cli::{Failure, Global};
use crate::control::client;
use crate::control::report::shape::{ContainerReport, Status};
use crate::core::check::{Kind, Setup, judge, tls};
use crate::docker::{Client, endpoint};
use crate::signal;
use report::{Leg, Report};

/// For the tunnel to be up, and for it to join a network: it may have been started this moment.
const PATIENCE: Duration = Duration::from_secs(20);
/// For a tunnel that cannot be brought up to be so after all.
const FAILING: Duration = Duration::from_secs(2);
/// How often `status` is asked meanwhile.
const AGAIN: Duration = Duration::from_millis(50);

/// Looks, tells, and fails if the way is broken.
pub(super) async fn run(global: &Global, upstream: &Upstream, json: bool) -> Result<(), Failure> {
    let looking = Looking {
        global,
        upstream,
        status: client::get(&global.control_socket(), "/v1/status", &[]).await?,
    };
    let mut report = Report::new(json, &looking.status);
    let looked = Box::pin(looking.look(&mut report)).await;
    report.end()?;
    looked?;
    report.verdict()
}

struct Looking<'a> {
    global: &'a Global,
    upstream: &'a Upstream,
    status: Status,
}

impl Looking<'_> {
    async fn look(&self, report: &mut Report) -> Result<(), Failure> {
        let Some(client) = self.engine(report).await? else {
            return Ok(());
        };
        if self.status.interceptor.is_none() {
            report.add(Leg::failed(
                "interceptor",
                "dockline runs without one (--interceptor none)",
                "start it with --interceptor HOST:PORT, or without the flag for the built-in one",
            ));
            return Ok(());
        }
        let Some(image) = self.tunnel(report).await? else {
            return Ok(());
        };
        let scene = Scene {
            instance: self.global.instance.clone(),
            image,
            ca: self.status.ca_sha256.clone(),
            token: token()?,
        };
        let stop = CancellationToken::new();
        let looked = tokio::select! {
            looked = self.on_stage(&client, &scene, report) => looked,
            () = stop.cancelled() => Err(Failure::Interrupted),
            watched = signal::watch(stop.clone()) => Err(Failure::Other(watched.map_or_else(
                anyhow::Error::from,
                |()| anyhow::anyhow!("two signals"),
            ))),
        };
        // Whatever happened. What is left after a kill, `clean` and the next check remove.
        let cleared = check::clear(&client, &scene).await;
        looked?;
        Ok(cleared?)
    }

    async fn engine(&self, report: &mut Report) -> Result<Option<Client>, Failure> {
        let engine = &self.status.engine;
        if !engine.connected {
            let problem = engine.problem.as_deref().unwrap_or("it does not answer");
            return Err(Failure::NoEngine(anyhow::anyhow!(
                "dockline cannot reach the engine at {}: {problem}",
                engine.endpoint
            )));
        }
        let began = Instant::now();
        // The service's own: this shell's may be another.
        let found = endpoint::find(Some(&engine.endpoint), None, &Global::surroundings())?;
        let client = Client::new(found);
        let info = client.negotiate().await?;
        let what = format!("{} at {}", info.version, engine.endpoint);
        report.add(Leg::passed("engine", Some(began.elapsed()), what));
        Ok(Some(client))
    }

    async fn status(&self) -> Result<Status, Failure> {
        Ok(client::get(&self.global.control_socket(), "/v1/status", &[]).await?)
    }

    /// Waits until `found` finds something in `status`; answers the last one if it does not.
    async fn wait_for<T>(
        &self,
        found: impl Fn(&Status) -> Option<T>,
    ) -> Result<Result<T, Status>, Failure> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let status = self.status().await?;
            match found(&status) {
                Some(found) => return Ok(Ok(found)),
                None if Instant::now() >= give_up => return Ok(Err(status)),
                None => sleep(AGAIN).await,
            }
        }
    }

    /// Its image, once it is up.
    async fn tunnel(&self, report: &mut Report) -> Result<Option<String>, Failure> {
        let began = Instant::now();
        let failing = Cell::new(None);
        let up = self.wait_for(|status| {
            let tunnel = &status.tunnel;
            // It is tried again and again: what helps, if anything, does so soon.
            let failed = tunnel.state == "failed";
            let since = failing.take().unwrap_or_else(Instant::now);
            failing.set(failed.then_some(since));
            if failed && since.elapsed() > FAILING {
                return Some(None);
            }
            let is_up = tunnel.state == "running";
            // Another owner does not go by itself.
            let linked = tunnel.link.state != "down" || !status.intercepting;
            let image = tunnel.image.clone().filter(|_| is_up && linked)?;
            Some(Some(image))
        });
        let status = match up.await? {
            Ok(Some(image)) => {
                let name = &self.status.tunnel.name;
                report.add(Leg::passed(
                    "tunnel",
                    Some(began.elapsed()),
                    format!("{name} runs"),
                ));
                return Ok(Some(image));
            }
            Ok(None) => self.status().await?,
            Err(status) => status,
        };
        let tunnel = status.tunnel;
        let problem = tunnel.problem.map(|problem| format!(": {problem}"));
        let what = format!(
            "it is {}, its link {}{}",
            tunnel.state,
            tunnel.link.state,
            problem.unwrap_or_default()
        );
        let remedy = "do what is said there, else look at the log of `dockline serve`; once that has ended, `dockline clean` removes \
                      the tunnel, and the next start makes a new one";
        report.add(Leg::failed("tunnel", what, remedy));
        Ok(None)
    }

    async fn on_stage(
        &self,
        client: &Client,
        scene: &Scene,
        report: &mut Report,
    ) -> Result<(), Failure> {
        check::clear_leftovers(client, &scene.instance).await?;
        let began = Instant::now();
        let stage = match Stage::set(client.clone(), scene.clone()).await {
            Ok(stage) => stage,
            Err(error) => {
                let what = format!("{:#}", anyhow::Error::new(error));
                let remedy =
                    "see what the engine says; `docker network prune` frees address ranges";
                report.add(Leg::failed("probe", what, remedy));
                return Ok(());
            }
        };
        let what = format!("two containers on {}", stage.network_name());
        report.add(Leg::passed("probe", Some(began.elapsed()), what));
        let Some((caller, tunnel)) = self.network(&stage, report).await? else {
            return Ok(());
        };
        let setup = self.setup(&stage, tunnel).await?;
        let socket = self.global.control_socket();
        let look = async |destination: String| traffic::told(&socket, &caller, &destination).await;
        let (round, _) = sent(check::round(&stage, &Scheme::Http, look).await)?;
        for verdict in judge(&setup, &round) {
            report.add(Leg::from(verdict));
        }
        if report.is_broken() {
            return Ok(());
        }
        let authorities = match &setup.ca {
            Some(path) => std::fs::read(path).unwrap_or_default(),
            None => Vec::new(),
        };
        let https = Scheme::Https(authorities);
        let (round, shown) = sent(check::round(&stage, &https, look).await)?;
        report.add(Leg::https(tls(&setup, &round, &shown)));
        Ok(())
    }

    /// Waits until the tunnel is on the network, and the map shows the caller; answers that one's and the tunnel's addresses.
    async fn network(
        &self,
        stage: &Stage,
        report: &mut Report,
    ) -> Result<Option<(Vec<String>, Vec<std::net::IpAddr>)>, Failure> {
        let began = Instant::now();
        let (network, caller) = (stage.network_name(), stage.caller_name());
        let joined = self.wait_for(|status| {
            let tunnel = status.tunnel.networks.iter();
            tunnel
                .clone()
                .find(|joined| joined.name == network)?
                .address?;
            let caller = status.containers.iter().find(|c| c.name == caller)?;
            let own = addresses(caller);
            let all = tunnel.filter_map(|joined| joined.address).collect();
            (!own.is_empty()).then_some((own, all))
        });
        match joined.await? {
            Ok(found) => {
                let what = "the tunnel joined it";
                report.add(Leg::passed("network", Some(began.elapsed()), what));
                Ok(Some(found))
            }
            Err(status) => {
                let kept_off = status.tunnel.kept_off.iter();
                let reason = kept_off.clone().find(|kept| kept.name == network);
                let reason = reason.map_or("no reason is known", |kept| &kept.reason);
                let what = format!("the tunnel did not join it: {reason}");
                let remedy = "look at the log of `dockline serve`";
                report.add(Leg::failed("network", what, remedy));
                Ok(None)
            }
        }
    }

    async fn setup(&self, stage: &Stage, tunnel: Vec<std::net::IpAddr>) -> Result<Setup, Failure> {
        let status = self.status().await?;
        let interceptor = status.interceptor;
        let interceptor = interceptor.as_ref();
        Ok(Setup {
            interceptor: interceptor.map(|i| i.address.clone()).unwrap_or_default(),
            kind: match interceptor {
                Some(i) if i.kind == "builtin" => Kind::BuiltIn,
                Some(i) if i.reachable => Kind::There,
                Some(_) | None => Kind::Away,
            },
            upstream: self
                .upstream
                .of(&status.gateway, &status.http, status.gateway_protected),
            gateway: status.gateway,
            protected: status.gateway_protected,
            intercepting: status.intercepting,
            link: (status.tunnel.link.state, status.tunnel.link.owner),
            caller: stage.caller_name(),
            tunnel,
            ca: status.ca,
        })
    }
}

fn addresses(container: &ContainerReport) -> Vec<String> {
    let networks = container.networks.iter();
    let addresses = networks.flat_map(|network| &network.addresses);
    addresses.map(ToString::to_string).collect()
}

fn sent<T>(outcome: Result<T, check::Error>) -> Result<T, Failure> {
    outcome.map_err(|error| Failure::Other(anyhow::Error::new(error).context("send a request")))
}

/// Short, since it is part of names in DNS.
fn token() -> Result<String, Failure> {
    let random = getrandom::u32().map_err(anyhow::Error::from)?;
    Ok(format!("{random:08x}"))
}
