#!/bin/bash
# Installs queuectl for a whole machine, as docs/deployment.md says it by hand, and takes it away again.
set -euo pipefail
umask 022

usage() {
    cat << 'END'
Usage: install.sh [--manager systemd|supervisord] [--no-start] [--python PROGRAM] [--dry-run] [SOURCE]
       install.sh --uninstall [--purge] [--dry-run]

SOURCE is a checkout, a wheel, or what pip takes for a name ("queuectl==1.0.0"); unless given, the checkout that this
script lies in. A second time it does what is missing, or nothing. Nothing that it did not write is overwritten.

  --manager     Who runs the workers: systemd where it runs, else the supervisord of /etc, unless you say.
  --no-start    Install the services, but start nothing.
  --python      The interpreter that /opt/queuectl is made with; python3 unless given.
  --uninstall   Stop the workers and remove what was installed; jobs, configuration and the user stay.
  --purge       Remove jobs and configuration, too.
  --dry-run     Say what would be done, and do nothing.
END
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here opt=/opt/queuectl etc=/etc/queuectl home=/var/lib/queuectl user=queuectl link=/usr/local/bin/queuectl
# What was written: "SHA256  FILE" or "directory  PATH", a line each; and what the program was installed from.
readonly list=$opt/installed origin=$opt/source
python=python3 manager='' source='' start=1 dry='' uninstall='' purge='' changes=0

complain() { printf '%s\n' "install.sh: $1" >&2; }
die() { complain "$1"; exit "${2:-1}"; }

# act WHAT COMMAND...: say it, and do it unless --dry-run.
act() {
    changes=$((changes + 1))
    if [ -n "$dry" ]; then echo "would $1"; else echo "$1"; shift; "$@"; fi
}

# This installation, and no other that root's environment may name.
queuectl() { "$opt/bin/python" -m queuectl --home "$home" "$@"; }

hash_of() { sha256sum "$1" | cut -d' ' -f1; }
listed() { [ -e "$list" ] && grep -qxF -- "$1  $2" "$list"; }
is_ours() { listed "$(hash_of "$1")" "$1"; }
unlist() { sed -i "\|  $1\$|d" "$list"; }

make_above() {
    local above; above=$(dirname "$1")
    [ ! -d "$above" ] || return 0
    make_above "$above"
    mkdir "$above"
    echo "directory  $above" >> "$list"
}

write() {
    make_above "$2"
    unlist "$2"
    echo "$(hash_of "$1")  $2" >> "$list"
    install -m 644 "$1" "$2"
}

# put FILE TARGET: have a file of deploy/ where it belongs, unless something else is there.
put() {
    if [ ! -e "$2" ]; then
        act "write $2" write "$1" "$2"
    elif ! cmp -s "$1" "$2"; then
        if is_ours "$2"; then
            act "change $2" write "$1" "$2"
        else
            complain "$2 is not as it was written here: it stays"
        fi
    fi
}

begin() {
    if [ -e "$opt" ] && [ ! -e "$list" ]; then die "$opt is not from here: go on by hand, or move it away"; fi
    [ -e "$list" ] || act "make $opt" begin_list
}

begin_list() {
    local missing=''
    [ -d "$(dirname "$opt")" ] || missing="directory  $(dirname "$opt")"
    mkdir -p "$opt"
    echo "$missing" | sed '/^$/d' > "$list"
}

make_user() {
    if command -v systemd-sysusers > /dev/null; then
        put "$here/sysusers.d/queuectl.conf" /etc/sysusers.d/queuectl.conf
        id "$user" > /dev/null 2>&1 || act "make the user $user" systemd-sysusers /etc/sysusers.d/queuectl.conf
    else
        id "$user" > /dev/null 2>&1 || act "make the user $user" \
            useradd --system --user-group --home-dir "$home" --shell /usr/sbin/nologin "$user"
    fi
}

make_directories() {
    if command -v systemd-tmpfiles > /dev/null; then
        put "$here/tmpfiles.d/queuectl.conf" /etc/tmpfiles.d/queuectl.conf
    fi
    [ -d "$etc" ] || act "make $etc" install -d -m 755 "$etc"
    [ -d "$home" ] || act "make $home" install -d -m 700 -o "$user" -g "$user" "$home"
}

# What tells one source from another: the content of a checkout or a wheel, else the name.
fingerprint() {
    if [ -d "$source" ]; then
        (cd "$source" && find pyproject.toml README.md LICENSE queuectl -type f ! -name '*.pyc' -print0 | sort -z |
            xargs -0 sha256sum) | sha256sum | cut -d' ' -f1
    elif [ -f "$source" ]; then
        hash_of "$source"
    else
        echo "$source"
    fi
}

pip() { "$opt/bin/python" -m pip --quiet --disable-pip-version-check install --no-cache-dir "$@"; }

install_program() {
    local copy
    [ -x "$opt/bin/pip" ] || "$python" -m venv "$opt"
    rm -f "$origin"
    if [ -d "$source" ]; then
        # A copy: building leaves things behind, and the checkout is somebody's.
        copy=$(mktemp -d)
        (cd "$source" && cp -r pyproject.toml README.md LICENSE queuectl "$copy")
        pip "$copy" || { rm -rf "$copy"; die "pip could not install $source"; }
        rm -rf "$copy"
    else
        pip --upgrade "$source"
        # pip takes a wheel of the same version for the same wheel.
        [ ! -f "$source" ] || pip --force-reinstall --no-deps "$source"
    fi
    setpriv --reuid "$user" --regid "$user" --clear-groups "$opt/bin/python" -c 'import queuectl' ||
        die "the user $user can't run $opt/bin/python: choose another interpreter with --python, not one in a home"
    echo "$1" > "$origin"
}

need_python() {
    "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2> /dev/null ||
        die "expected $python to be Python 3.10 or newer, with venv (Debian: apt-get install python3-venv)"
}

make_program() {
    local wanted; wanted=$(fingerprint)
    [ "$(cat "$origin" 2> /dev/null)" = "$wanted" ] || act "install $source in $opt" install_program "$wanted"
    if [ "$(readlink "$link")" != "$opt/bin/queuectl" ]; then
        [ ! -e "$link" ] || die "$link is not from here"
        act "link $link" link_program
    fi
}

link_program() {
    make_above "$link"
    ln -sfn "$opt/bin/queuectl" "$link"
}

make_conveniences() {
    local page
    put "$here/completions/bash/queuectl" /usr/local/share/bash-completion/completions/queuectl
    put "$here/completions/zsh/_queuectl" /usr/local/share/zsh/site-functions/_queuectl
    put "$here/completions/fish/queuectl.fish" /usr/local/share/fish/vendor_completions.d/queuectl.fish
    for page in "$here"/man/*.1; do
        put "$page" "/usr/local/share/man/man1/${page##*/}"
    done
    [ ! -d /etc/logrotate.d ] || put "$here/logrotate.d/queuectl" /etc/logrotate.d/queuectl
}

