#!/bin/bash
# timeout: 900
# The Debian package: builds, lintian has nothing to say, holds what it should; host-setup does and undoes its work on a copy
# of the kernel's files.
set -euo pipefail
cd "$(dirname "$0")/../.."
fail() { echo "package: $*" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

packaging/build-deb --lintian >"$work/log" 2>&1 || { tail -n 60 "$work/log"; fail "it does not build, or lintian complains"; }
package=$(tail -n 1 "$work/log")
dpkg-deb -c "$package" | awk '{print $6}' >"$work/files"
for file in usr/sbin/wsl4d usr/bin/wsl4ctl etc/wsl4/wsl4.toml lib/systemd/system/wsl4d.service usr/lib/wsl4/host-setup \
            usr/lib/sysusers.d/wsl4.conf usr/share/man/man8/wsl4d.8.gz usr/share/man/man1/wsl4ctl.1.gz \
            usr/share/man/man5/wsl4.toml.5.gz usr/share/bash-completion/completions/wsl4ctl \
            usr/share/zsh/vendor-completions/_wsl4ctl usr/share/fish/vendor_completions.d/wsl4ctl.fish; do
  grep -qx "./$file" "$work/files" || fail "$file is not in it"
done
dpkg-deb -e "$package" "$work/control"
grep -qx /etc/wsl4/wsl4.toml "$work/control/conffiles" || fail "wsl4.toml is not a conffile"
systemd-analyze verify --man=no packaging/wsl4d.service 2>&1 | grep -v 'is not executable\|Command .* not found' | grep wsl4d.service && fail "systemd does not like the unit"

# The programs of the package, on this machine.
dpkg-deb -x "$package" "$work/root"
"$work/root/usr/sbin/wsl4d" --version | grep -q '^wsl4d 0\.' || fail "wsl4d --version"
status=0
"$work/root/usr/sbin/wsl4d" --config "$work/root/etc/wsl4/wsl4.toml" --check 2>"$work/said" || status=$?
[ $status = 1 ] && grep -q 'no service' "$work/said" || fail "the example as installed should be valid and empty: $status $(cat "$work/said")"
for page in 8:wsl4d 1:wsl4ctl 5:wsl4.toml; do
  warnings=$(MANROFFSEQ='' LC_ALL=C.UTF-8 man --warnings -l "$work/root/usr/share/man/man${page%:*}/${page#*:}.${page%:*}.gz" 2>&1 >/dev/null)
  [ -z "$warnings" ] || fail "man page ${page#*:}: $warnings"
done

# host-setup raises what is too low, keeps the first old values, gives them back only where nobody changed them since.
host=$work/host
mkdir -p "$host"/{proc/sys/net/netfilter,sys/module/nf_conntrack/parameters}
max=$host/proc/sys/net/netfilter/nf_conntrack_max
hashsize=$host/sys/module/nf_conntrack/parameters/hashsize
setup() { WSL4_HOST_SETUP_FILE=$work/old WSL4_PROC=$host/proc WSL4_SYS=$host/sys packaging/host-setup "$1" >>"$work/setup.log" 2>&1; }
expect() { [ "$(cat "$max") $(cat "$hashsize")" = "$1" ] || fail "host-setup: $(cat "$max") $(cat "$hashsize") instead of $1, $2"; }
echo "MemTotal:        4194304 kB" >"$host/proc/meminfo"
echo 65536 >"$max"
echo 16384 >"$hashsize"
setup apply
expect "2097152 2097152" "with 4 GiB"
echo "MemTotal:        8388608 kB" >"$host/proc/meminfo"
setup apply
expect "4194304 4194304" "with 8 GiB"
setup restore
expect "65536 16384" "after restore"
setup apply
echo 5000000 >"$max"
setup apply
setup restore
expect "5000000 16384" "somebody wanted more, and keeps it"
[ ! -e "$work/old" ] || fail "restore left its file"
echo "package: $package is as it should be"
