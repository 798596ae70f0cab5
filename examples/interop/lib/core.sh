# The harness: registration, processes, waiting, failure reasons. Sourced by `run`.
. "$HERE/lib/net.sh"
. "$HERE/lib/strongswan.sh"
. "$HERE/lib/gateway.sh"
. "$HERE/lib/sides.sh"

declare -a NAMES=()
declare -A ABOUT=() LIMIT=() BODY=()
declare -A KIND=()

# scenario NAME SECONDS 'what it shows' COMMAND…   SECONDS is a hard limit.
scenario() { NAMES+=("$1"); LIMIT[$1]=$2; ABOUT[$1]=$3; printf -v "BODY[$1]" '%q ' "${@:4}"; }
# both NAME SECONDS 'what it shows' COMMAND…: v1-NAME and v2-NAME; the body runs with the version of its name (see start)
both() { local v; for v in 1 2; do scenario "v$v-$1" "$2" "IKEv$v: $3" "${@:4}"; done; }
load_scenarios() { local f; for f in "$HERE"/scenarios/*.sh; do . "$f"; done; }

say_why() { [ -s "$DIR/why" ] || echo "$*" >"$DIR/why"; echo "!! $*"; }
fail() { say_why "$*"; trap - ERR; exit 1; }
note() { echo "$*" >>"$DIR/note"; }
step() { echo "== $(date +%T.%3N) $*"; }

# spawn NAME NS CMD…: starts a process in a namespace; its pid goes to $DIR/NAME.pid, its output to $DIR/NAME.out (or $SPAWN_LOG)
spawn() {
  local name=$1 where=$2; shift 2
  ip netns exec "$(nsname "$where")" "$@" >>"${SPAWN_LOG:-$DIR/$name.out}" 2>&1 </dev/null &
  echo $! >"$DIR/$name.pid"; echo $! >>"$DIR/pids"
}
pid_of() { cat "$DIR/$1.pid" 2>/dev/null; }
alive() { local p; p=$(pid_of "$1") && [ -n "$p" ] && kill -0 "$p" 2>/dev/null; }
# end NAME SIGNAL SECONDS: signal, then wait for the end; SIGKILL when it takes too long (returns 1 then)
end() {
  local p i; p=$(pid_of "$1") || return 0
  kill "-${2:-TERM}" "$p" 2>/dev/null || :
  for ((i = 0; i < ${3:-5} * 20; i++)); do kill -0 "$p" 2>/dev/null || { rm -f "$DIR/$1.pid"; return 0; }; sleep 0.05; done
  kill -KILL "$p" 2>/dev/null || :; rm -f "$DIR/$1.pid"; return 1
}
# until_true SECONDS CMD…: polls until the command succeeds
until_true() {
  local end=$(( $(date +%s%3N) + $1 * 1000 )); shift
  while ! "$@" >/dev/null 2>&1; do [ "$(date +%s%3N)" -lt $end ] || return 1; sleep 0.1; done
}
# Whether what comes shows a pattern. grep -q would end at the first hit: who still writes dies of SIGPIPE then, and
# with pipefail the hit counts as none.
sees() { grep "$@" >/dev/null; }
# expect SECONDS 'reason when it does not come' CMD…
expect() { local secs=$1 why=$2; shift 2; until_true "$secs" "$@" || fail "$why"; }

cleanup() {
  local p s
  set +e; trap - ERR
  if [ -f "$DIR/pids" ]; then
    # Only pids this scenario started; a reused pid is recognised by its namespace.
    for s in TERM KILL; do
      for p in $(cat "$DIR/pids"); do in_own_ns "$p" && kill -$s "$p" 2>/dev/null; done
      [ $s = KILL ] || sleep 0.2
    done
    rm -f "$DIR/pids"
  fi
  net_down
}

# Evidence that no gateway of ours died on the way.
healthy() {
  local s
  for s in a b; do
    [ "${KIND[$s]:-}" = gateway ] || continue
    ! grep -hE "panicked at|stack backtrace" "$DIR"/gateway-$s.* 2>/dev/null || fail "our gateway panicked: $(grep -h 'panicked at' "$DIR"/gateway-$s.* | head -1)"
  done
}

# All programs that scenarios start: built here, or named by INTEROP_GATEWAY, INTEROP_DISSECT, INTEROP_VRRP, INTEROP_GRE,
# INTEROP_ESP_ORACLE.
need_binaries() { # SCENARIO…
  local root target name var missing=(); root=$(dirname "$(dirname "$HERE")")
  for name in gateway dissect vrrp gre esp_oracle; do
    var=INTEROP_${name^^}; [ -n "${!var:-}" ] || missing+=("$name")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    ( cd "$root" && cargo build -q --release -p examples --bins --example esp_oracle ) || { echo "FAIL build: cargo build --release -p examples"; return 1; }
    target=$(cd "$root" && cargo metadata --no-deps --format-version 1 | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')/release
    for name in "${missing[@]}"; do
      var=INTEROP_${name^^}
      case $name in esp_oracle) export "$var=$target/examples/$name" ;; *) export "$var=$target/$name" ;; esac
    done
  fi
  for name in gateway dissect vrrp gre esp_oracle; do
    var=INTEROP_${name^^}; [ -x "${!var}" ] || { echo "FAIL build: no binary ${!var}"; return 1; }
  done
  if [[ " $* " == *charon6* ]] && [ -z "${INTEROP_CHARON61:-}" ]; then
    # strongSwan 6.1 and the OpenSSL it links: some minutes, once.
    cd "$HERE/peers/charon61" || return 1
    cargo build -q --release --locked || { echo "FAIL build: strongSwan 6.1 in peers/charon61"; return 1; }
    target=$(cargo metadata --no-deps --format-version 1 | sed -E 's/.*"target_directory":"([^"]*)".*/\1/')/release
    export INTEROP_CHARON61=$target/charon61
    cd "$HERE" || return 1
  fi
}
