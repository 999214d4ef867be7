//! `kill -9` of the command at each step; all cases of what it leaves are in `core/recreate/tests/crashes.rs`.

use std::process::Stdio;
use std::time::Duration;

use super::{dockline, inspect, names, remove_kept};
use crate::support::front::Fault;
use crate::support::relay::relay;
use crate::support::{Running, eventually, on_each_engine, succeed};

/// The calls by which a container that kept files is made anew.
const STEPS: [&str; 9] = [
    "POST /containers/create",
    "/stop",
    "POST /commit",
    "POST /images/load",
    "DELETE /images/",
    "/update",
    "/rename",
    "/start",
    "DELETE /containers/",
];

#[test]
fn a_kill_at_any_step_loses_nothing() {
    on_each_engine(async |lab| {
        let net = lab.network("net", &[]);
        let front = relay(&lab);
        let running = Running::launch(&lab.name, &front.host(), |_| {}).await;
        running.ready().await;
        running.joined(&[]).await;
        let folder = running.control.parent().unwrap().to_owned();
        let run = |arguments: &[&str]| dockline(&lab, &front.host(), &folder, arguments);
        let write = "test -e /own || echo $RANDOM$RANDOM > /own; exec sleep 1000";
        let options = [
            "--network",
            &net,
            "--stop-timeout",
            "0",
            "--restart",
            "always",
        ];
        lab.start("web", &options, &["sh", "-c", write]);
        let own = lab.own("web");
        let kept = lab.written("web", &["/own"]).await;
        // Each step on one of the engines: both would take a minute.
        let odd = usize::from(lab.engine.name == "26");
        let steps = STEPS.into_iter().enumerate().skip(odd).step_by(2);
        for (round, step) in steps {
            // Either the engine has not heard of it, or it has done it and nobody heard the answer.
            let answered = round % 4 > 1;
            let before = front.asked(step);
            let hold = if answered {
                Fault::Late(Duration::from_millis(40))
            } else {
                Fault::Held
            };
            front.fault(step, hold);
            let mut child = run(&["attach", &own])
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            eventually(step, async || (front.asked(step) > before).then_some(())).await;
            if answered {
                // The engine is at it; a stop and a commit take longer.
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            front.mend(step);
            // Settles what was left, whichever end that is, and takes it from there.
            succeed(run(&["detach", "--all"]).stderr(Stdio::null()));
            assert_eq!(names(&lab), std::slice::from_ref(&own), "after {step}");
            let after = inspect(&lab, "web");
            assert_eq!(after["State"]["Running"], true, "after {step}");
            assert_eq!(
                after["HostConfig"]["RestartPolicy"]["Name"], "always",
                "after {step}"
            );
            let labels = after["Config"]["Labels"].to_string();
            assert!(!labels.contains("dockline.undo"), "after {step}");
            assert_eq!(
                lab.docker(&["exec", &own, "cat", "/own"]),
                kept,
                "after {step}"
            );
        }
        running.stop().await;
        remove_kept(&lab);
    });
}
