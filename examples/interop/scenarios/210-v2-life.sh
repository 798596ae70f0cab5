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

mobike() { # The initiator loses its address and has another: the SAs move, nothing is negotiated anew.
  pair "$1"; topology direct; capture b
  start b; start a LOCALS=192.0.2.1,192.0.2.11 $([ "$1" = b ] || echo RETRY=0.5)
  initiate a; both_up; ping_through a 2
  step "a's address changes"
  ip -n "$(nsname a)" addr del 192.0.2.1/24 dev outer; ip -n "$(nsname a)" addr add 192.0.2.11/24 dev outer
  expect 20 "the tunnel did not move" moved_to b 192.0.2.11
  ping_through a 3; ping_through b 3; capture_end b
  [ "$(ikes_made b)" = 1 ] || fail "a new IKE SA was made instead"
  [ "$(isakmp_count 'isakmp.exchangetype == 34')" = 2 ] || fail "IKE_SA_INIT again"
  [ "$(isakmp_count 'isakmp.exchangetype == 37 && ip.src == 192.0.2.11')" -ge 1 ] || fail "no INFORMATIONAL from the new address"
}
moved_to() {
  case ${KIND[$1]} in
    gateway) gw_ask "$1" "any(c['active'] and c['remote'][0] == '$2' for c in s['children'])";;
    strongswan) swan_sas "$1" | sees -E "remote .*@ $2";;
  esac
}
mobike_path() { # The peer has told of a second address; its first falls silent, and the SAs move.
  pair a; topology direct; ip -n "$(nsname b)" addr add 192.0.2.3/24 dev outer; capture b
  start b LOCALS=192.0.2.2,192.0.2.3; start a DPD=1 RETRY=0.3 TRIES=3
  initiate a; both_up; ping_through a 2
  ns b iptables -A INPUT -d 192.0.2.2 -j DROP
  spawn traffic a ping -n -i 0.2 -W 1 -I "$(inner a)" "$(inner b)"
  expect 25 "the SAs did not move" to_second
  end traffic INT 2 || :
  # strongSwan's userland ESP takes a new child SA for it, once its own request has found its way.
  expect 15 "nothing crosses" crosses a; ping_through a 3; ping_through b 2; capture_end b
  [ "$(isakmp_count 'isakmp.exchangetype == 34')" = 2 ] || fail "IKE_SA_INIT again"
}
crosses() { ns "$1" ping -n -q -c 1 -W 1 -I "$(inner "$1")" "$(inner "$(other "$1")")" >/dev/null; }
[ "${INTEROP_OURS:-gateway}" = strongswan ] || scenario v2-init-mobike-path 60 'MOBIKE: the first address of the peer falls silent, the tunnel moves to its second' mobike_path
scenario v2-init-mobike 60 'MOBIKE: our address changes, the tunnel moves' mobike a
scenario v2-resp-mobike 60 'MOBIKE: their address changes, we follow' mobike b

fragmented() { # Both sides split what is longer than a few hundred octets (RFC 7383).
  pair "$1"; settings KIDS=wide ENC=aes256 HASH=sha512 FRAGMENT=256 SWAN='fragment_size = 200' SWANCONN='fragmentation = force'; topology direct; capture b
  start b; start a; initiate a; both_up; ping_through a 3; capture_end b
  local s n
  for s in a b; do
    n=$(isakmp_count "isakmp.typepayload == 53 && ip.src == $(outer $s)")
    [ "$n" -ge 2 ] || fail "$n fragments (SKF) from $s, 2 at least expected"
  done
}
scenario v2-init-fragments 60 'IKE_AUTH in fragments both ways, we initiate' fragmented a
scenario v2-resp-fragments 60 'IKE_AUTH in fragments both ways, they initiate' fragmented b

reauthenticated() { # The IKE SA is authenticated anew, make before break, under ping.
  pair "$1"; topology direct; capture b
  start "$OURS"; start "$PEER" SWAN='make_before_break = yes' SWANCONN='reauth_time = 5s'
  initiate a; both_up; ping_through a 2
  ping_begin a 12; ping_end; both_up 3; ping_through b 2; capture_end b
  local made; made=$(( $(isakmp_count 'isakmp.exchangetype == 34') / 2 ))
  [ "$made" -ge 2 ] || fail "$made IKE SAs in 12 s with a reauthentication every 5 s"
  note "$made IKE SAs"
}
scenario v2-init-reauth 60 'they want us to authenticate anew (AUTH_LIFETIME): make before break, no packet lost' reauthenticated a
scenario v2-resp-reauth 60 'they authenticate anew, make before break, no packet lost' reauthenticated b
