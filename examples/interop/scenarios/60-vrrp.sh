# VRRP against keepalived: a (priority 150) and b (priority 100) on a bridge in r, which also watches and pings.
#
#   a 10.88.0.1, fd88::1 ──┐
#                          ├── br0 in r, 10.88.0.3, fd88::3
#   b 10.88.0.2, fd88::2 ──┘
#
# INTEROP_VRRP=FILE is our daemon.
VRRP_ADDRESS_a=1; VRRP_ADDRESS_b=2

vrrp_net() {
  local s
  for s in a b r; do ip netns add "$(nsname $s)"; ip -n "$(nsname $s)" link set lo up; done
  ip -n "$(nsname r)" link add br0 type bridge mcast_snooping 0
  ip -n "$(nsname r)" addr add 10.88.0.3/24 dev br0; ip -n "$(nsname r)" addr add fd88::3/64 dev br0 nodad
  ip -n "$(nsname r)" link set br0 up
  for s in a b; do
    local n=VRRP_ADDRESS_$s
    ip link add eth0 netns "$(nsname $s)" type veth peer name "to-$s" netns "$(nsname r)"
    ip -n "$(nsname r)" link set "to-$s" master br0 up; ip -n "$(nsname $s)" link set eth0 up
    # Answer ARP with the address of the interface that has the address.
    ns $s sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    ip -n "$(nsname $s)" addr add "10.88.0.${!n}/24" dev eth0; ip -n "$(nsname $s)" addr add "fd88::${!n}/64" dev eth0 nodad
  done
  expect 5 "no link-local address" vrrp_link_local
  spawn tcpdump-r r tcpdump --immediate-mode -U -n -Z root -i br0 -w "$DIR/r.pcap" 'ip proto 112 or (ip6 and ip6[6] == 112)'
  expect 5 "tcpdump did not start" grep -q listening "$DIR/tcpdump-r.out"
}
vrrp_link_local() { local s; for s in a b; do ip -n "$(nsname $s)" -6 addr show dev eth0 scope link | grep -v tentative | grep fe80 >/dev/null || return 1; done; }

# vrrp_settings K=V…: VERSION 2|3, FAMILY 4|6, INTERVAL seconds, UNICAST, PLAIN, PASSWORD, PREEMPT no, DELAY seconds, TRACK,
# ACCEPT no
vrrp_settings() {
  VERSION=3 FAMILY=4 INTERVAL=0.1 UNICAST= PLAIN= PASSWORD= PREEMPT=yes DELAY=0 TRACK= ACCEPT=yes
  local kv; for kv in "$@"; do printf -v "${kv%%=*}" %s "${kv#*=}"; done
  VIRTUAL=10.88.0.100; [ "$FAMILY" = 4 ] || VIRTUAL=fd88::100
}

