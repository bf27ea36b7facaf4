# shellcheck shell=bash
# What build, up and down share: places, names, ports. Sourced, never run.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${SALLYPORT_CLUSTER_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sallyport/cluster}
BIN=$CACHE/bin IMAGES=$CACHE/images SRC=$CACHE/src         # made by build, kept
STATE=$CACHE/state                                         # made by up, gone with down --wipe
RUN=$STATE/run LOG=$STATE/log PKI=$STATE/pki
NODE_IP=10.246.0.1 SUBNET=10.246.0.0/24 BRIDGE=sallyport0
PORT=${SALLYPORT_CLUSTER_PORT:-27443}                      # the API server, on 127.0.0.1
ETCD_PORT=27379 ETCD_PEER=27380 KCM_PORT=27257 SCHEDULER_PORT=27259
KUBELET_PORT=27250 KUBELET_HEALTH=27248
VERSION=1.20.2 SOURCE=1.20.5+really1.20.2-1.1+deb12u1      # bookworm's source package
PACKAGES=(golang-go etcd-server containerd runc containernetworking-plugins busybox-static debootstrap
  gcc libc6-dev openssl iproute2 procps dpkg-dev ca-certificates)

say() { echo "cluster: $*" >&2; }
die() { say "$*"; exit 1; }

need_debian_root() {
  local system # in a subshell: the file sets names of its own, VERSION for one
  system=$(. /etc/os-release 2>/dev/null && echo "${ID:-} ${VERSION_CODENAME:-} ${PRETTY_NAME:-}")
  [[ $system = 'debian bookworm '* ]] ||
    die "this builds from Debian bookworm's archive and the system here is \`${system#* * }\`; set KUBECONFIG to a cluster of yours instead"
  [ "$(id -u)" = 0 ] || die "containers and a network bridge need root; run this as root, or set KUBECONFIG to a cluster of yours"
}

# One build, up or down at a time; the lock goes with the process.
lock() {
  [ -z "${SALLYPORT_CLUSTER_LOCKED:-}" ] || return 0
  mkdir -p "$CACHE"
  exec 9>"$CACHE/lock"
  flock -n 9 || { say "another run is at it; waiting"; flock -w 1800 9 || die "still not free after 30 minutes: $CACHE/lock"; }
}

# Whether what this name's file says runs and is ours: after a crash the number may have been given to another. No pipe
# into a `grep -q` anywhere here: it closes the pipe at its first match, and under pipefail the match is then a failure.
alive() { [ -f "$RUN/$1.pid" ] && [[ $(tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$RUN/$1.pid")/cmdline") == *"$CACHE"* ]]; } 2>/dev/null

ctr_() { ctr -a "$RUN/containerd.sock" -n k8s.io "$@"; }
