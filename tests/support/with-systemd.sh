#!/bin/bash
# with-systemd.sh [-w DIR]... [-u DIR] [-b ID] [--] COMMAND [ARG...]
#
# Runs COMMAND under a throw-away systemd, PID 1 of namespaces of its own, in about a third of a second; exits as it does.
#   -w DIR  is the host's own, and can be written; of all else the host's files are seen, and what is written vanishes
#   -u DIR  holds the units of /etc/systemd/system, so that they outlast this boot
#   -b ID   is the boot id that is seen inside, so that a second run is a reboot
#
# As root, on a machine with overlayfs and the packages systemd and util-linux. Why the checks: systemd empties /tmp and
# takes over /run and the cgroups as it starts. It is started only where all of these are proven to be private.
set -euo pipefail

EX_USAGE=64 EX_UNSAFE=70
checkout=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")

die() { echo "with-systemd.sh: $2" >&2; exit "$1"; }
kind() { stat --file-system --format %T "$1"; }
identity() { stat --format %d:%i "$1"; }

# --- Inside: PID 1 of the new namespaces makes the machine, then becomes systemd. ---

overlay_root() {  # the host's / is only ever the lower layer, which overlayfs never writes
    mount -t tmpfs -o mode=755 tmpfs "$work"
    mkdir "$work"/{upper,scratch,root}
    mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/scratch" overlay "$root"
    [ "$(kind "$root")" = overlayfs ] || die $EX_UNSAFE "no overlay at $root"
}

kernel_files() {  # the host's kernel is seen, and can't be set
    mount -t proc proc "$root/proc"
    mount --bind "$root/proc/sys" "$root/proc/sys"
    mount -o remount,bind,ro "$root/proc/sys"
    [ ! -e "$root/proc/sysrq-trigger" ] || mount --bind /dev/null "$root/proc/sysrq-trigger"
    mount -t sysfs -o ro sysfs "$root/sys"
    if [ -n "$boot_id" ]; then
        echo "$boot_id" > "$work/boot_id"
        mount --bind "$work/boot_id" "$root/proc/sys/kernel/random/boot_id"
    fi
}

private_directories() {
    local each
    for each in tmp:1777 var/tmp:1777 run:755 dev:755 etc/systemd/system:755; do
        mkdir -p "$root/${each%:*}"
        mount -t tmpfs -o "mode=${each#*:}" tmpfs "$root/${each%:*}"
    done
    mkdir "$root/run/lock"
}

devices() {
    local each
    for each in null zero full random urandom tty; do touch "$root/dev/$each"; mount --bind "/dev/$each" "$root/dev/$each"; done
    for each in console kmsg; do touch "$root/dev/$each"; mount --bind /dev/null "$root/dev/$each"; done
    mkdir "$root"/dev/{pts,shm}
    mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    for each in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${each%:*}" "$root/dev/${each#*:}"; done
}

cgroups() {  # as the host has them; the cgroup namespace shows only the leaves that were made for this
    local each groups="$root/sys/fs/cgroup"
    if [ "$(kind /sys/fs/cgroup)" = cgroup2fs ]; then
        mount -t cgroup2 cgroup2 "$groups"
        return
    fi
    mount -t tmpfs -o mode=755 tmpfs "$groups"
    mkdir "$groups"/{systemd,unified}
    while IFS=: read -r _ each _; do
        case $each in
            "") mount -t cgroup2 cgroup2 "$groups/unified" ;;
            name=systemd) mount -t cgroup -o none,name=systemd cgroup "$groups/systemd" ;;
            name=*) ;;
            *) mkdir "$groups/${each//,/_}"; mount -t cgroup -o "$each" cgroup "$groups/${each//,/_}" ;;
        esac
    done < /proc/self/cgroup
}

units() {  # the few that a boot needs, without what the host has enabled
    local each system=/lib/systemd/system
    mkdir "$work/units"
    for each in "$system"/{*.target,systemd-journald.service,systemd-journald*.socket,dbus.{socket,service}}; do
        [ ! -e "$each" ] || cp "$each" "$work/units"
    done
    rm -f "$work/units/default.target"
    mount --bind "$work/units" "$root$system"
    for each in /usr/lib/tmpfiles.d /lib/systemd/system-generators /lib/systemd/system-preset; do
        [ ! -d "$root$each" ] || mount -t tmpfs tmpfs "$root$each"
    done
    [ -z "$unit_dir" ] || mount --bind "$unit_dir" "$root/etc/systemd/system"
    local needed="basic.target systemd-journald.service" wanted=multi-user.target
    [ ! -e "$work/units/dbus.socket" ] || wanted+=" dbus.socket"
    printf '[Unit]\nRequires=%s\nWants=%s\nAfter=%s %s\n' "$needed" "$wanted" "$needed" "$wanted" > "$work/units/default.target"
}

this_checkout() {  # where it lies in one of the private directories, it is shown there, and can't be written
    case $checkout/ in /tmp/* | /var/tmp/* | /run/* | /dev/*) ;; *) return 0 ;; esac
    mkdir -p "$root$checkout"
    mount --bind "$checkout" "$root$checkout"
    mount -o remount,bind,ro "$root$checkout"
}

be_the_machine() {
    work=$1 boot_id=$2 unit_dir=$3 root=$1/root
    shift 3
    local host_tmp each
    host_tmp=$(identity /tmp)
    overlay_root
    kernel_files
    private_directories
    devices
    cgroups
    units
    this_checkout
    for each; do mkdir -p "$root$each"; mount --rbind "$each" "$root$each"; done
    mkdir "$root/.host"
    pivot_root "$root" "$root/.host"
    cd /
    umount --lazy /.host
    rmdir /.host
    hostname throw-away
    [ "$(kind /)" = overlayfs ] || die $EX_UNSAFE "/ is no overlay"
    for each in /tmp /run; do [ "$(kind $each)" = tmpfs ] || die $EX_UNSAFE "$each is not private"; done
    [ "$(identity /tmp)" != "$host_tmp" ] || die $EX_UNSAFE "/tmp is the host's"
    # As a real boot has it: what a service's start mounts (its credentials) is seen here. The host's mounts were left behind
    # with `--propagation private`, so none is among these peers.
    mount --make-rshared /
    : > "/run/isolated-${work##*/}"  # whoever looks for this mark finds it in no other place
    local path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec env -i container=throw-away PATH=$path /lib/systemd/systemd --system --log-target=journal-or-kmsg --show-status=no
}

