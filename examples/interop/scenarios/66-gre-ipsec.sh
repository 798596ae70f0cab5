# GRE through the gateway: `[[gre]]` tunnels bare, and protected by IPsec in both modes.
#
#   a: our gateway, tunnel end 192.0.2.1, 10.255.1.1 in the tunnel ── b: 192.0.2.2, 10.255.1.2

# gre_words SIDE WORDS…: the tunnel's TOML table
gre_words() {
  local s=$1 o n=2; o=$(other "$1"); [ "$s" = b ] || n=1; shift
  printf '[[gre]]\nname = "tu0"\naddress = "10.255.1.%s/24"\nsource = "%s"\ndestination = "%s"\n' $n "$(outer "$s")" "$(outer "$o")"
  printf '%s\n' "$@"
}
GRE_PROFILE='[[ipsec-profile]]
name = "gre"
transform-set = "set"'

# Both gateways with a protected tunnel: gre_pair MODE WORDS…
gre_pair() {
  local mode=$1 s; shift
  topology direct; pair both
  for s in a b; do
    start $s ESPENC=aes128 ESPAUTH=sha1 MODE="$mode" EXTRA="start = \"passive\"
reverse-route = \"off\"
protocol = 89
$GRE_PROFILE
$(gre_words $s 'protection = "gre"' "$@")"
  done
}
gre_up() { gw_ask "$1" 's["gre"][0]["line_protocol"]'; }
gre_down() { gw_ask "$1" 'not s["gre"][0]["line_protocol"]'; }

# greet FROM ITS-ADDRESS: OSPF's Hello to 224.0.0.5 through the tunnel
greet() {
  cat >"$DIR/greet.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
# RFC 2328 A.3.2: version 2, Hello, 44 octets, from router 1.1.1.1 in area 0.
s.sendto(bytes.fromhex('0201002c0101010100000000') + bytes(32), ('224.0.0.5', 0))
PY
  ns "$1" python3 "$DIR/greet.py" "$2"
}
# ospf_between FROM ITS-ADDRESS TO ITS-ADDRESS: a multicast packet of protocol 89 to 224.0.0.5, as OSPF routers greet each other
ospf_between() {
  cat >"$DIR/hear.py" <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('224.0.0.5') + socket.inet_aton(sys.argv[1]))
print('listening', flush=True); s.settimeout(5)
packet, peer = s.recvfrom(2000)
print('heard', peer[0], socket.inet_ntoa(packet[16:20]), packet[20:].hex(), flush=True)
PY
  local from=$1 source=$2 to=$3 name=hear-$3
  rm -f "$DIR/$name.out"
  spawn "$name" "$to" python3 -u "$DIR/hear.py" "$4"
  expect 5 "the listener did not start" grep -q listening "$DIR/$name.out"
  greet "$from" "$source"
  expect 5 "no multicast from $from to $to: $(tail -1 "$DIR/$name.out")" grep -q "heard $source 224.0.0.5 0201002c" "$DIR/$name.out"
}
gre_ping_all() { ns "$1" ping -n -c "${3:-10}" -i 0.1 -W 1 ${4:+-s "$4"} "$2" | grep " 0% packet loss" >/dev/null || fail "pings from $1 to $2 are lost"; }

