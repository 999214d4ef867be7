//! dockline is replaced by one that speaks another version of the link, while containers use the tunnel.

use std::net::{IpAddr, SocketAddr};

use super::inside::{Inside, Talk, half_answered, soon};
use super::{intercepted, resident, scene, tunnel};
use crate::support::{Lab, Running, eventually, on_each_engine};
use tokio::io::AsyncReadExt as _;

/// An image of the very tunnel that says it speaks another version; it goes with the test.
struct Older<'a> {
    lab: &'a Lab,
    image: String,
}

impl Older<'_> {
    /// Puts a tunnel of that image in the place of the one that is there, as a dockline of that version would have made it.
    fn in_place_of_the_tunnel(lab: &Lab) -> Older<'_> {
        Self::make(lab, &tunnel(lab), 0)
    }

    /// Makes it after the pattern of a tunnel, so many addresses below at home: in its place if that is none.
    fn make<'a>(lab: &'a Lab, pattern: &str, below: u8) -> Older<'a> {
        let name = tunnel(lab);
        let home = format!("0-dockline-{}", lab.name);
        let show = |template: &str| lab.docker(&["inspect", "-f", template, pattern]);
        let variables = show("{{range .Config.Env}}{{println .}}{{end}}");
        let variable = |name: &str| {
            let mut found = variables.lines().filter_map(|v| v.split_once('='));
            found.find(|(key, _)| *key == name).unwrap().1.to_owned()
        };
        let addresses = variable("DOCKLINE_HOME");
        let addresses: Vec<_> = addresses
            .split(',')
            .map(|address| match address.parse().unwrap() {
                IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) - u32::from(below)).into()),
                IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) - u128::from(below)).into()),
            })
            .map(|address| address.to_string())
            .collect();
        let networks =
            show("{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}");
        let image = format!("dockline-older:{}", lab.name);
        lab.docker(&["tag", &show("{{.Config.Image}}"), &image]);
        let older = Older { lab, image };
        if below == 0 {
            lab.docker(&["rm", "-f", pattern]);
        }
        let variables = [
            format!("DOCKLINE_SECRET={}", variable("DOCKLINE_SECRET")),
            format!("DOCKLINE_HOME={}", addresses.join(",")),
            format!("DOCKLINE_NAME={name}"),
            "DOCKLINE_LINK_VERSION=77".to_owned(),
        ];
        let labels = [lab.watched(), "dockline.role=tunnel".to_owned()];
        let mut run = vec!["run", "-d", "--name", &name, "--restart", "unless-stopped"];
        run.extend(labels.iter().flat_map(|label| ["--label", label]));
        run.extend(variables.iter().flat_map(|variable| ["-e", variable]));
        run.extend(["--network", &home, "--ip", &addresses[0]]);
        run.extend(addresses.get(1).iter().flat_map(|ipv6| ["--ip6", ipv6]));
        run.push(&older.image);
        lab.docker(&run);
        for network in networks
            .lines()
            .filter(|n| !n.is_empty() && *n != home && *n != "bridge")
        {
            let alias = format!("open.{name}");
            lab.docker(&["network", "connect", "--alias", &alias, network, &name]);
        }
        lab.docker(&["network", "connect", "bridge", &name]);
        older
    }
}

impl Drop for Older<'_> {
    fn drop(&mut self) {
        self.lab.try_docker(&["rmi", "-f", &self.image]);
    }
}

/// Asks for the page again and again by the tunnel's name, as every new request of a container does; none may fail.
async fn ask(lab: &Lab, client: &Inside) {
    assert_eq!(client.get(lab, "http://web/").await, "hello from web");
}

/// A container on the default bridge that was told the tunnel's address there when it was made.
fn knows_an_address(lab: &Lab) -> SocketAddr {
    let template = "{{.NetworkSettings.Networks.bridge.IPAddress}}";
    let entry = format!(
        "{}:8790",
        lab.docker(&["inspect", "-f", template, &tunnel(lab)])
    );
    let (own, entry_label) = (lab.watched(), format!("dockline.entry={entry}"));
    let labels = ["--label", &own, "--label", &entry_label];
    lab.start("old", &labels, &["sleep", "1000"]);
    entry.parse().unwrap()
}

