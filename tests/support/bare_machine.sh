#!/bin/bash
# A bare Debian in memory, in namespaces of its own: nothing of it is left when this ends.
# Usage: unshare --mount --pid --fork --kill-child --propagation private bare_machine.sh ROOT SOURCE SCRIPT MIRROR [PATH…]
# Copies SOURCE to /src in it, shows it the PATHs of this machine, and runs SCRIPT with its python3.
set -euo pipefail
root=$1 source=$2 script=$3 mirror=$4
shift 4

mount -t tmpfs -o size=2g,mode=755 bare "$root"
debootstrap --variant=minbase --include=python3-venv,ca-certificates bookworm "$root" ${mirror:+"$mirror"} >&2

mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
for path in "$@"; do
    if [ -d "$path" ]; then
        mkdir -p "$root$path"
        mount --rbind "$path" "$root$path"
        mount -o remount,bind,ro "$root$path"
    else
        mkdir -p "$root$(dirname "$path")"
        cp -L "$path" "$root$path"
    fi
done
mkdir "$root/src"
tar -C "$source" -c . | tar -C "$root/src" -x --no-same-owner
cp "$script" "$root/try.py"
cd /
chroot "$root" python3 -B /try.py