# GV5: 100 octets inside, GRE with a key, AES-128-CBC and HMAC-SHA1-96: frames of 182 octets, 214 in tunnel mode.
gre_protected() { # MODE FRAME
  gre_pair "$1" 'key = 7' 'keepalive = { period = 0.5, retries = 3 }'
  capture a esp or proto 47
  expect 10 "no answer through the tunnel" ns a ping -n -c 1 -W 1 10.255.1.2
  gre_ping_all a 10.255.1.2 10 72; gre_ping_all b 10.255.1.1 10 72
  ospf_between a 10.255.1.1 b 10.255.1.2; ospf_between b 10.255.1.2 a 10.255.1.1
  capture_end a
  local frames; frames=$(tshark -r a.pcap -T fields -e frame.len -Y esp 2>/dev/null | grep -cx "$2") || :
  [ "$frames" -ge 34 ] || fail "frames of $2 octets: $frames, not 40: $(tshark -r a.pcap -T fields -e frame.len 2>/dev/null | sort | uniq -c | tr '\n' ' ')"
  [ -z "$(tshark -r a.pcap -Y 'gre && !esp' 2>/dev/null)" ] || fail "bare GRE on the wire"
  gre_up a || fail "line protocol down"
  gw a status >status; grep -q "tu0 is up, line protocol is up" status || fail "status does not show the tunnel: $(cat status)"
  gw_ask a 's["gre"][0]["keepalives_returned"] > 3 and s["gre"][0]["keepalives_answered"] > 3' || fail "keepalives do not cross"
  note "$frames frames of $2 octets; $(gw a status --json | python3 -c 'import json, sys; g = json.load(sys.stdin)["gre"][0]; print("keepalives", g["keepalives_sent"], "back", g["keepalives_returned"], "mtu", g["mtu"])')"
}
scenario gre-ipsec-transport 60 'two of our gateways, a profile in transport mode: pings, multicast, keepalives, frames of 182 octets' gre_protected transport 182
scenario gre-ipsec-tunnel 60 'the same in tunnel mode: frames of 214 octets' gre_protected tunnel 214

# The peer dies, keepalives fail, the line protocol goes down and data stops; it returns, and so does the line.
gre_peer_dies() {
  gre_pair transport 'keepalive = { period = 0.5, retries = 3 }'
  expect 10 "no answer through the tunnel" ns a ping -n -c 1 -W 1 10.255.1.2
  sleep 2; gre_up a || fail "down with a peer that answers"
  step "b dies"; cut_link b
  expect 5 "the line protocol did not go down" gre_down a
  ns a ip link show tu0 | grep NO-CARRIER >/dev/null || fail "the device shows a carrier"
  ! ns a ping -n -c 1 -W 1 10.255.1.2 >/dev/null || fail "data passed while down"
  step "b returns"; ip -n "$(nsname b)" link set outer up
  expect 10 "the line protocol did not come up again" gre_up a
  expect 5 "no answer after the return" ns a ping -n -c 1 -W 1 10.255.1.2
  gw_log a 'Line protocol on Interface tu0, changed state to (up|down)' | tail -2 >lines
  grep -q down lines && grep -q up lines || fail "not told: $(cat lines)"
}
scenario gre-ipsec-peer-dies 60 'the peer dies: keepalives fail, the line goes down; it returns: up again' gre_peer_dies

# The other way to say it: a crypto map that covers the tunnel's ends, keepalives and all (G10).
gre_crypto_map() {
  topology direct; pair both; local s
  for s in a b; do
    start $s MODE=transport EXTRA="reverse-route = \"off\"
protocol = 47
$(gre_words $s 'keepalive = { period = 0.5 }')"
  done
  capture a proto 47
  expect 10 "no answer through the tunnel" ns a ping -n -c 1 -W 1 10.255.1.2
  both_up; gre_ping_all b 10.255.1.1
  # What is not protected is not for this tunnel.
  ns b python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 47)
s.bind(('192.0.2.2', 0)); s.sendto(bytes.fromhex('00000800') + bytes(40), ('192.0.2.1', 0))
PY
  expect 3 "a bare packet is not counted: $(gw a status)" gw_ask a '["not protected by IPsec", 1] in s["gre"][0]["dropped"]'
  capture_end a
  [ "$(tshark -r a.pcap -Y gre 2>/dev/null | wc -l)" = 1 ] || fail "bare GRE on the wire"
}
scenario gre-ipsec-crypto-map 60 'a tunnel over protocol 47 host to host covers an ordinary GRE tunnel; bare packets are counted' gre_crypto_map

