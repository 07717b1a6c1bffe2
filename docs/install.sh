#!/bin/sh
# Installs gca for this user, from a release: curl -fsSL https://github.com/gemini-claude-adapter/gca/releases/latest/download/install.sh | sh
#
#   GCA_VERSION=v0.1.0   another release than the latest
#   GCA_BIN=DIR          another folder than ~/.local/bin
#   GCA_RELEASES=URL     another place to download from
#
# It needs no root, and puts one file in its place, gca, after its sum was compared with the release's SHA256SUMS. That tells
# a damaged or mixed-up download, not a false release: for that, compare SHA256SUMS with what you have by another way.
set -eu

say() { printf '%s\n' "$*" >&2; }
fail() {
    say "gca: $1"
    say "hint: $2"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# download URL FILE
download() {
    if have curl; then
        curl --fail --silent --show-error --location --connect-timeout 20 --retry 3 --output "$2" "$1"
    elif have wget; then
        wget -q -O "$2" "$1"
    else
        fail 'there is neither curl nor wget' 'install one of them, then again'
    fi
}

# sum FILE
sum() {
    if have sha256sum; then
        sha256sum <"$1"
    elif have shasum; then
        shasum -a 256 <"$1"
    elif have openssl; then
        openssl dgst -sha256 -r <"$1"
    else
        fail 'there is no sha256sum, shasum or openssl' 'install coreutils, then again'
    fi | cut -d ' ' -f 1
}

# archive prints the name of the release's file for this machine.
archive() {
    case $(uname -s) in
        Linux) os=linux ;;
        Darwin) os=darwin ;;
        *) fail "there is no release for $(uname -s) by this way" 'on Windows unpack gca-windows-amd64.zip' ;;
    esac
    case $(uname -m) in
        x86_64 | amd64) arch=amd64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) fail "there is no release for $(uname -m)" 'build it from source: make build' ;;
    esac
    printf 'gca-%s-%s' "$os" "$arch"
}

# main is called by the last line, so that a half of this file does nothing.
main() {
    releases=${GCA_RELEASES:-https://github.com/gemini-claude-adapter/gca/releases}
    if [ -n "${GCA_VERSION:-}" ]; then
        from=$releases/download/$GCA_VERSION
    else
        from=$releases/latest/download
    fi
    bin=${GCA_BIN:-${HOME:?HOME is not set}/.local/bin}
    name=$(archive)

    mkdir -p "$bin" || fail "cannot make $bin" 'choose another folder with GCA_BIN=DIR'
    # Beside its place, so that the last step is a rename.
    work=$(mktemp -d "$bin/.gca-XXXXXX") || fail "cannot write to $bin" 'choose another folder with GCA_BIN=DIR'
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM

    say "downloading $from/$name.tar.gz"
    download "$from/SHA256SUMS" "$work/SHA256SUMS" || fail "cannot download $from/SHA256SUMS" 'look at the address, and whether GCA_VERSION is a release'
    want=$(while read -r hash file; do [ "$file" != "$name.tar.gz" ] || printf '%s' "$hash"; done <"$work/SHA256SUMS")
    [ -n "$want" ] || fail "SHA256SUMS of the release has no $name.tar.gz" 'this release has nothing for this machine'
    download "$from/$name.tar.gz" "$work/$name.tar.gz" || fail "cannot download $from/$name.tar.gz" 'try again'
    got=$(sum "$work/$name.tar.gz")
    [ -n "$got" ] || exit 1 # sum has said why
    [ "$got" = "$want" ] || fail "$name.tar.gz has the sum $got, not $want: it is not what was released" 'try again; nothing was installed'

    tar -xzf "$work/$name.tar.gz" -C "$work" || fail "cannot unpack $name.tar.gz" 'install tar and gzip, then again'
    "$work/$name/gca" version >/dev/null || fail 'the gca of the release does not run on this machine' 'build it from source: make build'
    mv -f "$work/$name/gca" "$bin/gca" || fail "cannot write to $bin" 'choose another folder with GCA_BIN=DIR'

    say "$("$bin/gca" version) is installed: $bin/gca"
    case :$PATH: in
        *:"$bin":*) say 'next: gca deploy root@YOUR-SERVER' ;;
        *) say "next: add $bin to your PATH, then gca deploy root@YOUR-SERVER" ;;
    esac
}

main "$@"
