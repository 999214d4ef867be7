//! dockline sits beside an HTTP(S) man-in-the-middle proxy, the *interceptor*, and gives it every Docker container: the
//! names that containers have for one another, and a way to reach them, on any operating system.
//!
//! # The way of a connection
//!
//! ```text
//!                       ┌───────────┐  events, inspects
//!                       │  engine   │───────────────────────────────┐
//!                       └─────▲─────┘                               ▼
//!                  joins,     │ leaves                          docker::watcher
//!                             │                                     │ publishes
//!                       tunnel::driver ◄──────── NetworkMap ◄───────┘
//!                             │                  │  │  │  │
//!                        SocksAccess             │  │  │  └──► control ──► `dockline status` …
//!                             ▼                  │  │  └─────► dns ──────► whoever asks for names
//!  container ──► entry ──► link ◄────────────────┘  │          (core::caller: who calls)
//!             (in the tunnel) │                     │
//!                             ▼                     │
//!  interceptor ◄───────── gateway ◄─────────────────┘          (core::hand_on, core::route)
//!       └──SOCKS5 or HTTP─►   │
//!                             ├──► tunnel container ──► container     (name or address on a watched network)
//!                             ├──► this host                          (localhost, host.docker.internal)
//!                             └──► the world, or an upstream proxy    (everything else)
//! ```
//!
//! # The house
//!
//! | room | what it is for | what it leaves to others |
//! |---|---|---|
//! | [`core`] | decides: what to look at, what the map says, what a name means, where a connection goes, which networks to join | everything that acts |
//! | [`docker`] | the engine: finds it, asks it, follows its events; alone publishes the map | what to fetch next ([`core::tracker`]) |
//! | [`dns`] | names over UDP and TCP | what they mean ([`core::resolve`]) |
//! | [`tunnel`] | the tunnel's image, container, home and memberships | which networks ([`core::membership`]); its program is `tunnel-image/` |
//! | [`gateway`] | the proxy that interceptors use as their upstream; hands callers on to them | where to ([`core::route`]), and as what ([`core::hand_on`]) |
//! | [`interceptor`] | the built-in interceptor: takes the callers in the gateway's place, shows and archives what they send | where to: it asks at the gateway's [`doorway`], in the caller's scope |
//! | [`link`] | dockline's end of the way out of containers: owns the tunnel, takes the callers of its entry | who calls ([`core::caller`]); what is said ([`core::wire`]); the other end is `tunnel-image/` |
//! | [`fetch`] | what an engine fetches by itself for a build (`ADD https://…`), by way of the interceptor | that it asks here: [`core::llb`] |
//! | [`api_proxy`] | the engine's API as intercepted clients see it: what they create is intercepted | what is changed ([`core::rewrite`], [`core::inject`]) |
//! | [`recreate`] | containers made anew: `attach`, `detach`, and what a crash left of them | what becomes of them ([`core::recreate`]) |
//! | [`trust`] | what containers verify with: out of images, into volumes | what that is ([`core::trust`]) |
//! | [`check`] | a request of dockline's own all the way round, from a container to a container | what it means ([`core::check`]) |
//! | [`control`] | status, resolve and route for the commands and for others | |
//! | [`cli`], [`config`] | flags and environment into settings; the commands | |
//! | [`service`] | binds, starts, watches and stops all of them | |
//!
//! # What must stay true
//!
//! - **The core decides and never acts; each shell acts and never decides.** A rule about names, routes or joins is a pure
//!   function with a table of cases beside it.
//! - **Facts enter by the watcher alone, effects leave by [`docker::Client`].** What an effect did is learnt from the next
//!   event, never assumed: no shell edits the map.
//! - **An event says *look again*.** Lost, doubled, late or reordered events end in the map of a fresh listing, which the
//!   properties in `core/tracker/tests/` try to refute.
//! - **A reader takes one snapshot** per query or connection. No lock is held across an await, because there is none.
//! - **Shells do not know one another.** [`service`] hands each the channels it needs. What two of them are made of stands
//!   beside them: `proxy` (accepting, serving, headers, refusals), `http1` (messages on the wire), `relay`, `tasks`, `local` (the sockets of this
//!   machine), [`doorway`]; and what all of them write and only [`control`] reads: [`counts`], [`traffic`] with
//!   [`metered`], [`warnings`].
//! - **No task is detached.** Loops live in a `JoinSet`, where one that ends early stops the service; connections in
//!   `tasks`.
//! - **Everything that waits on a peer has a deadline, and every queue has an end.**
//!
//! `tests/it/layering.rs` keeps those of these rules that can be read off the source.

pub mod core;

pub mod docker;

pub mod dns;
pub mod tunnel;

pub mod gateway;
pub mod link;

pub mod interceptor;

pub mod fetch;

pub mod api_proxy;
pub mod recreate;
pub mod trust;

pub mod control;

pub mod check;

pub mod service;

pub mod counts;
pub mod doorway;
mod http1;
mod local;
pub mod metered;
mod proxy;
mod relay;
mod tasks;
pub mod traffic;
pub mod warnings;

pub mod cli;
pub mod config;
pub mod runtime_dir;
pub mod signal;
