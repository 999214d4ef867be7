//! Very many connections through gateway and tunnel at a time.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Cost, Serve, eventually, on_each_engine, raise_file_limit};

const TUNNELS: usize = 5_000;

#[test]
fn thousands_of_tunnels_into_a_network_stay_open_and_leave_nothing() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let sleep = ["sleep", "1000"];
        lab.start(
            "web",
            &["--label", &lab.watched(), "--network", &net],
            &sleep,
        );
        // The far end is this host, seen from the network: it holds connections more cheaply than a container.
        let target = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let gateway = lab.docker(&[
            "network",
            "inspect",
            "-f",
            "{{(index .IPAM.Config 0).Gateway}}",
            &net,
        ]);
        let address = SocketAddr::new(
            gateway.parse().unwrap(),
            target.local_addr().unwrap().port(),
        );
        let serve = Serve::start(&lab.name, &lab.engine.host).await;
        eventually("joined", async || {
            let tunnel = serve.status().await.tunnel;
            tunnel.networks.iter().any(|n| n.name == net).then_some(())
        })
        .await;
        let name = format!("dockline-tunnel-{}", lab.name);
        let pid = lab
            .docker(&["inspect", "-f", "{{.State.Pid}}", &name])
            .parse()
            .unwrap();
        // An engine in a virtual machine shows no processes here.
        let Some(before) = Cost::of(pid) else {
            println!("skipped: the tunnel's process cannot be seen");
            return;
        };
        let fresh = serve.cost();

        // Half of the files are for other tests of this process.
        let files = usize::try_from(raise_file_limit()).unwrap_or(usize::MAX);
        let mut open = Vec::new();
        while open.len() < TUNNELS.min(files / 4) {
            open.push(open_one(&serve, address, &target).await);
        }
        let (count, full) = (open.len(), (serve.cost(), Cost::of(pid).unwrap()));
        println!("{count} tunnels: {fresh:?} {before:?}, then {full:?}");
        assert!(full.0.files >= 2 * count && full.1.files >= 2 * count);
        for (number, (client, far)) in open.iter_mut().enumerate() {
            passes(number, client, far).await;
            passes(number, far, client).await;
        }
        drop(open);
        eventually("closed", async || {
            // The link may have come, with the streams that it keeps ready.
            let few = |now: usize, before: usize| now <= before + 32;
            let tunnel = Cost::of(pid).unwrap();
            (few(serve.cost().files, fresh.files) && few(tunnel.files, before.files)).then_some(())
        })
        .await;
        serve.terminate(crate::support::PATIENCE).await;
    });
}

/// A tunnel and its far end.
async fn open_one(
    serve: &Serve,
    address: SocketAddr,
    target: &TcpListener,
) -> (TcpStream, TcpStream) {
    let mut client = TcpStream::connect(serve.gateway).await.unwrap();
    let request = format!("CONNECT {address} HTTP/1.1\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = [0; 19];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK\r\n\r\n");
    (client, target.accept().await.unwrap().0)
}

async fn passes(number: usize, from: &mut TcpStream, to: &mut TcpStream) {
    let word = number.to_be_bytes();
    from.write_all(&word).await.unwrap();
    let mut heard = word.map(|byte| !byte);
    to.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, word);
}