gre_scapy_start() { # WORDS…: scapy is the peer
  rm -f "$DIR/scapy.out"
  spawn scapy b /usr/bin/python3 -u "$HERE/lib/gre_peer.py" serve "$@"
  expect 20 "scapy did not start: $(tail -1 "$DIR/scapy.out")" grep -q ready "$DIR/scapy.out"
}
scapy_content() { ! grep -q -E 'WRONG|Traceback' "$DIR/scapy.out" || fail "scapy: $(grep -E 'WRONG|Error' "$DIR/scapy.out" | head -1)"; }

# ESP in transport mode with somebody else's stack: the peer's gateway stops, scapy goes on with its SAs.
gre_scapy_esp() {
  gre_pair transport 'key = 7' 'keepalive = { period = 0.5, retries = 3 }'
  expect 10 "no answer through the tunnel" ns a ping -n -c 1 -W 1 10.255.1.2
  sleep 1; kill -STOP "$(pid_of gateway-b)"
  expect 5 "the line stays up without a peer" gre_down a
  gre_scapy_start --esp "$DIR/gateway-a/keys/esp_sa" 192.0.2.2,192.0.2.1,k,7
  expect 5 "the line does not come up with scapy: $(tail -1 scapy.out)" gre_up a
  gre_ping_all a 10.255.1.2 10; gre_ping_all a 10.255.1.2 10 1300
  greet a 10.255.1.1
  expect 3 "no multicast: $(cat scapy.out)" grep -q "multicast over 192.0.2.2 protocol 89" scapy.out
  scapy_content; note "$(sed 1d scapy.out | tr '\n' ';')"
}
scenario gre-ipsec-scapy 60 'transport mode with scapy: our peer stops, scapy goes on with its SAs' gre_scapy_esp

