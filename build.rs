//! Builds the tunnel's program for Linux and embeds it, so that dockline needs neither a registry nor a builder.
//!
//! The host's own architecture is always built. The other one is built in release builds only, where its Rust target is
//! installed; `DOCKLINE_TUNNEL_AMD64` and `DOCKLINE_TUNNEL_ARM64` name programs to embed instead. What is missing is missed
//! at run time, by an error that names `--tunnel-image`. Using the programs is left to `src/tunnel/image.rs`.

use std::env::var_os;
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A processor architecture that engines run on.
struct Arch {
    /// Docker's word for it.
    docker: &'static str,
    /// Rust's.
    rust: &'static str,
    /// Names a program to embed.
    variable: &'static str,
}

const ARCHITECTURES: [Arch; 2] = [
    Arch {
        docker: "amd64",
        rust: "x86_64",
        variable: "DOCKLINE_TUNNEL_AMD64",
    },
    Arch {
        docker: "arm64",
        rust: "aarch64",
        variable: "DOCKLINE_TUNNEL_ARM64",
    },
];

/// Everything that the program is made of.
const SOURCES: [&str; 10] = [
    "build.rs",
    "Cargo.lock",
    "Cargo.toml",
    "src/core/wire",
    "src/proxy/forwarding.rs",
    "src/proxy/headers.rs",
    "src/proxy/provisional.rs",
    "src/relay/carry.rs",
    "tunnel-image/Cargo.toml",
    "tunnel-image/src",
];

fn main() -> Result<()> {
    println!("cargo::rustc-env=DOCKLINE_VERSION={}", version()?);
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    let out = PathBuf::from(required("OUT_DIR")?);
    let mut binaries = String::new();
    for arch in &ARCHITECTURES {
        println!("cargo::rerun-if-env-changed={}", arch.variable);
        let Some(program) = program(arch, &out)? else {
            warn_of_missing(arch);
            continue;
        };
        let file = format!("dockline-tunnel-{}.tar.gz", arch.docker);
        let bytes =
            fs::read(&program).map_err(|error| format!("{}: {error}", program.display()))?;
        fs::write(out.join(&file), layer(&bytes)?)?;
        let hash = short_hash(&bytes)?;
        writeln!(
            binaries,
            r#"    Binary {{ arch: "{}", layer: include_bytes!(concat!(env!("OUT_DIR"), "/{file}")), hash: "{hash}" }},"#,
            arch.docker,
        )?;
    }
    let text = format!(
        "/// The tunnel's programs that were built with dockline, one an architecture.\n\
         pub(super) const BINARIES: &[Binary] = &[\n{binaries}];\n"
    );
    fs::write(out.join("tunnel_binaries.rs"), text)?;
    Ok(())
}

/// The version, of release builds with the commit that they are made of: others would be made anew with each.
fn version() -> Result<String> {
    println!("cargo::rerun-if-env-changed=DOCKLINE_COMMIT");
    let version = required("CARGO_PKG_VERSION")?;
    let given = var_os("DOCKLINE_COMMIT").filter(|commit| !commit.is_empty());
    let commit = match given {
        Some(commit) => Some(commit.to_string_lossy().into_owned()),
        None if is_release() => head(),
        None => None,
    };
    Ok(match commit {
        Some(commit) => format!("{version} ({commit})"),
        None => version,
    })
}

/// The commit that is checked out; nothing without git, or outside of a checkout. It is asked again when HEAD has moved.
fn head() -> Option<String> {
    // Sources that lie in somebody else's checkout are not of its commits.
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    let moves = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    // Without a log of where HEAD was, it is HEAD itself that is looked at: cargo takes a file that is not there for a changed one.
    let moves = if Path::new(&moves).exists() {
        moves
    } else {
        git(&["rev-parse", "--git-path", "HEAD"])?
    };
    println!("cargo::rerun-if-changed={moves}");
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let said = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(said.stdout).ok()?;
    said.status.success().then(|| text.trim().to_owned())
}

