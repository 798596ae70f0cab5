# A gateway under attack. b is ours, a is strongSwan, and r, through which b reaches everybody else, is the attacker: it
# writes any source address and sees all answers. Meanwhile a's packets go through, and somebody new gets in.

# The gateway's output goes into a pipe that nobody reads until the end (X10).
undrained() {
  mkfifo "$DIR/unread.fifo"
  spawn drain b /usr/bin/python3 -c "
import os, sys, time
log = open('$DIR/unread.fifo', 'rb')
while not os.path.exists('$DIR/drain'): time.sleep(0.1)
with open('$DIR/gateway-b.out', 'wb') as out:
    while octets := log.read1(65536): out.write(octets); out.flush()
"
}
attack() { # NAME ARGS…: in the background; its end is awaited with attack_end
  ATTACK=$1; step "attack: $*"; spawn "attack-$1" r /usr/bin/python3 "$HERE/peers/attacker.py" "$@"
}
attack_over() { ! alive "attack-$ATTACK"; }
attack_end() { # gives what the attacker counted
  expect 60 "the attack $ATTACK does not end" attack_over
  tail -1 "$DIR/attack-$ATTACK.out" | tee -a "$DIR/attacks"
  tail -1 "$DIR/attack-$ATTACK.out" | sees '^{' || fail "attacker.py $ATTACK: $(tail -1 "$DIR/attack-$ATTACK.out")"
  alive gateway-b || fail "our gateway died of the attack $ATTACK"
}
counted() { python3 -c "import json, sys; s = json.load(open('$DIR/attack-$ATTACK.out')); sys.exit(not ($1))"; }
path_mtus() { gw_status b | python3 -c 'import json, sys; print([c.get("path_mtu") for c in json.load(sys.stdin)["children"]])'; }

# What the honest peer must see: 100 packets a second, none lost, the 99th percentile of the round trip below 20 ms. It
# and the gateway go before the attacker and everything else on this machine, whose own load is not what is measured.
honest_ping() { # until honest_end: in rounds, each of which waits for its last answer
  step "ping 100/s"
  spawn ping a nice -n -15 bash -c "until [ -e '$DIR/enough' ]; do ping -n -c 500 -i 0.01 -W 2 -I $INNER_a $INNER_b; done"
}
honest_end() {
  touch "$DIR/enough"; expect 20 "the ping did not end" ping_over
  /usr/bin/python3 - "$DIR/ping.out" <<'PY' >"$DIR/ping.sum" || fail "the honest peer's packets: $(cat "$DIR/ping.sum")"
import re, sys
text = open(sys.argv[1]).read()
times = sorted(float(t) for t in re.findall(r"time=([0-9.]+) ms", text))
rounds = [tuple(map(int, r)) for r in re.findall(r"(\d+) packets transmitted, (\d+) received", text)]
sent, received = (sum(column) for column in zip(*rounds))
p99 = times[len(times) * 99 // 100] if times else 1e9
print(f"{sent} sent, {received} answered, p50 {times[len(times) // 2]:.1f} ms, p99 {p99:.1f} ms, max {times[-1]:.1f} ms")
sys.exit(not (received == sent and p99 < 20))
PY
  note "$(cat "$DIR/ping.sum")"
}

under_attack() {
  local d=$DIR/pki b n two; pair b; topology routed; b=$OUTER_b
  for n in all ra rb; do ns r sysctl -qw "net.ipv4.conf.$n.rp_filter=0"; done
  for n in 66 77; do ip -n "$(nsname r)" addr add "203.0.113.$n/32" dev lo; done
  ip -n "$(nsname a)" addr add 192.0.2.3/24 dev outer
  pki_make ecdsa; capture b; undrained
  # Somebody new, to come in the middle of it: the second network of a, under another identity and address.
  two="connections { two { version = 2
local_addrs = 192.0.2.3
remote_addrs = $b
proposals = aes128-sha256-x25519
local { auth = psk
id = two.lab }
remote { auth = psk
id = %any }
children { net2 { local_ts = $NET2_a
remote_ts = $NET_b
esp_proposals = aes128-sha256 } } } }"
  GW_LOG=$DIR/unread.fifo start b GWTOP="
[[peer]]
name = \"two\"
version = \"ikev2\"
address = \"192.0.2.3\"
remote-id = \"two.lab\"
[[peer.tunnel]]
name = \"net2\"
local = \"$NET_b\"
remote = \"$NET2_a\"
transform-set = \"set\"
start = \"passive\"
[[peer]]
name = \"road\"
version = \"ikev2\"
address = \"any\"
local-id = \"b.lab\"
[peer.auth]
local = \"signature\"
remote = \"signature\"
certificate = \"$d/b.pem\"
private-key = \"$d/b.key\"
authority = \"$d/ca.pem\"
[[peer.tunnel]]
name = \"road-net\"
local = \"$NET_b\"
remote = \"10.30.0.0/24\"
transform-set = \"set\"
start = \"passive\""
  start a SWANTOP="$two"
  initiate a; both_up; ping_through a 3
  renice -n -15 -p "$(pid_of gateway-b)" "$(pid_of swan-a)" >/dev/null
  # The threads of strongSwan too.
  for n in /proc/"$(pid_of swan-a)"/task/* /proc/"$(pid_of gateway-b)"/task/*; do renice -n -15 -p "${n##*/}" >/dev/null 2>&1 || :; done
  cp b.pcap known.pcap; local mtu; mtu=$(path_mtus)

  honest_ping
  attack strays "$b" 30000; attack_end
  attack icmp "$b" 192.0.2.1 4500; attack_end
  [ "$(path_mtus)" = "$mtu" ] || fail "forged ICMP changed the path MTU from $mtu to $(path_mtus)"
  attack repeats "$b" 1000; attack_end
  counted 's["octets_out"] <= 3 * 66' || fail "repeats of IKE_AUTH are answered to whoever sends them"
  attack spoofed "$b" 1000; attack_end
  counted 's["octets_out"] <= 3 * s["octets_in"]' || fail "more than three octets for one to addresses that have proved nothing"
  attack half-open "$b" 1100
  sleep 0.3; swan a --initiate --child net2 --timeout 20 >"$DIR/two.out" 2>&1 || fail "nobody new gets in while one address holds half-open SAs"
  attack_end
  attack certificates "$b" 15 5 "CN=lab CA,O=lab"; attack_end
  attack mutated "$b" 192.0.2.1 "$DIR/known.pcap" 200000; attack_end
  honest_end
  ping_through a 3; ping_second a 3
  touch "$DIR/drain"; expect 10 "the gateway's log cannot be read" grep -q . "$DIR/gateway-b.out"
  capture_end b
}
scenario v2-attack 170 'floods, replays, forged ICMP, 200,000 mutated datagrams and a log that nobody reads: an honest peer loses nothing, a new one gets in' under_attack