supervisord_config() {
    local each
    for each in /etc/supervisor/supervisord.conf /etc/supervisord.conf; do
        [ ! -e "$each" ] || { echo "$each"; return; }
    done
}

# Unless told which, `service install` looks itself, and stays with what is installed already.
choose_manager() {
    case $manager in
        systemd) export QUEUECTL_SERVICE_MANAGER=systemd ;;
        supervisord)
            QUEUECTL_SERVICE_SUPERVISORD_CONFIG=$(supervisord_config)
            export QUEUECTL_SERVICE_MANAGER=supervisord QUEUECTL_SERVICE_SUPERVISORD_CONFIG
            [ -n "$QUEUECTL_SERVICE_SUPERVISORD_CONFIG" ] ||
                die "expected a supervisord in /etc, found none (Debian: apt-get install supervisor)"
            ;;
    esac
}

has_manager() {
    [ -n "$manager" ] || [ -d /run/systemd/system ] || [ -n "$(supervisord_config)" ] || [ -e "$home/service.json" ]
}

make_service() {
    local options=() before=$1 said
    [ -n "$start" ] || options=(--no-start)
    if ! has_manager; then
        complain "neither systemd nor a supervisord of /etc is here, so nothing runs the workers yet. With one of them
(Debian: apt-get install supervisor), run this again, or: queuectl service install"
    elif [ ! -x "$opt/bin/queuectl" ] || ! queuectl service diff > /dev/null 2>&1; then
        act "install the services" queuectl service install "${options[@]}"
    elif [ -n "$start" ] && [ "$(cat "$origin")" != "$before" ]; then
        act "have the workers take the new program" queuectl worker reload
    elif [ -n "$start" ] && [ -z "$dry" ]; then
        # What an earlier run installed may have failed to start, or has been stopped.
        said=$(queuectl service install --json)
        case $said in *'"started": []'*) ;; *) act "start the workers" true ;; esac
    fi
}