/// The program for `arch`, if there can be one.
fn program(arch: &Arch, out: &Path) -> Result<Option<PathBuf>> {
    if let Some(path) = var_os(arch.variable).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        println!("cargo::rerun-if-changed={}", path.display());
        return Ok(Some(path));
    }
    let host = required("HOST")?;
    if host.starts_with(arch.rust) && host.contains("-linux-") {
        return build(&host, &target_folder(out))
            .map(Some)
            .map_err(|error| {
                format!("{error} (set {} to embed another program)", arch.variable).into()
            });
    }
    if !host.starts_with(arch.rust) && !is_release() {
        return Ok(None);
    }
    // Without a cross linker the last step fails, and that is no reason to fail: it can be given by the variable.
    let candidates = ["gnu", "musl"].map(|libc| format!("{}-unknown-linux-{libc}", arch.rust));
    let built = candidates
        .iter()
        .filter(|target| is_installed(target))
        .find_map(|target| build(target, &target_folder(out)).ok());
    Ok(built)
}

/// Lets cargo build the program; quick when nothing has changed.
fn build(target: &str, folder: &Path) -> Result<PathBuf> {
    let mut cargo = Command::new(required("CARGO")?);
    cargo
        .args([
            "build",
            "--locked",
            "--package=dockline-tunnel",
            "--profile=tunnel",
        ])
        .args(["--target", target, "--target-dir"])
        .arg(folder)
        .current_dir(required("CARGO_MANIFEST_DIR")?);
    for name in meant_for_this_build() {
        cargo.env_remove(name);
    }
    // Wins over every other source of flags, so that all profiles of dockline share one build of the program.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    // A configured build folder is locked by the cargo that waits for us.
    cargo.env("CARGO_BUILD_BUILD_DIR", folder);
    if target.ends_with("-musl") {
        // Rust brings all that musl needs but a linker for foreign architectures and systems.
        let name = target.to_uppercase().replace('-', "_");
        cargo.env(format!("CARGO_TARGET_{name}_LINKER"), "rust-lld");
    }
    let status = cargo.status()?;
    if !status.success() {
        return Err(format!("building the tunnel's program for {target}: {status}").into());
    }
    Ok(folder.join(target).join("tunnel/dockline-tunnel"))
}

/// Variables that cargo or a tool above it set for dockline's own build, and that would change the program's: wrappers such
/// as clippy's, and what the build scripts of its dependencies would take for their own features and target.
fn meant_for_this_build() -> impl Iterator<Item = OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"].contains(&&*name)
            || ["CARGO_CFG_", "CARGO_FEATURE_", "DEP_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
    })
}

/// `tunnel-image` in the target folder, for all profiles alike: `OUT_DIR` is `<target>[/<triple>]/<profile>/build/…`.
fn target_folder(out: &Path) -> PathBuf {
    let build = out.ancestors().find(|folder| folder.ends_with("build"));
    let above = build.and_then(Path::parent).and_then(Path::parent);
    let triple = var_os("TARGET").map(PathBuf::from).unwrap_or_default();
    let target = match above {
        Some(folder) if folder.ends_with(triple) => folder.parent(),
        other => other,
    };
    target.unwrap_or(out).join("tunnel-image")
}

/// Whether Rust's library for `target` is there.
fn is_installed(target: &str) -> bool {
    let rustc = var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let printed = Command::new(rustc)
        .args(["--print=target-libdir", "--target", target])
        .output();
    printed.is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

fn is_release() -> bool {
    var_os("PROFILE").is_some_and(|profile| profile == "release")
}

fn warn_of_missing(arch: &Arch) {
    if is_release() {
        println!(
            "cargo::warning=no tunnel for {} engines is embedded: run `rustup target add {}-unknown-linux-musl`, or set {}",
            arch.docker, arch.rust, arch.variable
        );
    }
}

/// The tunnel's image: a layer with the program alone, packed, which engines undo.
fn layer(program: &[u8]) -> Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len().try_into()?);
    header.set_mode(0o755);
    header.set_entry_type(tar::EntryType::Regular);
    let packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut archive = tar::Builder::new(packer);
    archive.append_data(&mut header, "dockline-tunnel", program)?;
    Ok(archive.into_inner()?.finish()?)
}

/// Long enough to tell versions apart in an image's tag.
fn short_hash(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    for byte in &Sha256::digest(bytes)[..6] {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}

/// A variable that cargo sets for build scripts.
fn required(name: &str) -> Result<String> {
    let value = var_os(name).ok_or_else(|| format!("{name} is not set"))?;
    value
        .into_string()
        .map_err(|_| format!("{name} is not UTF-8").into())
}
