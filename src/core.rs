//! Everything that dockline decides, and nothing that it does.
//!
//! Facts come in as plain values ([`inventory`]), decisions go out as plain values ([`resolve::Answer`],
//! [`route::Route`], [`membership::Plan`]). No I/O, no clock, no environment, no logging: whoever calls acts.
//!
//! Reading order: [`id`] and [`label`] (words), [`inventory`] (facts), [`tracker`] (what to look at next),
//! [`map`] (the picture that everyone reads), then the questions put to it: [`resolve`], [`route`],
//! [`membership`], [`caller`] and [`hand_on`]; and what becomes of calls to the engine: [`api`], [`inject`], [`rewrite`];
//! [`llb`] does the same to the graphs of builds, [`dockerfile`] and [`context`] to those of the classic builder; [`trust`] is what containers are given to verify with.
//! [`wire`] is what is said on the link. [`own_container`]: whether dockline itself is in one. [`back_off`]: when an engine that is
//! away is asked again.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod adoption;
pub mod api;
pub mod back_off;
pub mod caller;
pub mod check;
pub mod context;
pub mod dockerfile;
pub mod engine_state;
pub mod hand_on;
pub mod host_pattern;
pub mod hosts_file;
pub mod id;
pub mod inject;
pub mod inventory;
pub mod label;
pub mod link_state;
pub mod llb;
pub mod map;
pub mod membership;
pub mod own_container;
pub mod pac;
pub mod recreate;
pub mod resolve;
pub mod rewrite;
pub mod route;
#[cfg(test)]
pub(crate) mod sample;
pub mod shared_map;
pub mod tracker;
pub mod trust;
pub mod tunnel_state;
pub mod websocket;
pub mod who;
pub mod wire;
