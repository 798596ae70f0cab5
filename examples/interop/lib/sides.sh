# What scenarios say: verbs that work on either side, whoever sits there.

# settings K=V…: the words both sides understand; `start SIDE K=V…` overrides them for that side.
#   ENC HASH GROUP IKELIFE       phase 1 (strongSwan's short names; groups by number; seconds, 0 = default)
#   ESPENC ESPAUTH PFS CHILDLIFE phase 2 (PFS=no or a group number)
#   AUTH (authentication of phase 1 of IKEv1, our word)
#   AGGRESSIVE (yes or no)   KIDS (one; two: a's second network has a child of its own; wide: both networks in one child)
#   CHARON (5 or 6: which strongSwan)
#   PSK DPD(seconds, 0 = off) DPDACTION KEEPALIVE(s) RETRY(s) VERSION UNIQUE IDLE(s, 0 = off)
#   MODE(tunnel|transport) ESN(yes|no) REMOTE(network; empty = the other side's) TUNMTU EXTRA(lines of TOML)
#   FRAGMENT (octets of a message of IKEv2 that is not split; ours)   SWAN, SWANCONN (lines of strongswan.conf, of its connection)
#   PEERS(addresses, quoted): ours only   LOCALS(addresses): strongSwan's   TRIES(retransmissions)
#   GWPEER GWTOP: lines of our file, within the peer and at its end; GWLOCAL: our network
#   SWANLOCAL SWANREMOTE SWANSECRETS SWANLOAD SWANTOP LOCALTS: strongSwan's proofs, secrets, plugins, end of file, network
declare -A DEFAULTS=([ENC]=aes128 [HASH]=sha1 [GROUP]=2 [IKELIFE]=0 [ESPENC]=aes128 [ESPAUTH]=sha1 [PFS]=no [CHILDLIFE]=0
  [PSK]=the-long-shared-secret [DPD]=0 [DPDACTION]=clear [KEEPALIVE]=20 [RETRY]=1.0 [VERSION]=1 [UNIQUE]=replace
  [CHARON]=5 [MODE]=tunnel [ESN]=no [EXTRA]= [IDLE]=0 [REMOTE]= [TUNMTU]=1400 [PEERS]= [LOCALS]= [TRIES]=8
  [AGGRESSIVE]=no [AUTH]=pre-share [ADDKE]= [KIDS]=one [SWAN]= [SWANCONN]= [FRAGMENT]=
  [GWPEER]= [GWTOP]= [SWANLOCAL]='auth = psk' [SWANREMOTE]=$'auth = psk\n    id = %any' [SWANSECRETS]= [SWANLOAD]= [LOCALTS]= [GWLOCAL]= [SWANTOP]=)
declare -a SETTINGS=()
settings() { SETTINGS+=("$@"); }

# pair a|b: which side is ours; the other one is strongSwan. `pair both`: ours on both sides.
pair() {
  local ours=${INTEROP_OURS:-gateway}
  OURS=$1; KIND[a]=strongswan; KIND[b]=strongswan
  case $1 in a|b) KIND[$1]=$ours; PEER=$(other "$1");; both) KIND[a]=$ours; KIND[b]=$ours; OURS=a; PEER=b;; esac
}
start() { # SIDE K=V…
  local s=$1 kv k; shift; local -A V=()
  for k in "${!DEFAULTS[@]}"; do V[$k]=${DEFAULTS[$k]}; done
  if [[ $SCENARIO == v2-* ]]; then V[VERSION]=2 V[HASH]=sha256 V[GROUP]=31 V[ESPAUTH]=sha256; fi
  for kv in "${SETTINGS[@]}" "$@"; do [ -n "${DEFAULTS[${kv%%=*}]+x}" ] || fail "unknown setting $kv"; V[${kv%%=*}]=${kv#*=}; done
  step "start ${KIND[$s]} on $s"
  case ${KIND[$s]} in strongswan) swan_start "$s";; gateway) gw_start "$s";; esac
}
verb() { local what=$1 s=$2; shift 2; case ${KIND[$s]} in strongswan) "swan_$what" "$s" "$@";; gateway) "gw_$what" "$s" "$@";; esac; }

