//! What is known of the engine itself.

/// What an engine says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineInfo {
    /// Its version, such as `26.1.5`.
    pub version: String,
    /// The API version that is spoken.
    pub api_version: String,
    /// Its architecture in Go's words: `amd64`, `arm64`.
    pub arch: String,
    /// `linux` or `windows`.
    pub os: String,
    /// Its clock when it was asked, in nanoseconds since 1970.
    pub clock: u64,
    /// Whether it was a manager of a swarm when it was asked.
    pub manages_swarm: bool,
}

/// How the connection to the engine is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineState {
    /// Who it is; kept while it is away.
    pub info: Option<EngineInfo>,
    /// Whether its events are being read.
    pub connected: bool,
    /// Whether the map is complete: everything was looked at since the last gap.
    pub synced: bool,
    /// Full listings so far.
    pub resyncs: u64,
    /// Why it is not connected.
    pub problem: Option<String>,
}
