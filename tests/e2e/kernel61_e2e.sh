#!/bin/bash
# timeout: 600
# Boots Debian 12's own kernel (6.1) in an emulated machine and runs there all kernel tests that it has the features for,
# host-setup, and a daemon with live connections (kernel61/scenario): the package's, if it is built, since the emulation is slow. The kernel's
# package comes from apt and is kept under the build folder.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${WSL4_BUILD:?the build folder, as ctest sets it}
daemon=${WSL4_BIN:-$build/daemon}/wsl4d
ctl=${WSL4_BIN:-$build/daemon}/wsl4ctl
tools=${WSL4_TOOLS:-$build/tests/e2e}
cache=$build/kernel61
fail() { echo "kernel61: $*" >&2; exit 1; }

for tool in qemu-system-x86_64 busybox cpio depmod modprobe nft ip conntrack dpkg-deb; do
  command -v "$tool" >/dev/null || fail "$tool is missing"
done

# ---- the kernel
newest() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '$1 == "Depends:" && $2 ~ /^linux-image-6\.1\./ {print $2}'; }
mkdir -p "$cache"
if ! ls "$cache"/kernel/boot/vmlinuz-6.1.* >/dev/null 2>&1; then
  package=$(newest)
  [ -n "$package" ] || { apt-get update -qq && package=$(newest); }
  [ -n "$package" ] || fail "apt knows no linux-image-cloud-amd64 of kernel 6.1"
  (cd "$cache" && { apt-get download -qq "$package" || { apt-get update -qq && apt-get download -qq "$package"; }; })
  rm -rf "$cache/unpacked"
  dpkg-deb -x "$cache/$package"_*.deb "$cache/unpacked"
  mv "$cache/unpacked" "$cache/kernel"
  rm -f "$cache/$package"_*.deb
fi
image=$(ls "$cache"/kernel/boot/vmlinuz-6.1.*)
version=${image##*/vmlinuz-}

# ---- the machine's files
root=$(mktemp -d)
trap 'rm -rf "$root" "$root.package"' EXIT
if package=$("$here/../../packaging/build-deb" --built); then
  dpkg-deb -x "$here/../../$package" "$root.package"
  daemon=$root.package/usr/sbin/wsl4d ctl=$root.package/usr/bin/wsl4ctl
fi
mkdir -p "$root"/{bin,sbin,proc,sys,dev,etc,run,tmp,var/lib,lib/modules}
mkdir -p "$root/usr"
ln -s ../bin "$root/usr/bin"
ln -s ../sbin "$root/usr/sbin"
put() {  # put PROGRAM: a copy without debug information, and its libraries
  local path library
  path=$(readlink -f "$(command -v "$1")") || fail "$1 is missing"
  strip -o "$root/bin/$(basename "$1")" "$path" 2>/dev/null || cp "$path" "$root/bin/$(basename "$1")"
  while read -r library; do
    [ -e "$root$library" ] || { mkdir -p "$root$(dirname "$library")"; cp -L "$library" "$root$library"; }
  done < <(ldd "$path" 2>/dev/null | grep -o '/[^ ]*')
}
put busybox
put modprobe
ln -s ../bin/modprobe "$root/sbin/modprobe"    # where the kernel looks for it
for program in bash nft ip conntrack "$daemon" "$ctl" "$tools/wsload" "$build/tests/integration/integration_tests"; do
  put "$program"
done
ln -s bash "$root/bin/sh"    # the shell of busybox takes its own "ip" before the real one
cp "$here/../../packaging/host-setup" "$root/bin/host-setup"
cp "$here/kernel61/init" "$root/init"
cp "$here/kernel61/scenario" "$root/scenario"
printf 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
from=$cache/kernel/lib/modules/$version to=$root/lib/modules/$version
mkdir -p "$to/kernel/drivers/net"
cp -r "$from"/kernel/{net,lib,crypto} "$to/kernel/"
for module in veth dummy macvlan; do cp "$from/kernel/drivers/net/$module.ko" "$to/kernel/drivers/net/"; done
cp "$from"/modules.{order,builtin,builtin.modinfo} "$to/"
depmod -b "$root" "$version"
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$cache/initrd.gz"

# ---- run, in software: not every machine that tests run on can virtualise. The machine powers off by itself; its last word is on the console.
log=$cache/console.log
echo "kernel61: $version with $daemon"
timeout 540 qemu-system-x86_64 -accel tcg,thread=multi -M q35 -cpu max -smp 2 -m 2048 -nographic -no-reboot -net none \
  -kernel "$image" -initrd "$cache/initrd.gz" -append "console=ttyS0 panic=-1 quiet" </dev/null | sed -u 's/\r//g' | tee "$log" || true
for part in tests scenario host-setup; do
  grep -q "^kernel61: $part exit status 0$" "$log" || fail "$part: failed on $version, or did not end; see above"
done
echo "kernel61: all well on $version"