initiate() { step "initiate $* "; verb initiate "$@" >"$DIR/initiate-$1.out" 2>&1 || fail "side $1 could not bring the tunnel up: $(why_not "$1")"; }
try_initiate() { step "try to initiate from $1"; verb initiate "$1" >"$DIR/initiate-$1.out" 2>&1; }
why_not() { local s; for s in "$1" "$(other "$1")"; do verb log "$s" 'fail|error|unable|NO_PROPOSAL|INVALID|AUTHENTICATION|mismatch|reject|refus|does not match' 2>/dev/null | tail -1; done | tr '\n' '|'; tail -1 "$DIR/initiate-$1.out"; }
is_up() { verb up "$1"; }
is_gone() { verb gone "$1"; }
both_up() { expect "${1:-10}" "side a has no tunnel" is_up a; expect "${1:-10}" "side b has no tunnel" is_up b; }
sas() { verb sas "$1"; }
# What was done a moment ago may not have been written yet: the log has a queue.
log_has() { verb log "$1" "$2" >/dev/null || { sleep 0.5; verb log "$1" "$2" >/dev/null; }; }
delete() { step "delete $2 from $1"; verb delete "$1" "$2" >>"$DIR/delete-$1.out" 2>&1 || :; }
rekey() { step "rekey $2 from $1"; verb rekey "$1" "$2" >>"$DIR/rekey-$1.out" 2>&1; }
children_made() { verb children_made "$1"; }
ikes_made() { verb ikes_made "$1"; }
stop() { step "stop $1"; verb stop "$1" || fail "side $1 did not stop in time"; }
kill_peer() { step "kill -9 $1"; end "$(proc "$1")" KILL 2 || :; }
proc() { case ${KIND[$1]} in strongswan) echo "swan-$1";; gateway) echo "gateway-$1";; esac; }

# ping_second FROM(a|b) COUNT: between a's second network and b's
ping_second() {
  local out from=$INNER2_a to; to=$(inner b); [ "$1" = a ] || { from=$to; to=$INNER2_a; }
  out=$(ns "$1" ping -n -q -c "$2" -i 0.2 -W 2 -I "$from" "$to" 2>&1) || :
  [[ $out == *" $2 received"* ]] || fail "ping between the second networks from $1: $(grep -oE '[0-9]+ packets transmitted.*' <<<"$out")"
}
# ping_through FROM COUNT [INTERVAL]: all answers must come
ping_through() {
  local s=$1 n=$2 gap=${3:-0.2} out
  out=$(ns "$s" ping -n -q -c "$n" -i "$gap" -W 2 -I "$(inner "$s")" "$(inner "$(other "$s")")" 2>&1) || :
  echo "$out" | tail -3
  [[ $out == *" $n received"* ]] || fail "ping from $s: $(grep -oE '[0-9]+ packets transmitted.*' <<<"$out")"
}
# ping_some FROM COUNT: at least one answer (bad cable)
ping_some() {
  local out; out=$(ns "$1" ping -n -q -c "$2" -i 0.2 -W 2 -I "$(inner "$1")" "$(inner "$(other "$1")")" 2>&1) || :
  echo "$out" | tail -3; [[ $out == *received* && $out != *" 0 received"* ]] || fail "no ping of $2 came through: $(grep -oE '[0-9]+ packets transmitted.*' <<<"$out")"
}
# A long ping in the background; `ping_end` demands that nothing was lost (and, duplicates aside, nothing came twice).
ping_begin() { # FROM SECONDS
  PING_FROM=$1; step "ping in the background for $2 s"
  spawn ping "$1" ping -n -c $(($2 * 10)) -i 0.1 -W 2 -I "$(inner "$1")" "$(inner "$(other "$1")")"
}
ping_end() {
  local line
  expect 60 "the background ping did not end" ping_over
  line=$(grep -E 'packets transmitted' "$DIR/ping.out") || fail "no ping statistics"
  [[ $line == *" 0% packet loss"* ]] || fail "packets were lost under the running ping: $line"
  note "$line"
}
ping_over() { ! alive ping; }

# A file and its checksum over TCP, from side $1 to the other.
file_through() { # FROM MEGABYTES
  local s=$1 o sum; o=$(other "$1")
  head -c "${2}M" /dev/urandom >"$DIR/sent.bin"; rm -f "$DIR/receive.out"
  spawn receive "$o" python3 "$HERE/lib/transfer.py" receive "$(inner "$o")" 5555 "$DIR/received.bin"
  expect 5 "the receiver does not listen" grep -q listening "$DIR/receive.out"
  timeout 45 ip netns exec "$(nsname "$s")" python3 "$HERE/lib/transfer.py" send "$(inner "$s")" "$(inner "$o")" 5555 "$DIR/sent.bin" || fail "TCP transfer of $2 MB failed"
  until_true 5 test -s "$DIR/received.bin" || :; until_true 5 transfer_over || :
  sum=$(sha256sum <"$DIR/sent.bin"); [ "$sum" = "$(sha256sum <"$DIR/received.bin")" ] || fail "the file arrived changed or incomplete"
  rm -f "$DIR"/{sent,received}.bin
}
transfer_over() { ! alive receive; }

tcp_through() { # FROM SECONDS: iperf3 both ways
  local s=$1 o out; o=$(other "$1")
  spawn iperf "$o" iperf3 -s -1 -B "$(inner "$o")"; sleep 0.4
  out=$(timeout 40 ip netns exec "$(nsname "$s")" iperf3 -c "$(inner "$o")" -B "$(inner "$s")" -t "$2" -J) || fail "iperf3: $(grep -o '"error":.*' <<<"$out")"
  out=$(python3 -c 'import json,sys; print(round(json.load(sys.stdin)["end"]["sum_received"]["bits_per_second"]/1e6))' <<<"$out")
  [ "$out" -gt 0 ] || fail "iperf3 moved nothing"; note "TCP $out Mbit/s"
}
