//! A program at a terminal, and who sits there.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::{eventually, signal};

/// See the module.
pub(crate) struct Terminal {
    keyboard: File,
    end: OwnedFd,
    program: Child,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Runs it on 80 columns and 24 rows.
    pub(crate) fn run(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let end = open(path, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&end, size(24, 80)).unwrap();
        let program = command
            .env("TERM", "xterm")
            .stdin(end.try_clone().unwrap())
            .stdout(end.try_clone().unwrap())
            .stderr(end.try_clone().unwrap())
            .spawn()
            .unwrap();
        let keyboard = File::from(master);
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let (mut from, to) = (keyboard.try_clone().unwrap(), Arc::clone(&written));
        // Ends when the last end of the terminal is closed.
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(number @ 1..) = from.read(&mut some) {
                to.lock().unwrap().extend_from_slice(&some[..number]);
            }
        });
        Self {
            keyboard,
            end,
            program,
            written,
        }
    }

    pub(crate) fn type_in(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) async fn shows(&self, words: &str) {
        eventually(words, async || {
            let written = self.written.lock().unwrap().clone();
            let written = String::from_utf8_lossy(&written).into_owned();
            let shown = written.contains(words).then_some(());
            shown.ok_or_else(|| format!("but {written:?}"))
        })
        .await;
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        tcsetwinsize(&self.end, size(rows, columns)).unwrap();
        // Which the kernel does for whoever has it as the controlling terminal.
        self.signal(Signal::WINCH);
    }

    pub(crate) fn signal(&self, sent: Signal) {
        signal(self.program.id(), sent);
    }

    /// Waits for the end, and sees that lines and echo are as they were.
    pub(crate) async fn given_back(&mut self) -> ExitStatus {
        let program = Mutex::new(&mut self.program);
        let look = async || program.lock().unwrap().try_wait().unwrap();
        let status = eventually("an end", look).await;
        let modes = tcgetattr(&self.end).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        status
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}
