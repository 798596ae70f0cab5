# IKEv2 alone: NATs that change their mind, MOBIKE, fragmentation, reauthentication.
nat_moves() { # The NAT gives a new port in the middle of it all: strongSwan itself stays dead there until DPD.
  pair "$1"; settings KEEPALIVE=1; topology nat ports=40000-40099; capture b
  start b; start a; initiate a; both_up; ping_through a 2
  ping_begin a 6; sleep 2
  step "the NAT forgets, and maps to other ports"
  ns r iptables -t nat -F POSTROUTING
  ns r iptables -t nat -A POSTROUTING -o rb -p udp -j MASQUERADE --to-ports 50000-50099
  ns r iptables -t nat -A POSTROUTING -o rb -j MASQUERADE
  ns r conntrack -F >/dev/null 2>&1
  ping_mostly 5; ping_through b 2; ping_through a 2
}
# ping_mostly LOST: at most so many are lost
ping_mostly() {
  expect 60 "the background ping did not end" ping_over
  local line sent got; line=$(grep -E 'packets transmitted' "$DIR/ping.out"); note "$line"
  read -r sent _ _ got _ <<<"$line"
  [ "$((sent - got))" -le "$1" ] || fail "$((sent - got)) packets lost: $line"
}
both nat-moves 60 'the NAT changes its port in mid-session: we follow at once' nat_moves b

mobike() { # The initiator's address changes; the tunnel goes with it.
  pair "$1"; topology direct; capture b
  ip -n "$(nsname a)" addr add 192.0.2.11/24 dev outer
  start b; start a LOCALS=192.0.2.1,192.0.2.11
  initiate a; both_up; ping_through a 2
  step "a loses its address"; ip -n "$(nsname a)" addr del 192.0.2.1/24 dev outer
  ip -n "$(nsname a)" addr show dev outer | grep -q 192.0.2.11 || ip -n "$(nsname a)" addr add 192.0.2.11/24 dev outer
  expect 15 "the tunnel did not move" moved_to b 192.0.2.11
  ping_through a 3; ping_through b 3
  [ "$(ikes_made b)" = 1 ] || fail "a new IKE SA was made instead"
}
moved_to() { case ${KIND[$1]} in gateway) gw_ask "$1" "any(c['active'] and c['remote'][0] == '$2' for c in s['children'])";; strongswan) swan_sas "$1" | grep -q "remote.*$2";; esac; }
