//! `dockline status --watch`: what runs where and who talks to whom, on a terminal, as it changes.
//!
//! [`state`] is what is known and what the keys did to it, [`view`] puts it on the screen, [`feed`] asks the service, and
//! [`screen`] has the terminal. Here they are joined.

mod feed;
mod rows;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::pin::pin;
use std::time::Duration;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures_util::StreamExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{Failure, Global};
use crate::signal;
use screen::Screen;
use state::{Key, State};

/// Rates fall to nothing although nobody says anything.
const TICK: Duration = Duration::from_secs(1);
/// News that the screen has yet to show. It shows them at once.
const NEWS: usize = 16;

pub(super) async fn run(global: &Global) -> Result<(), Failure> {
    screen::refuse_if_plain()?;
    let began = Instant::now();
    let mut state = State::default();
    // From the feed to the screen.
    let (news_tx, mut news_rx) = mpsc::channel(NEWS);
    let mut feeding = pin!(feed::feed(global.control_socket(), news_tx));
    let stop = CancellationToken::new();
    let mut heard = pin!(signal::watch(stop.clone()));
    let mut hangups = signal::Hangups::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut screen = Screen::take()?;
    let mut keys = EventStream::new();
    loop {
        screen.show(&mut state, began.elapsed())?;
        tokio::select! {
            () = &mut feeding => return Ok(()),
            Some(news) = news_rx.recv() => state.hear(news, began.elapsed()),
            event = keys.next() => match event {
                Some(Ok(Event::Key(key))) => match meant(key) {
                    Some(Key::Quit) => return Ok(()),
                    Some(key) => state.press(key),
                    None => {}
                },
                // The screen has another size: it is shown anew.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(anyhow::Error::new(error).context("read keys").into()),
                None => return Ok(()),
            },
            ended = &mut heard => return Ok(ended.map_err(anyhow::Error::from)?),
            () = stop.cancelled() => return Ok(()),
            () = hangups.next() => return Ok(()),
            _ = ticks.tick() => {}
        }
    }
}

fn meant(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        // The terminal makes no signal of it now.
        KeyCode::Char('c' | 'd') if control => Key::Quit,
        KeyCode::Tab | KeyCode::Right => Key::Next,
        KeyCode::BackTab | KeyCode::Left => Key::Previous,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown | KeyCode::Char(' ') => Key::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Key::First,
        KeyCode::End | KeyCode::Char('G') => Key::Last,
        KeyCode::Enter => Key::Alone,
        _ => return None,
    })
}
