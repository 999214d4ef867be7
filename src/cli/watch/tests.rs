//! What is on the screen, cell by cell.

use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use serde_json::{Value, json};

use super::state::{Key, News, Pane, State};
use super::view;

const NOW: Duration = Duration::from_secs(10);

fn container(name: &str, project: &Value, network: &str) -> Value {
    json!({
        "id": name, "name": name, "running": true, "project": project, "injected": true, "ca_current": true,
        "networks": [{ "id": network, "name": network, "addresses": ["172.20.0.2"], "names": ["api", name] }],
    })
}

fn status(containers: &[Value]) -> News {
    let status = json!({
        "instance": "shop", "version": "0", "ready": true, "api_socket": null, "dns": "", "gateway": "", "http": "",
        "control": "", "intercepting": true, "ambiguous": [], "ca_sha256": "abc",
        "interceptor": { "kind": "external", "address": "127.0.0.1:8080", "reachable": true },
        "engine": { "endpoint": "unix:///e.sock", "version": "26.1.5", "connected": true },
        "tunnel": { "state": "running", "name": "t", "networks": [], "kept_off": [], "link": { "state": "up" } },
        "map": { "generation": 1, "resyncs": 1, "names": 2 },
        "warnings": [
            { "at": 0.0, "level": "error", "text": "a part\nended", "times": 1 },
            { "at": 61.0, "level": "warn", "text": "not joined", "times": 3 },
        ],
        "containers": containers,
    });
    News::Status(serde_json::from_value(status).unwrap())
}

fn traffic(requests: u64) -> News {
    let traffic = json!({ "requests": requests, "talks": [{
        "from": "shop-web-1", "from_id": null, "to": "api:80", "to_name": "shop-api-1", "to_id": null, "via": "tunnel",
        "open": 1, "connections": 3, "requests": requests, "sent": 1260, "received": 3120, "idle_seconds": 0.4,
    }]});
    News::Traffic(serde_json::from_value(traffic).unwrap())
}

fn few() -> State {
    let mut state = State::default();
    let mut stopped = container("lone", &Value::Null, "bridge");
    stopped["running"] = false.into();
    let mut mistrusting = container("shop-web-1", &"shop".into(), "shop_default");
    mistrusting["ca_current"] = false.into();
    let api = container("shop-api-1", &"shop".into(), "shop_default");
    state.hear(status(&[stopped, api, mistrusting]), NOW);
    state.hear(traffic(10), NOW);
    state.hear(traffic(30), NOW + Duration::from_secs(2));
    state
}

fn drawn(state: &mut State, (width, height): (u16, u16), coloured: bool) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let draw = |frame: &mut ratatui::Frame<'_>| {
        state.fit(frame.area());
        view::draw(frame, state, NOW + Duration::from_secs(2), coloured);
    };
    terminal.draw(draw).unwrap();
    terminal
}

fn text(state: &mut State, size: (u16, u16)) -> String {
    drawn(state, size, false).backend().to_string()
}

#[test]
fn eighty_columns_and_twenty_four_lines_show_everything() {
    let text = text(&mut few(), (80, 24));
    for words in [
        "dockline · shop  ready  engine 26.1.5 unix:///e.sock",
        "10.0 requests/s  tunnel on 0 networks  link up  interceptor 127.0.0.1:8080",
        "▶ Containers 5 ",
        "no project · bridge",
        "  lone",
        "stopped",
        "shop · shop_default",
        "  shop-api-1",
        "intercepted",
        "no trust",
        "172.20.0.2",
        "api shop-web-1",
        "Traffic 1 ",
        "api:80 (shop-api-1)",
        "10.0",
        "4.4 kB",
        "Warnings 2 ",
        "00:00:00Z",
        "a part ended",
        "×3 not joined",
        "q quit",
    ] {
        assert!(text.contains(words), "{words}\n{text}");
    }
}

#[test]
fn parts_without_anything_leave_their_room_to_others() {
    let mut state = State::default();
    let many: Vec<_> = (0..12)
        .map(|number| container(&format!("c{number:02}"), &"shop".into(), "net"))
        .collect();
    let News::Status(mut quiet) = status(&many) else {
        panic!("a status");
    };
    quiet.warnings.clear();
    state.hear(News::Status(quiet), NOW);
    let text = text(&mut state, (80, 24));
    assert!(text.contains("c00") && text.contains("c11"), "{text}");
}

#[test]
fn an_engine_with_a_long_name_hides_nothing_else() {
    let mut state = few();
    let status = state.status.as_mut().unwrap();
    status.engine.endpoint = format!("unix:///{}/docker.sock", "folder".repeat(20));
    let text = text(&mut state, (80, 24));
    assert!(text.contains("10.0 requests/s  tunnel on"), "{text}");
}