do_install() {
    local before
    [ -n "$source" ] || source=$(dirname "$here")
    [ ! -d "$source" ] || source=$(cd "$source" && pwd)
    [ ! -f "$source" ] || source=$(realpath "$source")
    [ ! -d "$source" ] || [ -e "$source/pyproject.toml" ] || die "expected a checkout of queuectl, got $source"
    need_python
    choose_manager
    before=$(cat "$origin" 2> /dev/null || true)
    begin
    make_user
    make_directories
    make_program
    [ -e "$etc/queuectl.yaml" ] || act "write $etc/queuectl.yaml" install -m 644 "$here/queuectl.yaml" "$etc"
    make_conveniences
    make_service "$before"
    [ "$changes" -gt 0 ] || echo "all is installed already: nothing changed"
}

remove_listed() {
    local hash path
    while read -r hash path; do
        if [ "$hash" = directory ] || [ ! -e "$path" ]; then continue; fi
        if [ "$(hash_of "$path")" = "$hash" ]; then
            act "remove $path" rm "$path"
        else
            complain "$path was changed by hand: it stays"
        fi
    done < "$list"
}

remove_directories() {
    local hash path
    while read -r hash path; do
        [ "$hash" != directory ] || rmdir --ignore-fail-on-non-empty "$path" 2> /dev/null || true
    done
}

remove_program() {
    local lines; lines=$(tac "$list")
    rm -rf "$opt"
    remove_directories <<< "$lines"
}

do_uninstall() {
    if [ -e "$list" ]; then
        if [ -x "$opt/bin/python" ]; then
            if [ -d "$home" ] && [ -n "$(queuectl service uninstall --dry-run 2>&1 | grep '^would' || true)" ]; then
                act "uninstall the services" queuectl service uninstall
            fi
            # Also those of a supervisord of its own: they run what is removed now.
            [ ! -d "$home" ] || [ -n "$dry" ] || queuectl worker stop --quiet
        fi
        [ "$(readlink "$link")" != "$opt/bin/queuectl" ] || act "remove $link" rm "$link"
        remove_listed
        act "remove $opt" remove_program
    elif [ -e "$opt" ]; then
        # Its workers may run: who made it must take it away before its jobs go.
        [ -z "$purge" ] || die "$opt is not from here: nothing was done"
        complain "$opt is not from here: it stays"
    fi
    if [ -n "$purge" ]; then
        [ ! -e "$home" ] || act "remove $home" rm -rf --one-file-system "$home"
        [ ! -e "$etc" ] || act "remove $etc" rm -rf --one-file-system "$etc"
    fi
    [ "$changes" -gt 0 ] || echo "nothing is installed"
    if [ -z "$dry" ] && id "$user" > /dev/null 2>&1; then
        echo "the user $user stays, since files may be its own: userdel $user"
    fi
}

while [ $# -gt 0 ]; do
    case $1 in
        --manager) manager=${2:-}; shift ;;
        --manager=*) manager=${1#*=} ;;
        --python) python=${2:-}; shift ;;
        --python=*) python=${1#*=} ;;
        --no-start) start='' ;;
        --dry-run) dry=1 ;;
        --uninstall) uninstall=1 ;;
        --purge) purge=1 ;;
        -h | --help) usage; exit ;;
        -*) usage >&2; exit 2 ;;
        *) [ -z "$source" ] || { usage >&2; exit 2; }; source=$1 ;;
    esac
    shift || { usage >&2; exit 2; }
done
case $manager in
    '' | systemd | supervisord) ;;
    *) die "--manager: expected systemd or supervisord, got $manager" 2 ;;
esac
[ -z "$purge" ] || [ -n "$uninstall" ] || die "--purge goes with --uninstall" 2
[ "$(id -u)" = 0 ] || die "only root can do this: sudo $0"
# shellcheck disable=SC2086 # names have no spaces
unset ${!QUEUECTL_@}
if [ -n "$uninstall" ]; then do_uninstall; else do_install; fi
