//! Networks of a swarm: services, their tasks, and what runs on other nodes.

use super::{merged, seen_from};

/// `web` has a virtual address, `api` has none; each has a task here and one elsewhere. `c` is watched.
const SWARM: &str = "
    net ov swarm 10.0.1.0/24
    net n1 172.20.0.0/16
    run c watched id=c1 ov=10.0.1.9 n1=172.20.0.2
    run plain id=c2 ov=10.0.1.8 alias=ov:mine
    run web.1.t1 id=aa01 host=tasky label=com.docker.swarm.task.id=t1 ov=10.0.1.3
    run api.1.t3 id=aa03 label=com.docker.swarm.task.id=t3 ov=10.0.1.5
    run other id=dd01 n1=172.20.0.9 alias=n1:web alias=n1:single
    task web.1.t1 ov=10.0.1.3 vip=10.0.1.2 alias=Front alias=b.dot
    task web.2.t2 ov=10.0.1.4 vip=10.0.1.2 alias=Front alias=b.dot id=aa02 host=far
    task api.1.t3 ov=10.0.1.5 alias=back
    task api.2.t4 ov=10.0.1.6 alias=back id=aa04 host={{.Node.Hostname}}-x
    task c ov=10.0.1.9
    task plain ov=10.0.1.8
    task lonely ov=10.0.1.7
    task dockline-tunnel-default ov=10.0.1.100";

#[test]
fn services_on_an_attachable_network() {
    seen_from(
        "c",
        SWARM,
        "
        web              A     10.0.1.2 by service
        WEB              A     10.0.1.2
        web              AAAA  nodata
        web              MX    nodata
        front            A     10.0.1.2 by service-alias
        Front.ov         A     10.0.1.2
        b.dot            A     10.0.1.2
        web.ov           A     10.0.1.2
        web.OV           A     forward
        tasks.web        A     10.0.1.3 10.0.1.4 by tasks
        Tasks.Web        A     10.0.1.3 10.0.1.4
        tasks.web.ov     A     10.0.1.3 10.0.1.4
        tasks.front      A     10.0.1.3 10.0.1.4
        tasks.b.dot.ov   A     10.0.1.3 10.0.1.4
        tasks            A     nxdomain
        api              A     10.0.1.5 10.0.1.6 by service
        back             A     10.0.1.5 10.0.1.6 by service-alias
        tasks.api        A     10.0.1.5 10.0.1.6
        tasks.back       A     10.0.1.5 10.0.1.6
        web.1            A     forward
        web.1.t1         A     10.0.1.3 by container
        web.1.t1.ov      A     10.0.1.3
        web.2.t2         A     10.0.1.4 by container
        aa0100000000     A     10.0.1.3 by id
        aa0200000000     A     10.0.1.4 by id
        aa0400000000     A     10.0.1.6
        tasky            A     10.0.1.3 by hostname
        far              A     10.0.1.4 by hostname
        mine             A     10.0.1.8 by alias
        plain.ov         A     10.0.1.8
        lonely           A     10.0.1.7 by container
        dockline-tunnel-default A nxdomain
        10.0.1.3         PTR   web.1.t1.ov
        10.0.1.4         PTR   web.2.t2.ov
        10.0.1.8         PTR   plain.ov
        10.0.1.7         PTR   lonely.ov
        10.0.1.2         PTR   forward
        10.0.1.100       PTR   forward",
    );
    merged(
        SWARM,
        "
        web              A     172.20.0.9 10.0.1.2 by alias service
        web.ov           A     10.0.1.2
        tasks.web        A     10.0.1.3 10.0.1.4
        10.0.1.2         PTR   nxdomain
        10.0.1.4         PTR   web.2.t2.ov",
    );
}

/// The swarm's networks come first, whatever their names; the one behind published ports has none.
#[test]
fn the_swarms_networks_are_asked_first() {
    let inventory = "
        net a 172.20.0.0/16
        net ingress swarm closed ingress 10.0.0.0/24
        net z swarm internal 10.0.1.0/24
        run c watched a=172.20.0.2 ingress=10.0.0.2 z=10.0.1.2
        run x id=x1 a=172.20.0.3 ingress=10.0.0.3 z=10.0.1.3 alias=a:all alias=a:two alias=ingress:all alias=ingress:two alias=z:all
        task c z=10.0.1.2";
    seen_from(
        "c",
        inventory,
        "
        all  A  10.0.1.3
        two  A  172.20.0.3
        x.ingress  A    forward
        10.0.0.3   PTR  forward
        c    A  10.0.1.2 by container",
    );
}

#[test]
fn tasks_have_names_while_they_are_in_service() {
    // On its way out; not yet in service; gone with its service; and one that nobody manages here.
    let inventory = "
        net ov swarm 10.0.1.0/24
        run c watched id=c1 ov=10.0.1.9
        run web.1.t1 id=aa01 host=going label=com.docker.swarm.task.id=t1 ov=10.0.1.3
        run web.2.t2 id=aa02 host=coming label=com.docker.swarm.task.id=t2 ov=10.0.1.4
        run api.1.t5 id=aa05 host=apigoing label=com.docker.swarm.task.id=t5 ov=10.0.1.6
        task web.1.t1 ov=10.0.1.3 vip=10.0.1.2 leaving
        task api.1.t5 ov=10.0.1.6 leaving";
    seen_from(
        "c",
        inventory,
        "
        web           A    10.0.1.2
        tasks.web     A    forward
        web.1.t1      A    forward
        going         A    nxdomain
        coming        A    nxdomain
        web.2.t2      A    forward
        api           A    nxdomain
        tasks.api     A    forward
        apigoing      A    nxdomain
        10.0.1.3      PTR  forward
        10.0.1.4      PTR  forward",
    );
}

#[test]
fn a_worker_knows_neither_aliases_nor_what_is_to_go() {
    let inventory = "
        net ov swarm 10.0.1.0/24
        run c watched id=c1 ov=10.0.1.9
        run web.1.t1 id=aa01 host=here label=com.docker.swarm.task.id=t1 ov=10.0.1.3
        told web.1.t1 ov=10.0.1.3 vip=10.0.1.2 alias=front
        told web.2.t2 ov=10.0.1.4 vip=10.0.1.2 id=aa02 leaving";
    seen_from(
        "c",
        inventory,
        "
        web           A    10.0.1.2
        tasks.web     A    10.0.1.3 10.0.1.4
        web.2.t2      A    10.0.1.4
        here          A    10.0.1.3
        aa0200000000  A    nxdomain
        front         A    nxdomain
        10.0.1.4      PTR  web.2.t2.ov",
    );
}

/// Until the swarm has answered, what inspects say is all there is.
#[test]
fn without_an_answer_of_the_swarm_tasks_are_containers() {
    seen_from(
        "c",
        "
        net ov swarm 10.0.1.0/24
        run c watched id=c1 ov=10.0.1.9
        run web.1.t1 id=aa01 label=com.docker.swarm.task.id=t1 ov=10.0.1.3",
        "
        web.1.t1  A  10.0.1.3
        web       A  nxdomain",
    );
}
