# Sourced by every finding: pinned packages of Debian in a folder that goes at the end, never installed.
#
#   unpack SUITE PACKAGE=VERSION...   $root holds them and all that they need, the C library too
#   compile NAME [FLAG]...            C from standard input becomes $lab/NAME
#   run PROGRAM [ARG]...              a program with the libraries of $root
#   expect FILE TEXT, absent FILE TEXT  what a program must have said, and must not
#
# The system's packages, lists and configuration stay as they are: apt works with a state of its own in which nothing is installed.
# With --newest a finding takes the newest packages of sid instead of its pins, to see whether it still holds.
# Status: 0 all is as the finding says, 1 something has changed, 2 it cannot be run here.
set -eu

finding=$(basename "$0" .sh)
newest=
case ${1-} in
  "") ;;
  --newest) newest=1 ;;
  *) echo "usage: $0 [--newest]" >&2; exit 2 ;;
esac
lab=$(mktemp -d)
root=$lab/root
trap 'rm -rf "$lab"' EXIT
trap 'exit 130' INT TERM

cannot() { echo "$finding: cannot be run here: $*" >&2; exit 2; }
changed() { echo "$finding: CHANGED: $*" >&2; exit 1; }

# The archive that this machine's apt is set up with; DEBIAN_ARCHIVE names another.
archive() {
  [ -z "${DEBIAN_ARCHIVE-}" ] || { echo "$DEBIAN_ARCHIVE"; return; }
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    sed -n '/-security/d; s/^Debian //p' | head -n 1
}

private_apt() {
  apt-get -o Dir::State="$lab/state" -o Dir::State::status="$lab/status" -o Dir::Cache="$lab/cache" \
    -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$lab/sources" \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o APT::Install-Recommends=false -o APT::Sandbox::User=root -o Acquire::Languages=none \
    -o Debug::NoLocking=true -qq "$@" >>"$lab/apt.log" 2>&1 || { cat "$lab/apt.log" >&2; cannot "apt-get $1 failed; is a pinned version gone, try --newest"; }
}

unpack() {
  suite=$1
  shift
  for tool in apt-get dpkg-deb; do command -v $tool >/dev/null || cannot "no $tool"; done
  [ "$(dpkg --print-architecture)" = amd64 ] || cannot "the packages are pinned for amd64"
  if [ -n "$newest" ]; then
    suite=sid
    set -- $(printf '%s\n' "$@" | sed 's/=.*//')
  fi
  uri=$(archive)
  [ -n "$uri" ] || cannot "apt has no list of a Debian archive: run apt-get update once, or set DEBIAN_ARCHIVE"
  mkdir -p "$lab/state/lists/partial" "$lab/cache/archives/partial" "$lab/sources"
  : >"$lab/status"
  keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nArchitectures: amd64\n' "$uri" "$suite"
    [ ! -f $keyring ] || echo "Signed-By: $keyring"
  } >"$lab/sources/archive.sources"
  private_apt update
  private_apt install --yes --download-only "$@"
  # Since the merge of / and /usr some packages carry /lib, others /usr/lib.
  for part in bin lib lib64 sbin; do
    mkdir -p "$root/usr/$part"
    ln -s "usr/$part" "$root/$part"
  done
  for deb in "$lab"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --no-same-owner --keep-directory-symlink -C "$root"
  done
  for package; do
    package=${package%%=*}
    dpkg-deb --show --showformat='${Package} ${Version}\n' "$lab/cache/archives/${package}"_*.deb
  done
  rm -rf "$lab/cache"
  libraries=$root/usr/lib/x86_64-linux-gnu
}

# The headers of $root come last: its C library's want the compiler of its suite.
compile() {
  out=$lab/$1
  shift
  command -v "${CC:-cc}" >/dev/null || cannot "no C compiler (apt install gcc libc6-dev, or set CC)"
  cat >"$out.c"
  mkdir -p "$lab/include"
  for part in vulkan vk_video; do
    [ ! -d "$root/usr/include/$part" ] || cp -r "$root/usr/include/$part" "$lab/include"
  done
  "${CC:-cc}" -std=gnu11 -O1 -g -Wall -I"$(dirname "$0")/base" -idirafter "$lab/include" "$out.c" -o "$out" "$@" ||
    cannot "its C is not accepted by this compiler"
}

run() { "$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$libraries" "$@"; }

expect() { grep -qF -- "$2" "$1" || { cat "$1" >&2; changed "not seen: $2"; }; }
absent() { ! grep -F -- "$2" "$1" >&2 || changed "seen now: $2"; }
holds() { echo "$finding: as described"; }