#[test]
fn a_tunnel_of_another_version_has_a_successor_and_ends_with_its_last_caller() {
    on_each_engine(async |lab| {
        let Some((net, recorder, client)) = scene(&lab).await else {
            return;
        };
        let bridged = lab.serve_page("bridged", &[]);
        let slow = resident(&lab, "slow", &net, &[]).unwrap();
        let running = intercepted(&lab, &recorder).await;
        running.joined(&[&net]).await;
        running.kill().await;
        let _older = Older::in_place_of_the_tunnel(&lab);
        let address = knows_an_address(&lab);
        let old_entry = client.entry(&lab).await;
        let old = lab.docker(&["inspect", "-f", "{{.Id}}", &tunnel(&lab)]);
        recorder.forget();
        eventually("served plainly", async || {
            client.try_connect(old_entry).ok()
        })
        .await;

        // Under way when the other dockline comes: an answer, a connection through, and one that is kept.
        let listener = slow.listen(80);
        let (mut caller, mut far) = half_answered(&lab, &client, &listener).await;
        let (mut through, status, _) = client.connect(&lab, "slow:80").await;
        assert_eq!(status, 200);
        let mut through_far = Talk::accept(&listener).await;
        let mut kept = client.call(&lab).await;
        assert_eq!(kept.get("http://web/").await.1, "hello from web");
        assert_eq!(recorder.recorded(), []);

        let running = intercepted(&lab, &recorder).await;
        running.joined(&[&net, "bridge"]).await;
        assert_ne!(client.entry(&lab).await, old_entry);
        recorder.forget();
        for asked in 1..=5 {
            ask(&lab, &client).await;
            assert_eq!(recorder.recorded().len(), asked, "all are intercepted");
        }

        // Whoever knows an address is served there, and status says so.
        let inside = Inside::of(&lab, "old").unwrap();
        let page = lab.docker(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", &bridged]);
        let mut by_address = Talk(inside.try_connect(address).unwrap());
        let url = format!("http://{page}/");
        assert_eq!(by_address.get(&url).await.1, "hello from bridged");
        drop(by_address);
        let former = running.status().await.tunnel.former;
        assert_eq!(former.len(), 1, "{former:?}");
        assert_eq!(former[0].containers, [lab.own("old")]);
        assert_eq!(former[0].id, old);

        // Then nobody does any more.
        lab.docker(&["rm", "-f", &lab.own("old")]);
        eventually("nobody new is taken", async || {
            client.try_connect(old_entry).err()
        })
        .await;
        // What is under way ends in order; what is kept for another request ends at once.
        let end = soon("the end", kept.0.read(&mut [0])).await;
        assert_eq!(end.unwrap(), 0);
        through.say("there").await;
        through_far.hear("there").await;
        far.say("done").await;
        caller.hear("done").await;
        drop(caller);
        through_far.say("and back").await;
        through.hear("and back").await;
        assert_eq!(running.status().await.tunnel.former.len(), 1);
        drop((through, through_far));
        eventually("the former tunnel is gone", async || {
            let gone = !lab.try_docker(&["inspect", &old]).status.success();
            (gone && running.status().await.tunnel.former.is_empty()).then_some(())
        })
        .await;
        ask(&lab, &client).await;
        assert_eq!(running.stop().await, None);
        let made = lab.labelled("dockline.role").into_iter();
        let made: Vec<_> = made.filter(|name| name.contains(&lab.name)).collect();
        assert_eq!(made, [""; 0]);
    });
}

/// What a dockline that died at any step of the succession leaves, the next one brings to an end.
#[test]
fn a_succession_that_was_cut_short_is_completed() {
    on_each_engine(async |lab| {
        let Some((net, recorder, client)) = scene(&lab).await else {
            return;
        };
        let (name, aside) = (tunnel(&lab), format!("{}_next", tunnel(&lab)));
        // After the former one has lost its name; after the successor was made.
        for is_nobodys in [true, false] {
            let running = intercepted(&lab, &recorder).await;
            running.joined(&[&net]).await;
            let id = running.status().await.tunnel.id;
            running.kill().await;
            lab.docker(&["rename", &name, &aside]);
            let _older = (!is_nobodys).then(|| Older::make(&lab, &aside, 1));
            let running = intercepted(&lab, &recorder).await;
            running.joined(&[&net]).await;
            assert_eq!(running.status().await.tunnel.id, id);
            let named = lab.docker(&["inspect", "-f", "{{.Id}}", &name]);
            assert_eq!(Some(named), id);
            none_is_left(&running).await;
            recorder.forget();
            ask(&lab, &client).await;
            assert_eq!(recorder.recorded().len(), 1);
            running.stop().await;
        }
        // One of another version that came to no name has a successor itself.
        let running = intercepted(&lab, &recorder).await;
        running.joined(&[&net]).await;
        running.kill().await;
        let _older = Older::in_place_of_the_tunnel(&lab);
        lab.docker(&["rename", &name, &aside]);
        let running = intercepted(&lab, &recorder).await;
        running.joined(&[&net]).await;
        none_is_left(&running).await;
        ask(&lab, &client).await;
        running.stop().await;
    });
}

async fn none_is_left(running: &Running) {
    eventually("no other is left", async || {
        let former = running.status().await.tunnel.former;
        former.is_empty().then_some(()).ok_or(format!("{former:?}"))
    })
    .await;
}