#[test]
fn a_narrow_terminal_shows_who_talks_to_whom() {
    let text = text(&mut few(), (60, 24));
    for words in ["shop-web-1", "api:80 (shop-api-1)", "10.0", "REQ/S"] {
        assert!(text.contains(words), "{words}\n{text}");
    }
    assert!(!text.contains("BYTES"), "{text}");
}

#[test]
fn traffic_stays_in_its_place() {
    let talk = |from: &str, requests: u64| {
        json!({ "from": from, "from_id": null, "to": "api:80", "to_name": null, "to_id": null, "via": "tunnel", "open": 0,
            "connections": 1, "requests": requests, "sent": 0, "received": 0, "idle_seconds": 0.0 })
    };
    let mut state = few();
    let lines = |state: &mut State| {
        let text = text(state, (80, 24));
        let place = |name: &str| text.find(name).unwrap();
        place("busy-web") < place("idle-web")
    };
    for talks in [
        [talk("busy-web", 9), talk("idle-web", 2)],
        [talk("idle-web", 3), talk("busy-web", 9)],
    ] {
        let traffic = json!({ "requests": 12, "talks": talks });
        state.hear(News::Traffic(serde_json::from_value(traffic).unwrap()), NOW);
        assert!(lines(&mut state));
    }
}

#[test]
fn without_colour_there_is_none() {
    let colours = |coloured| {
        let terminal = drawn(&mut few(), (80, 24), coloured);
        let cells = terminal.backend().buffer().content.iter();
        cells.filter(|cell| cell.fg != Color::Reset).count()
    };
    assert_eq!(colours(false), 0);
    assert!(colours(true) > 0);
}

#[test]
fn any_size_will_do() {
    for size in [(1, 1), (2, 5), (20, 4), (40, 10), (300, 100)] {
        for alone in [false, true] {
            let mut state = few();
            state.alone = alone;
            text(&mut state, size);
        }
    }
}

#[test]
fn keys_choose_a_part_scroll_to_its_end_and_no_further_and_give_it_the_screen() {
    let mut state = State::default();
    let many: Vec<_> = (0..500)
        .map(|number| container(&format!("c{number:03}"), &"shop".into(), "net"))
        .collect();
    state.hear(status(&many), NOW);
    let size = (80, 24);
    assert!(text(&mut state, size).contains("c000"));
    state.press(Key::Last);
    let last = text(&mut state, size);
    assert!(last.contains("c499") && last.contains("of 501"), "{last}");
    // The end was the end: one up moves at once.
    state.press(Key::Down);
    state.press(Key::Up);
    assert!(!text(&mut state, size).contains("c499"));
    state.press(Key::First);
    state.press(Key::PageDown);
    let second = text(&mut state, size);
    assert!(
        !second.contains("c000") && second.contains("c010"),
        "{second}"
    );
    state.press(Key::Alone);
    let alone = text(&mut state, size);
    assert!(!alone.contains("Traffic"), "{alone}");
    state.press(Key::Previous);
    assert_eq!(state.pane, Pane::Warnings);
    assert!(text(&mut state, size).contains("▶ Warnings 2"));
    // Fewer are left than were scrolled by.
    state.press(Key::Next);
    state.press(Key::Last);
    state.hear(status(&many[..3]), NOW);
    assert!(text(&mut state, size).contains("c000"));
}

#[test]
fn rates_end_with_the_traffic_and_nothing_is_made_of_silence() {
    let mut state = few();
    let all = |state: &State, seconds| state.rates.all(NOW + Duration::from_secs(seconds));
    assert!((all(&state, 2) - 10.0).abs() < 0.01);
    assert!(all(&state, 5) < 0.01, "nothing was said for long");
    // One request after a minute came in the last second, and not in the last minute.
    state.hear(traffic(31), NOW + Duration::from_secs(62));
    assert!((all(&state, 62) - 1.0).abs() < 0.01);
    // Another service counts from nothing.
    state.hear(News::Away("it has ended".to_owned()), NOW);
    assert!(text(&mut state, (80, 24)).contains("away: it has ended"));
    state.hear(traffic(1_000), NOW + Duration::from_secs(63));
    assert!(all(&state, 63) < 0.01);
    let mut nothing = State::default();
    nothing.hear(News::Away("dockline is not running".to_owned()), NOW);
    assert!(text(&mut nothing, (80, 24)).contains("dockline is not running"));
    // What to do is said on the second line.
    let why = format!("{} start it with serve", "nothing answers ".repeat(6));
    nothing.hear(News::Away(why), NOW);
    assert!(text(&mut nothing, (80, 24)).contains("start it with serve"));
}
