use super::{Attached, Candidate, Exempt, injectable};
use crate::core::label::Labels;

#[test]
fn who_is_left_alone() {
    let cases: [(&str, &str, &str, Result<(), Exempt>); 13] = [
        ("web", "nginx", "", Ok(())),
        ("web", "nginx", "dockline.enable=true", Ok(())),
        (
            "web",
            "nginx",
            "dockline.enable=False",
            Err(Exempt::Disabled),
        ),
        (
            "web",
            "nginx",
            "dockline.role=tunnel",
            Err(Exempt::Dockline),
        ),
        ("web", "nginx", "dockline.instance=default", Ok(())),
        (
            "web",
            "nginx",
            "dockline.instance=other",
            Err(Exempt::OtherInstance),
        ),
        (
            "b",
            "moby/buildkit:buildx-stable-1",
            "",
            Err(Exempt::Builder),
        ),
        (
            "b",
            "hub.example:5000/moby/buildkit@sha256:ab",
            "",
            Err(Exempt::Builder),
        ),
        ("/buildx_buildkit_x0", "own", "", Err(Exempt::Builder)),
        ("r", "testcontainers/ryuk:0.8.1", "", Err(Exempt::Ryuk)),
        (
            "r",
            "hub.example/testcontainers/ryuk",
            "",
            Err(Exempt::Ryuk),
        ),
        (
            "r",
            "own",
            "org.testcontainers.ryuk=true",
            Err(Exempt::Ryuk),
        ),
        ("web", "hub.example:5000/moby/buildkit-like", "", Ok(())),
    ];
    let instance = "default".parse().unwrap();
    for (name, image, labels, expected) in cases {
        let pairs = labels
            .split_whitespace()
            .filter_map(|pair| pair.split_once('='));
        let labels: Labels = pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let candidate = Candidate {
            name: Some(name),
            image,
            labels: &labels,
            platform: None,
        };
        assert_eq!(
            injectable(&candidate, &instance),
            expected,
            "{name} {image} {labels:?}"
        );
    }
    let windows = Candidate {
        name: None,
        image: "x",
        labels: &Labels::new(),
        platform: Some("windows/amd64"),
    };
    assert_eq!(injectable(&windows, &instance), Err(Exempt::Windows));
}

#[test]
fn a_mode_says_how_the_tunnel_is_reached() {
    let like = Attached::Like("web".to_owned());
    for (mode, attached) in [
        ("", Attached::DefaultBridge),
        ("default", Attached::DefaultBridge),
        ("bridge", Attached::DefaultBridge),
        ("host", Attached::Host),
        ("none", Attached::Named),
        ("shop_default", Attached::Named),
        ("container:web", like),
    ] {
        assert_eq!(Attached::of(mode), attached, "{mode}");
    }
}