# Every combination of checksum, key and sequence number, over IPv4 and IPv6, at one gateway; IPv6 inside too.
on() { [[ $2 == *$1* ]] && echo true || echo false; }
gre_combinations() {
  topology direct; KIND[a]=gateway
  local n=0 v flags key end source tunnels=() text=$'start = "passive"\n'
  for flags in - c k s ck cs ks cks; do
    key=; [[ $flags != *k* ]] || key=4$n
    for v in 4 6; do
      if [ $v = 4 ]; then end=192.0.2.2$n source=192.0.2.1; else end=2001:db8::2$n source=2001:db8::1; fi
      ip -n "$(nsname b)" addr add $end/$((v == 4 ? 24 : 64)) dev outer $([ $v = 4 ] || echo nodad)
      text+="[[gre]]
name = \"tu$v$n\"
address = [\"10.10$n.$v.1/24\", \"fd00:$n:$v::1/64\"]
source = \"$source\"
destination = \"$end\"
checksum = $(on c $flags)
sequence = $(on s $flags)
${key:+key = $key}
$([ $v = 6 ] || echo 'keepalive = { period = 0.5, tos = 0xa0 }')
"
      tunnels+=("$end,$source,$flags${key:+,$key}")
    done; n=$((n + 1))
  done
  ip -n "$(nsname a)" addr add 2001:db8::1/64 dev outer nodad; ip -n "$(nsname b)" addr add 2001:db8::2/64 dev outer nodad
  capture a proto 47 or ip6 proto 47
  gre_scapy_start "${tunnels[@]}"; expect 5 "scapy has no IPv6" grep -q 'ready 6' scapy.out
  start a EXTRA="$text"
  for ((n = 0; n < 8; n++)); do for v in 4 6; do
    expect 5 "no answer over IPv$v, combination $n: $(tail -1 scapy.out)" ns a ping -n -c 1 -W 1 10.10$n.$v.2
    gre_ping_all a 10.10$n.$v.2 3; gre_ping_all a fd00:$n:$v::2 3
  done; done
  # adjust-mss: the device may say what it likes.
  ip -n "$(nsname a)" link set tu40 mtu 1500
  ns a timeout 1 python3 -c 'import socket; socket.create_connection(("10.100.4.2", 80), 0.5)' 2>/dev/null || :
  expect 2 "the MSS is not lowered: $(grep SYN scapy.out)" grep -q "SYN over 192.0.2.20 MSS 1436" scapy.out
  # And a packet that does not fit is answered.
  { ns a ping -n -c 1 -W 1 -M do -s 1472 10.100.4.2 2>&1 || :; } | grep 'mtu *= *1476' >/dev/null || fail "no ICMP answer to a packet that is too big"
  # The path carries less from now on, and the tunnel knows within a second.
  ip -n "$(nsname a)" link set outer mtu 1400; ns a ping -n -c 1 -W 1 10.102.4.2 >/dev/null; sleep 1.1
  { ns a ping -n -c 1 -W 1 -M do -s 1400 10.102.4.2 2>&1 || :; } | grep 'mtu *= *1372' >/dev/null || fail "the tunnel does not follow the path: $(gw a status | grep -A4 'tu42 is')"
  # Wrong packets, one of each kind.
  ns b /usr/bin/python3 "$HERE/lib/gre_peer.py" bad 192.0.2.27 192.0.2.1 47
  local reason
  for reason in 'malformed: RoutingPresent' 'malformed: StrictSourceRoute' 'malformed: Version' 'malformed: Checksum' \
    'protocol MPLS' 'to the other end of the tunnel' 'out of sequence' 'malformed: Truncated'; do
    expect 2 "not counted: $reason: $(gw a status | grep -A20 'tu47 is up' | grep dropped)" gw_ask a "any(r.startswith('$reason') and n == 1 for t in s['gre'] if t['name'] == 'tu47' for r, n in t['dropped'])"
  done
  gw_ask a "['wrong key', 2] in next(t for t in s['gre'] if t['name'] == 'tu47')['dropped']" || fail "wrong keys are not counted"
  gw_ask a "all(t['line_protocol'] and (t['keepalives_returned'] > 0 or t['keepalive'] is None) for t in s['gre'])" || fail "keepalives are lost"
  capture_end a; scapy_content
  grep -q "keepalive over 192.0.2.20 tos 0xa0" scapy.out || fail "the TOS of keepalives: $(grep keepalive scapy.out)"
  note "$(grep -c 'ping over' scapy.out) kinds of tunnels with answers"
}
scenario gre-scapy-combinations 90 'scapy: every checksum, key and sequence combination over IPv4 and IPv6; wrong packets counted; MSS, MTU' gre_combinations

# strongSwan's userland ESP knows tunnel mode only, here with protocol 47 between the tunnel's ends.
gre_strongswan() { # VERSION END-OF-B SELECTOR-OF-B: a's tunnel end is 10.10.1.1
  settings VERSION="$1"
  NET_a='10.10.1.1/32[gre]' NET_b="$3[gre]" start b
  NET_a=10.10.1.1/32 NET_b=$3 start a EXTRA="protocol = 47
reverse-route = \"off\"
[[gre]]
name = \"tu0\"
address = \"10.255.1.2/24\"
source = \"10.10.1.1\"
destination = \"$2\"
keepalive = { period = 0.5, retries = 3 }"
}
gre_figures() { gw a status --json | python3 -c 'import json, sys; g = json.load(sys.stdin)["gre"][0]; print("keepalives", g["keepalives_sent"], "back", g["keepalives_returned"], "down", g["went_down"], "mtu", g["mtu"])'; }

# The GRE end is a script on strongSwan's host: host to host to the last bit.
gre_strongswan_script() { # VERSION
  topology direct; pair a; gre_strongswan "$1" 10.10.2.1 10.10.2.1/32
  gre_scapy_start 10.10.2.1,10.10.1.1,-
  expect 20 "no answer through the tunnel" ns a ping -n -c 1 -W 1 10.255.1.1
  both_up; gre_ping_all a 10.255.1.1 10; gre_ping_all a 10.255.1.1 5 1300; greet a 10.255.1.2
  expect 3 "no multicast: $(cat scapy.out)" grep -q "multicast over 10.10.2.1 protocol 89" scapy.out
  expect 3 "no keepalive comes back" gw_ask a 's["gre"][0]["keepalives_returned"] > 2'
  step "the peer dies"; end scapy KILL 1 || :
  expect 5 "the line protocol did not go down" gre_down a
  ! ns a ping -n -c 1 -W 1 10.255.1.1 >/dev/null || fail "data passed while down"
  step "it returns"; gre_scapy_start 10.10.2.1,10.10.1.1,-
  expect 5 "the line protocol did not come up again" gre_up a
  expect 5 "no answer after the return" ns a ping -n -c 1 -W 1 10.255.1.1
  scapy_content; note "$(gre_figures)"
}
scenario gre-strongswan-script 90 'strongSwan, protocol 47 host to host in tunnel mode, a raw-socket peer: pings, multicast, down and up' gre_strongswan_script 1

# Open vSwitch on a host behind strongSwan, which makes no policy without an address of its own in it: a pair of addresses.
#
#   a: our gateway, tunnel end 10.10.1.1 ── b: strongSwan, 10.10.2.8 ── r: Open vSwitch, tunnel end 10.10.2.9
#
# Keepalives come back through the kernel of r, which forwards what Open vSwitch takes out of them.
gre_strongswan_ovs() { # VERSION
  topology direct; pair a
  ip link add outer netns "$(nsname r)" type veth peer name lan netns "$(nsname b)"
  ip -n "$(nsname b)" addr add 10.10.2.8/24 dev lan; ip -n "$(nsname b)" link set lan up; ip -n "$(nsname r)" link set outer up
  ns r ethtool -K outer tx off gso off tso off gro off >/dev/null; ns b ethtool -K lan tx off gso off tso off gro off >/dev/null
  gre_strongswan "$1" 10.10.2.9 10.10.2.8/31
  OVS_NEIGHBOUR=10.10.2.8 ovs r 10.10.2.9 10.10.1.1 "ip route add default via 10.10.2.8"
  ovs_ready
  # A packet to the tunnel's other end in our own name: the kernel forwards it when told that such may come.
  ns r sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.br-int.rp_filter=0 net.ipv4.conf.br-int.accept_local=1
  expect 20 "no answer through the tunnel" ns a ping -n -c 1 -W 1 10.255.1.1
  both_up
  expect 5 "the line protocol is not up" gre_up a
  gre_ping_all a 10.255.1.1 20; gre_ping_all r 10.255.1.2 20; gre_ping_all r 10.255.1.2 5 1300
  ospf_between a 10.255.1.2 r 10.255.1.1; ospf_between r 10.255.1.1 a 10.255.1.2
  expect 3 "no keepalive comes back" gw_ask a 's["gre"][0]["keepalives_returned"] > 2'
  step "the peer dies"; ovs_process STOP
  expect 5 "the line protocol did not go down" gre_down a
  ! ns a ping -n -c 1 -W 1 10.255.1.1 >/dev/null || fail "data passed while down"
  step "it returns"; ovs_process CONT
  expect 5 "the line protocol did not come up again" gre_up a
  expect 5 "no answer after the return" ns a ping -n -c 1 -W 1 10.255.1.1
  note "$(gre_figures)"
}
ovs_process() { local p; for p in $(ip netns pids "$(nsname r)"); do [ "$(cat /proc/$p/comm)" != ovs-vswitchd ] || kill "-$1" $p; done; }
scenario gre-strongswan-ovs 90 'strongSwan in tunnel mode, Open vSwitch behind it: pings, multicast, keepalives, down and up' gre_strongswan_ovs 1