if [ "${1:-}" = --be-the-machine ]; then
    [ $$ = 1 ] || die $EX_UNSAFE "not PID 1 of a namespace of its own"
    shift
    be_the_machine "$@"
fi

# --- Outside ---

usage() { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit $EX_USAGE; }

checked() {  # an absolute path that may be shown inside as it is
    local path
    path=$(realpath -e "$1") || path=''
    [ -d "$path" ] || die $EX_USAGE "no directory: $1"
    case $path in
        / | /tmp | /var | /var/tmp | /var/lib | /run | /run/* | /dev | /dev/* | /proc | /proc/* | /sys | /sys/* | /etc | /etc/* | \
            /usr | /usr/* | /lib* | /bin* | /sbin* | /boot* | /opt | /srv | /root | /home) die $EX_USAGE "refusing $path" ;;
    esac
    echo "$path"
}

shown=() boot_id='' unit_dir=''
while [ $# -gt 0 ]; do
    case $1 in
        -w) path=$(checked "${2:-}"); shown+=("$path"); shift 2 ;;
        -u) unit_dir=$(checked "${2:-}"); shift 2 ;;
        -b) boot_id=${2:-}; shift 2 ;;
        --) shift; break ;;
        -*) usage ;;
        *) break ;;
    esac
done
[ $# -gt 0 ] || usage
[ "$(id -u)" = 0 ] || die $EX_USAGE "expected root, got $(id -un)"
[ -x /lib/systemd/systemd ] || die $EX_USAGE "expected systemd; apt-get install systemd"

work=$(mktemp -d /tmp/with-systemd.XXXXXX) leaves=() starter='' machine=''

# shellcheck disable=SC2317,SC2329 # the trap calls it
cleanup() {
    if [ -n "$starter" ]; then
        # The machine's PID 1 is killed only while it is still the unreaped child of its own starter.
        case " $(cat "/proc/$starter/task/$starter/children" 2> /dev/null) " in
            *" ${machine:-none} "*) kill -KILL "$machine" || : ;;
            *) kill -KILL "$starter" 2> /dev/null || : ;;
        esac
        wait "$starter" 2> /dev/null || :
    fi
    local leaf
    for leaf in "${leaves[@]}"; do
        for _ in $(seq 50); do
            find "$leaf" -depth -type d -exec rmdir {} + 2> /dev/null || :
            [ -e "$leaf" ] || break
            sleep 0.02
        done
    done
    rm -f "$work.log"
    rmdir "$work" || :
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

make_leaves() {  # one in each hierarchy, below where this process is: systemd takes all that it finds in /proc/self/cgroup
    local controllers path top leaf each
    while IFS=: read -r _ controllers path; do
        case $controllers in
            "") top=/sys/fs/cgroup/unified; [ -e $top ] || top=/sys/fs/cgroup ;;
            *) top=/sys/fs/cgroup/${controllers#name=} ;;
        esac
        leaf=$top${path%/}/${work##*/}
        mkdir "$leaf"
        leaves+=("$leaf")
        case ,$controllers, in *,cpuset,*)  # empty in a new one, and then nothing may run there
            for each in cpuset.cpus cpuset.mems; do cat "${leaf%/*}/$each" > "$leaf/$each"; done ;;
        esac
    done < /proc/self/cgroup
}

start() {
    (
        for leaf in "${leaves[@]}"; do echo "$BASHPID" > "$leaf/cgroup.procs"; done
        exec setpriv --pdeathsig KILL \
            unshare --fork --kill-child --pid --mount --propagation private --cgroup --uts --ipc \
            bash "$0" --be-the-machine "$work" "$boot_id" "$unit_dir" "${shown[@]}"
    ) > "$work.log" 2>&1 < /dev/null &
    starter=$!
}

booted() {  # proven by the mark to be the machine, and systemd there to answer
    for _ in $(seq 300); do
        kill -0 "$starter" 2> /dev/null || return 1
        read -r machine _ < "/proc/$starter/task/$starter/children" || :
        if [ -n "$machine" ] && nsenter --target "$machine" --mount --pid --root \
            sh -c "test -e /run/isolated-${work##*/} && test -e /run/systemd/private" 2> /dev/null; then
            timeout 30 "${enter[@]}" "$machine" systemctl is-system-running --wait > /dev/null || :
            timeout 30 "${enter[@]}" "$machine" systemctl is-active --quiet basic.target
            return
        fi
        sleep 0.03
    done
    return 1
}

# shellcheck disable=SC2016 # another bash expands it
enter=(bash -c 'exec nsenter --target "$0" --mount --pid --cgroup --uts --ipc --root "$@"')
make_leaves
start
booted || { cat "$work.log" >&2; die $EX_UNSAFE "systemd did not boot"; }
code=0
# shellcheck disable=SC2016
"${enter[@]}" "$machine" bash -c '[ "$(stat --file-system --format %T /)" = overlayfs ] || exit 70; cd "$0" 2> /dev/null || cd /; exec "$@"' \
    "$PWD" "$@" || code=$?
exit $code
