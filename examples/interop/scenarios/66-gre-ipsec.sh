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

# ospf FROM TO: a multicast packet of protocol 89 to 224.0.0.5, as OSPF routers greet each other
ospf() {
  cat >"$DIR/hear.py" <<'PY'
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('224.0.0.5') + socket.inet_aton(sys.argv[1]))
print('listening', flush=True); s.settimeout(5)
packet, peer = s.recvfrom(2000)
print('heard', peer[0], socket.inet_ntoa(packet[16:20]), packet[20:].hex(), flush=True)
PY
  cat >"$DIR/greet.py" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 89)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
# RFC 2328 A.3.2: version 2, Hello, 44 octets, from router 1.1.1.1 in area 0.
s.sendto(bytes.fromhex('0201002c0101010100000000') + bytes(32), ('224.0.0.5', 0))
PY
  local from=$1 to=$2 name=hear-$2
  rm -f "$DIR/$name.out"
  spawn "$name" "$to" python3 -u "$DIR/hear.py" "$(tunnel_address "$to")"
  expect 5 "the listener did not start" grep -q listening "$DIR/$name.out"
  ns "$from" python3 "$DIR/greet.py" "$(tunnel_address "$from")"
  expect 5 "no multicast from $from to $to: $(tail -1 "$DIR/$name.out")" grep -q "heard $(tunnel_address "$from") 224.0.0.5 0201002c" "$DIR/$name.out"
}
tunnel_address() { [ "$1" = a ] && echo 10.255.1.1 || echo 10.255.1.2; }
gre_ping_all() { ns "$1" ping -n -c "${3:-10}" -i 0.1 -W 1 ${4:+-s "$4"} "$2" | grep -q " 0% packet loss" || fail "pings from $1 to $2 are lost"; }

# GV5: 100 octets inside, GRE with a key, AES-128-CBC and HMAC-SHA1-96: frames of 182 octets, 214 in tunnel mode.
gre_protected() { # MODE FRAME
  gre_pair "$1" 'key = 7' 'keepalive = { period = 0.5, retries = 3 }'
  capture a esp or proto 47
  expect 10 "no answer through the tunnel" ns a ping -n -c 1 -W 1 10.255.1.2
  gre_ping_all a 10.255.1.2 10 72; gre_ping_all b 10.255.1.1 10 72
  ospf a b; ospf b a
  capture_end a
  local frames; frames=$(tshark -r a.pcap -T fields -e frame.len -Y esp 2>/dev/null | grep -cx "$2") || :
  [ "$frames" -ge 40 ] || fail "frames of $2 octets: $frames, not 40: $(tshark -r a.pcap -T fields -e frame.len 2>/dev/null | sort | uniq -c | tr '\n' ' ')"
  [ -z "$(tshark -r a.pcap -Y 'gre && !esp' 2>/dev/null)" ] || fail "bare GRE on the wire"
  gre_up a || fail "line protocol down"
  gw a status | grep -q "tu0 is up, line protocol is up" || fail "status does not show the tunnel: $(gw a status)"
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
  ns a ip link show tu0 | grep -q NO-CARRIER || fail "the device shows a carrier"
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
