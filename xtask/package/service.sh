# Run as root in a container whose first process is systemd, with the package as /srv/dockline.deb: the unit in a user's life.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

fail() {
  echo "unit: $*" >&2
  journalctl --no-pager -n 40 >&2
  exit 1
}
await() { # WHAT COMMAND…: until it succeeds
  what=$1; shift; left=600
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1)); [ "$left" -gt 0 ] || fail "gave up after a minute waiting for $what"
    sleep 0.1
  done
}
user() { runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 "$@"; }
shown() { user systemctl --user show --value -p "$1" dockline; }
is() { [ "$(shown "$1")" = "$2" ]; }
journal() { journalctl --no-pager -o cat _UID=1000 | grep -qF -- "$1"; }

await systemd sh -c 'systemctl is-system-running | grep -E "running|degraded"'
dpkg -i /srv/dockline.deb >/dev/null
useradd --create-home --uid 1000 dev
drop_in=/home/dev/.config/systemd/user/dockline.service.d
user mkdir -p "$drop_in" /home/dev/.config/dockline
# Half a minute is long for a trial.
printf '[Service]\nWatchdogSec=2\n' >"$drop_in/watchdog.conf"
loginctl enable-linger dev
await 'the user instance' user systemctl --user is-active basic.target
user systemd-analyze --user verify --man=no /usr/lib/systemd/user/dockline.service

# Comes back when dockline has said that it is ready.
user systemctl --user enable --now dockline
is ActiveState active || fail "it is $(shown ActiveState) after its start"
is StatusErrno 0 || fail "it failed"
user dockline status --json >/dev/null || fail "it is active, and does not answer"
first=$(shown MainPID)
echo "active, and answers: READY=1 of process $first"

kill -STOP "$first"
await 'a restart by the watchdog' sh -c '[ "$(runuser -u dev -- env XDG_RUNTIME_DIR=/run/user/1000 systemctl --user show --value -p NRestarts dockline)" = 1 ]'
await 'the second process' is ActiveState active
second=$(shown MainPID)
[ "$second" != "$first" ] || fail "the stopped process is still the service"
journal 'Watchdog timeout' || fail "it was not the watchdog"
await 'its answer' user dockline status --json
echo "stopped by a signal, started again by the watchdog: process $second"

echo 'log = "debug"' >/home/dev/.config/dockline/config.toml
user systemctl --user reload dockline
await 'its word on the reload' journal 'settings read again'
is MainPID "$second" || fail "a reload is no restart"
echo "reloaded: the file is read again"

user systemctl --user disable --now dockline
is ActiveState inactive && is Result success || fail "stopped, it is $(shown ActiveState) by $(shown Result)"
[ ! -e "/proc/$second" ] || fail "its process is left"
left=$(find /run/user/1000/dockline /tmp -type s 2>/dev/null) && [ -z "$left" ] || [ ! -e /run/user/1000/dockline ] || fail "sockets are left: $left"
echo "ended in order; no process and no socket is left"
