# Run as root in a bare Debian that has the package in /srv: installs, uses, checks and removes it.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
# Shells leave files of their own at home, which are not the package's.
export HOME=/srv
package=$(echo /srv/dockline_*.deb)

fail() { echo "package: $*" >&2; exit 1; }
said() { # COMMAND… says WORDS: said WORDS COMMAND…
  words=$1; shift
  "$@" >/tmp/said 2>&1 || { cat /tmp/said; fail "\`$*\` failed"; }
  grep -qF -- "$words" /tmp/said || { cat /tmp/said; fail "\`$*\` does not say: $words"; }
  echo "  $* : $words"
}
# Everything that a package may leave behind; not what apt, dpkg and man keep for themselves.
files() { find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /srv -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/log -o -path /run \) -prune -o -print | sort; }

files >/tmp/before
apt-get -q install --yes --no-install-recommends "$package" >/tmp/install 2>&1 || { cat /tmp/install; fail "apt does not install it"; }
[ "$(grep -c '^Setting up ' /tmp/install)" = 1 ] || { cat /tmp/install; fail "it is not alone"; }

said "dockline $(dpkg-query -W -f '${Version}' dockline | sed 's/-[^-]*$//') (" dockline --version
said 'Show what runs where' man -P cat dockline
said 'dockline-doctor' man -P cat dockline-doctor
said 'Usage: docker dockline' docker dockline --help
said 'dockline' docker info --format '{{range .ClientInfo.Plugins}}{{.Name}} {{.Err}}{{end}}'
said 'dockline is not running' sh -c 'docker dockline status && exit 1 || [ $? = 3 ] && dockline status 2>&1 || true'
said '_dockline' bash -c '. /usr/share/bash-completion/bash_completion && _completion_loader dockline; complete -p dockline'
said 'status' bash -c '. /usr/share/bash-completion/bash_completion && _completion_loader dockline; COMP_WORDS=(dockline sta) COMP_CWORD=1; _dockline dockline sta dockline; echo "${COMPREPLY[@]}"'
said '_dockline' zsh -fc 'autoload -Uz compinit && compinit -u && echo $_comps[dockline]'
said 'status' fish -c 'complete -C "dockline sta"'
said 'ExecStart=/usr/bin/dockline serve' cat /usr/lib/systemd/user/dockline.service

apt-get -q remove --yes dockline >/tmp/remove 2>&1 || { cat /tmp/remove; fail "apt does not remove it"; }
files >/tmp/after
comm -13 /tmp/before /tmp/after >/tmp/left
[ ! -s /tmp/left ] || { cat /tmp/left; fail "files are left"; }
! dpkg-query -W -f '${db:Status-Status}' dockline 2>/dev/null | grep . || fail "the package is still known"
echo "installed, used and removed; nothing is left"

apt-get -q install --yes --no-install-recommends lintian >/tmp/install 2>&1 || { cat /tmp/install; fail "there is no lintian"; }
lintian --allow-root --fail-on error,warning "$package" || fail "lintian complains"
echo "lintian has nothing to say"