vrrp_start() { # a|b
  local s=$1 priority=150 own peer n
  [ "$s" = a ] || priority=100
  n=VRRP_ADDRESS_$s; own=10.88.0.${!n}; n=VRRP_ADDRESS_$(other "$s"); peer=10.88.0.${!n}
  [ "$FAMILY" = 4 ] || { own=fd88::${own##*.}; peer=fd88::${peer##*.}; }
  n=VRRP_$s
  if [ "${!n}" = ours ]; then vrrp_ours "$s"; else vrrp_theirs "$s"; fi
}

vrrp_ours() {
  {
    echo "[daemon]"; echo "socket = \"$DIR/$1.sock\""
    echo "[[router]]"; echo "name = \"v1\""; echo "interface = \"eth0\""; echo "vrid = 51"
    echo "version = $VERSION"; echo "priority = $priority"; echo "interval = $INTERVAL"
    if [ "$FAMILY" = 4 ]; then echo 'addresses = ["10.88.0.100/24"]'; else echo 'addresses = ["fe80::51/64", "fd88::100/64"]'; fi
    [ -z "$UNICAST" ] || { echo "peers = [\"$peer\"]"; echo "source = \"$own\""; }
    # keepalived 2.2 sends IPv6 unicast with hop limit 64, where RFC 9568 orders 255.
    [ -z "$UNICAST" ] || [ "$FAMILY" = 4 ] || echo "min-ttl = 64"
    [ -z "$PLAIN$UNICAST" ] || echo "virtual-mac = false"
    [ -z "$PASSWORD" ] || echo "password = \"$PASSWORD\""
    [ "$PREEMPT" = yes ] || echo "preempt = false"
    [ "$ACCEPT" = yes ] || echo "accept = false"
    [ "$DELAY" = 0 ] || echo "preempt-delay = $DELAY"
    [ -z "$TRACK" ] || [ "$1" = b ] || echo 'track = [{ interface = "uplink", decrement = 100 }]'
  } >"$1.toml"
  spawn "vrrp-$1" "$1" "$INTEROP_VRRP" run "$DIR/$1.toml"
}

vrrp_theirs() {
  {
    echo "global_defs { router_id $1"; echo "vrrp_version $VERSION"; echo "vrrp_garp_master_repeat 1 }"
    echo "vrrp_instance V1 {"; echo "state BACKUP"; echo "interface eth0"; echo "virtual_router_id 51"
    echo "priority $priority"; echo "advert_int $INTERVAL"
    [ -n "$PLAIN$UNICAST" ] || echo "use_vmac vrrp.51"
    [ -z "$UNICAST" ] || { echo "unicast_src_ip $own"; echo "unicast_peer { $peer"; echo "}"; }
    [ -z "$PASSWORD" ] || { echo "authentication { auth_type PASS"; echo "auth_pass $PASSWORD"; echo "}"; }
    [ "$PREEMPT" = yes ] || echo nopreempt
    [ "$DELAY" = 0 ] || echo "preempt_delay $DELAY"
    [ -z "$TRACK" ] || [ "$1" = b ] || { echo "track_interface { uplink weight -100"; echo "}"; }
    if [ "$FAMILY" = 4 ]; then echo "virtual_ipaddress { 10.88.0.100/24"; else echo "virtual_ipaddress { fe80::51/64"; echo "fd88::100/64"; fi
    echo "} }"
  } >"$1.conf"
  spawn "vrrp-$1" "$1" bash -c "mount -t tmpfs tmpfs /run; exec keepalived -P -n -l -D -f $DIR/$1.conf -p /run/ka.pid -r /run/ka-vrrp.pid"
}

vrrp_stop() { end "vrrp-$1" TERM 5 || fail "$1 did not stop on SIGTERM"; }
# Killed, and the machine gone with it.
vrrp_kill() {
  local p; ip -n "$(nsname "$1")" link set eth0 down
  for p in $(pgrep -P "$(pid_of "vrrp-$1")" || :) $(pid_of "vrrp-$1"); do kill -KILL "$p"; done
}
has_address() { ip -n "$(nsname "$1")" addr | grep "$VIRTUAL/" >/dev/null; }
is_master() { has_address "$1" && ! has_address "$(other "$1")"; }
master_is() { expect "${2:-8}" "$1 is not the master ${3:-}" is_master "$1"; }
answers() { ns r ping -n -c 1 -W 1 "$VIRTUAL"; }
now_ms() { date +%s%3N; }

pings() { ns r ping -n -D -i 0.02 -W 0.2 "$VIRTUAL" >"$DIR/ping.txt" 2>/dev/null & echo $! >"$DIR/ping.pid"; echo $! >>"$DIR/pids"; }
gap() { # FROM TO (ms): the longest time without an answer
  python3 - "$DIR/ping.txt" "$1" "$2" <<'PY'
import re, sys
times = [float(t) * 1000 for t in re.findall(r'^\[(\d+\.\d+)\].*bytes from', open(sys.argv[1]).read(), re.M)]
start, end = map(float, sys.argv[2:4])
times = [start] + [t for t in times if start < t < end] + [end]
print(f'{max(b - a for a, b in zip(times, times[1:])) / 1000:.2f}')
PY
}

# Two masters at once, longest time from the first advertisement of the one to the last of the other.
two_masters() {
  tshark -r r.pcap -T fields -e frame.time_epoch -e eth.src -e ip.src -e ipv6.src -e vrrp.prio 2>/dev/null >adverts.txt
  python3 - "$INTERVAL" <<'PY'
import sys
interval = float(sys.argv[1]); worst = 0.0; last = {}; since = None
for line in open('adverts.txt'):
    time, _, v4, v6, priority = (line.rstrip('\n').split('\t') + [''] * 5)[:5]
    time, who, priority = float(time), v4 or v6, int(priority)
    if priority == 0:
        last.pop(who, None); since = None; continue
    others = [t for other, t in last.items() if other != who and time - t < 1.5 * interval]
    if not others: since = None
    elif since is None: since = time if last.get(who) is None or time - last[who] > 1.5 * interval else since
    # The other spoke after the newcomer did: both were masters since then.
    if others and since is not None: worst = max(worst, time - since)
    last[who] = time
print(f'{worst:.3f}')
PY
}
one_master() {
  local longest; end tcpdump-r INT 5; longest=$(two_masters)
  note "two masters at most $longest s"
  python3 -c "import sys; sys.exit(not float('$longest') <= $INTERVAL + 0.3)" || fail "two masters for $longest s"
}

vrrp_pair() { VRRP_a=$1; VRRP_b=$2; vrrp_settings "${@:3}"; vrrp_net; [ -z "$TRACK" ] || vrrp_uplink; }
vrrp_uplink() { ip -n "$(nsname a)" link add uplink type veth peer name uplink-peer; ip -n "$(nsname a)" link set uplink up; ip -n "$(nsname a)" link set uplink-peer up; }

failover() { # A B K=V…
  vrrp_pair "$@"
  vrrp_start b; sleep 0.3; vrrp_start a
  master_is a 12 "after the start"; sleep 0.5
  expect 3 "the virtual address does not answer" answers
  local begun stopped preempted killed
  begun=$(now_ms); pings; sleep 1
  vrrp_stop a; master_is b 6 "after a stopped"; sleep 1; stopped=$(now_ms)
  vrrp_start a; master_is a 12 "after a came back"; sleep 1; preempted=$(now_ms)
  vrrp_kill a; expect 8 "b is not the master after a was killed" has_address b; sleep 2; killed=$(now_ms)
  kill -INT "$(pid_of ping)"
  GAPS=("$(gap "$begun" "$stopped")" "$(gap "$stopped" "$preempted")" "$(gap "$preempted" "$killed")")
  note "priority 0: ${GAPS[0]} s, preempted: ${GAPS[1]} s, killed: ${GAPS[2]} s"
  # Who is preempted answers our gratuitous ARP with the virtual MAC address, and bridges believe it until we repeat ours.
  [ "$1" != ours ] || not_more "${GAPS[1]}" 0.4 || fail "no answers for ${GAPS[1]} s while a took over"
  one_master
}
not_more() { python3 -c "import sys; sys.exit(not float('$1') <= float('$2'))"; }

# The longest time without an answer beside that of two keepalived, one after the other on the same machine.
beside() { # K=V…
  local theirs ours n
  failover keepalived keepalived "$@"; theirs=("${GAPS[@]}"); again
  failover ours ours "$@"; ours=("${GAPS[@]}")
  for n in 0 1 2; do not_more "${ours[n]}" "$(python3 -c "print(${theirs[n]} + 0.15)")" || fail "slower than keepalived: ${ours[*]}, they ${theirs[*]}"; done
  rm -f note; note "stopped ${ours[0]} s (keepalived ${theirs[0]}), preempted ${ours[1]} s (${theirs[1]}), killed ${ours[2]} s (${theirs[2]})"
}
again() { local s; for s in a b; do end "vrrp-$s" TERM 5 || :; done; cleanup; rm -f ./*.out ./*.txt ./*.pcap; set -e; trap 'st=$?; say_why "line $LINENO: $BASH_COMMAND (exit $st)"; exit $st' ERR; }

no_preempt() { # the better one comes back and leaves the other in place
  vrrp_pair "$1" "$2" PREEMPT=no
  vrrp_start a; master_is a 8 "alone"
  vrrp_start b; sleep 1; is_master a || fail "b took over from the better"
  vrrp_stop a; master_is b 4 "after a stopped"
  vrrp_start a; sleep 3; is_master b || fail "a preempted"
  one_master
}

delayed() { # the better one waits
  vrrp_pair "$1" "$2" DELAY=3
  vrrp_start b; master_is b 8 "alone"
  local begun; begun=$(now_ms)
  vrrp_start a; sleep 2; is_master b || fail "a did not wait"
  master_is a 6 "after the delay"
  note "took over after $((($(now_ms) - begun) / 100))/10 s"
  one_master
}

tracking() { # the uplink of the better one goes and comes
  vrrp_pair "$1" "$2" TRACK=1
  vrrp_start b; vrrp_start a; master_is a 8 "at first"
  ip -n "$(nsname a)" link set uplink down; master_is b 6 "with a's uplink down"
  ip -n "$(nsname a)" link set uplink up; master_is a 6 "with a's uplink back"
  one_master
}

wrong_packets() { # of another version, of another password: counted, and the state stays
  vrrp_pair ours keepalived
  vrrp_start a; master_is a 8 "alone"
  VERSION=2 INTERVAL=1 vrrp_start b; sleep 4
  local shown; shown=$("$INTEROP_VRRP" status --socket "$DIR/a.sock")
  grep -q 'State is Master' <<<"$shown" || fail "wrong packets changed the state"
  grep -q 'Dropped for version errors: [1-9]' <<<"$shown" || fail "wrong packets are not counted: $shown"
}

no_accept() { # a master that is no owner answers for the address and takes nothing for itself
  vrrp_pair ours keepalived ACCEPT=no "$@"
  ns a sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  vrrp_start a; master_is a 8 "alone"
  ! answers >/dev/null || fail "the address answers pings"
  expect 3 "the address is not resolved to the virtual MAC address: $(ip -n "$(nsname r)" neigh show "$VIRTUAL")" resolved
  # What is behind the router is reached through it.
  ip -n "$(nsname a)" addr add 10.99.0.1/32 dev lo; ip -n "$(nsname a)" addr add fd99::1/128 dev lo
  ip -n "$(nsname r)" route add "$([ "$FAMILY" = 4 ] && echo 10.99.0.1 || echo fd99::1)" via "$VIRTUAL"
  ns r ping -n -c 2 -i 0.2 -W 1 "$([ "$FAMILY" = 4 ] && echo 10.99.0.1 || echo fd99::1)" >/dev/null || fail "nothing passes the router"
  vrrp_stop a
  [ -z "$(ns a iptables -t raw -S PREROUTING | grep DROP; ns a ip6tables -t raw -S PREROUTING | grep -E 'DROP|135')" ] || fail "rules are left behind"
}
resolved() { ns r ping -n -c 1 -W 1 "$VIRTUAL" >/dev/null 2>&1 || :; ip -n "$(nsname r)" neigh show "$VIRTUAL" | grep -i '00:00:5e:00:0' >/dev/null; }
scenario vrrp-no-accept 60 'without Accept_Mode: the address is resolved, the router forwards, and takes nothing for itself' no_accept
scenario vrrp-no-accept-ip6 60 'the same over IPv6' no_accept FAMILY=6

for vrrp_sides in ours-keepalived keepalived-ours keepalived-keepalived; do
  vrrp_first=${vrrp_sides%-*} vrrp_second=${vrrp_sides#*-}
  scenario "vrrp-v2-$vrrp_sides" 90 'VRRPv2, 1 s, virtual MAC: stop, come back, killed' failover "$vrrp_first" "$vrrp_second" VERSION=2 INTERVAL=1
  scenario "vrrp-v3-$vrrp_sides" 60 'VRRPv3, 0.1 s, virtual MAC' failover "$vrrp_first" "$vrrp_second"
  scenario "vrrp-v3-ip6-$vrrp_sides" 60 'VRRPv3 over IPv6, 0.1 s, virtual MAC' failover "$vrrp_first" "$vrrp_second" FAMILY=6
  [ "$vrrp_sides" != keepalived-keepalived ] || continue
  scenario "vrrp-v2-plain-$vrrp_sides" 90 'VRRPv2, addresses on the interface itself' failover "$vrrp_first" "$vrrp_second" VERSION=2 INTERVAL=1 PLAIN=1
  scenario "vrrp-v2-password-$vrrp_sides" 90 'VRRPv2 with a simple-text password' failover "$vrrp_first" "$vrrp_second" VERSION=2 INTERVAL=1 PLAIN=1 PASSWORD=s3cr3t12
  scenario "vrrp-v2-unicast-$vrrp_sides" 90 'VRRPv2 between unicast peers' failover "$vrrp_first" "$vrrp_second" VERSION=2 INTERVAL=1 UNICAST=1
  scenario "vrrp-v3-unicast-$vrrp_sides" 60 'VRRPv3 between unicast peers' failover "$vrrp_first" "$vrrp_second" UNICAST=1
  scenario "vrrp-v3-ip6-unicast-$vrrp_sides" 60 'VRRPv3 over IPv6 between unicast peers' failover "$vrrp_first" "$vrrp_second" UNICAST=1 FAMILY=6
  scenario "vrrp-no-preempt-$vrrp_sides" 60 'the better one comes back and leaves the other in place' no_preempt "$vrrp_first" "$vrrp_second"
  scenario "vrrp-preempt-delay-$vrrp_sides" 60 'the better one waits its preempt delay' delayed "$vrrp_first" "$vrrp_second"
  scenario "vrrp-tracking-$vrrp_sides" 60 'a tracked interface lowers the priority' tracking "$vrrp_first" "$vrrp_second"
done
scenario vrrp-failover-beside-v3 90 'two of our daemons beside two keepalived: the longest gap in a ping stream, 0.1 s' beside
scenario vrrp-failover-beside-v2 120 'the same with VRRPv2 and 1 s' beside VERSION=2 INTERVAL=1
scenario vrrp-v3-ours-ours 60 'two of our daemons' failover ours ours
scenario vrrp-wrong-version 60 'packets of another version are counted and change nothing' wrong_packets
