//! The program of dockline's tunnel container: reads the environment, runs, tells why it stopped. With the word `probe`, that of a
//! probe container.

use std::error::Error as _;
use std::process::ExitCode;

use dockline_tunnel::{Config, Error, probe, run, say};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = words.split_first()
        && first == "probe"
    {
        return probe(rest);
    }
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}"));
            say(format_args!(
                "failed to {error}{}",
                cause.unwrap_or_default()
            ));
            ExitCode::FAILURE
        }
    }
}

fn start() -> Result<(), Error> {
    let config = Config::from_env()?;
    // One thread: the work is moving bytes in the kernel, and the tunnel shall leave the other cores to the containers.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Runtime)?
        .block_on(run(config))
}
