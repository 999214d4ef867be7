//! What the engine fetches itself: `ADD` of a URL.

use std::fs;
use std::path::Path;

use super::{Site, build_folder, image, said};
use crate::support::{Lab, on_each_engine};

#[test]
fn what_is_added_by_url_is_intercepted() {
    on_each_engine(async |lab| {
        let site = Site::new(&lab).await;
        let files = serve_files(&lab);
        it_is_fetched_by_way_of_the_interceptor(&lab, &site, &files);
        its_cache_is_everybodys(&lab, &site, &files);
        what_nobody_has_fails_as_it_would(&lab, &site, &files);
        a_context_by_url_stays_what_it_is(&lab, &site);
        with_the_interceptor_away_the_engine_goes_there(site, &files).await;
    });
}

fn built(lab: &Lab, folder: &Path, options: &[&str]) -> String {
    let output = build_folder(lab, folder, options);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// Files of names that were never added before: engines remember by their names what they have, and take no `304` without an
/// `ETag` for two of one name. Nobody else asks this server for anything.
fn serve_files(lab: &Lab) -> String {
    let names = ["one", "two", "three"].map(|which| format!("/www/{}-{which}", lab.name));
    let serve = format!(
        "mkdir -p /www && for f in {}; do echo $f > $f; done && exec httpd -f -h /www",
        names.join(" ")
    );
    lab.start("files", &[], &["sh", "-c", &serve]);
    let address = lab.address("files");
    format!("http://{address}/{}", lab.name)
}

/// How often one was asked for since the last time, by whatever method.
fn asked_for(site: &Site, url: &str) -> usize {
    let all = site.recorder.take();
    let wanted = |request: &str| request.split(' ').nth(1) == Some(url);
    all.iter().filter(|(_, request)| wanted(request)).count()
}

fn folder(dockerfile: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    folder
}

fn it_is_fetched_by_way_of_the_interceptor(lab: &Lab, site: &Site, files: &str) {
    let page = format!("{files}-one");
    // Without steps of its own, so that nothing else is asked for.
    let folder = folder(&format!("FROM scratch\nADD --chmod=600 {page} /page\n"));
    let (through, direct) = (lab.own("added"), lab.own("added-direct"));
    let told = built(&site.shell, folder.path(), &["--no-cache", "-t", &through]);
    assert_eq!(asked_for(site, &page), 1, "{told}");
    assert!(!told.contains(".dockline"), "{told}");
    assert!(
        told.contains(&format!("ADD --chmod=600 {page} /page")),
        "{told}"
    );
    assert!(!told.contains("Enabling"), "{told}");
    built(lab, folder.path(), &["--no-cache", "-t", &direct]);
    assert_eq!(asked_for(site, &page), 0);
    // But for when it was made, the same.
    assert_eq!(image(lab, &through), image(lab, &direct));
}

/// The file is what counts, not from where it came.
fn its_cache_is_everybodys(lab: &Lab, site: &Site, files: &str) {
    let page = format!("{files}-two");
    let dockerfile = format!("FROM scratch\nADD {page} /{}\nCOPY own /own\n", lab.name);
    let folder = folder(&dockerfile);
    fs::write(folder.path().join("own"), "own").unwrap();
    built(lab, folder.path(), &[]);
    let told = built(&site.shell, folder.path(), &[]);
    // The engine asks whether it is still the same.
    assert_eq!(asked_for(site, &page), 1, "{told}");
    assert!(told.matches("CACHED").count() >= 2, "{told}");
    assert!(!told.contains(".dockline"), "{told}");
}

fn what_nobody_has_fails_as_it_would(lab: &Lab, site: &Site, files: &str) {
    let folder = folder(&format!("FROM scratch\nADD {files}-none /page\n"));
    let through = build_folder(&site.shell, folder.path(), &[]);
    let direct = build_folder(lab, folder.path(), &[]);
    assert!(!through.status.success() && !direct.status.success());
    let last = |said: String| said.lines().last().unwrap_or_default().to_owned();
    let (through, direct) = (last(said(&through)), last(said(&direct)));
    assert!(
        through.contains("404") && direct.contains("404"),
        "{through}\n{direct}"
    );
}

/// The frontend has fetched it before there was a graph: once more by another way it might be another one.
fn a_context_by_url_stays_what_it_is(_: &Lab, site: &Site) {
    // The page is no archive, and so the Dockerfile itself.
    let output = build_folder(&site.shell, Path::new(&site.page), &[]);
    assert_eq!(site.requests(), 0, "{}", said(&output));
}

async fn with_the_interceptor_away_the_engine_goes_there(site: Site, files: &str) {
    let folder = folder(&format!("FROM scratch\nADD {files}-three /page\n"));
    let Site {
        running,
        recorder,
        shell,
        ..
    } = site;
    drop(recorder);
    built(&shell, folder.path(), &["--no-cache"]);
    running.stop().await;
}
