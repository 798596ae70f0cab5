# What fits: DF packets that are too big are answered, others fragmented before encryption, and the path's MTU learnt.
df_ping() { # FROM LENGTH-OF-THE-IP-PACKET: the output of three pings with DF
  ns "$1" ping -n -M "do" -c 3 -i 0.3 -W 1 -s $(($2 - 28)) -I "$(inner "$1")" "$(inner "$(other "$1")")" 2>&1 || :
}
answered() { [[ $(df_ping "$1" "$2") == *" 3 received"* ]] || fail "packets of $2 octets with DF do not cross, but they fit"; }
told() { # FROM LENGTH MTU
  local out; out=$(df_ping "$1" "$2"); echo "$out"
  [[ $out =~ mtu\ ?=\ ?$3 ]] || fail "the source of $2 octets with DF is not told $3: $(grep -i mtu <<<"$out" | head -1)"
}
path_mtu() { # SIDE PATH MEDIA
  gw_ask "$1" "all((c['path_mtu'], c['media_mtu']) == ($2, $3) for c in s['children']) and s['children']" ||
    fail "side $1 does not show path mtu $2, media mtu $3: $(gw_sas "$1" | grep 'path mtu')"
}
fragments_first() { # FROM LENGTH: without DF everything crosses, in pieces that fit
  # The sender's own memory of the answers would cut the packets before they reach us.
  ns "$1" ip route flush cache
  ns "$1" ping -n -q -M dont -c 3 -i 0.2 -W 2 -s $(($2 - 28)) -I "$(inner "$1")" "$(inner "$(other "$1")")" | sees ' 3 received' || fail "packets of $2 octets without DF do not cross"
  gw_ask "$1" "any(c['fitting']['fragments'] > c['fitting']['fragmented'] > 0 for c in s['children'])" || fail "nothing was fragmented before encryption"
}

narrow() { # OUR-PAIR TOPOLOGY-WORDS MAX K=V…: a hop of 1400 octets in the middle
  local who=$1 max=$2; shift 2
  pair "$who"; settings "$@"; topology routed mtu=1400; capture b
  start b; start a; initiate a; both_up
  # The first one is lost at the router, which tells us; from then on we tell the source.
  df_ping a 1400 >/dev/null
  expect 3 "we did not learn of the narrow hop" log_has a 'adjusting path mtu from 1500 to 1400'
  path_mtu a 1400 1500
  told a 1400 "$max"; answered a "$max"
  fragments_first a 1400
  file_through a 2; file_through b 2
  [ "$who" != both ] || path_mtu b 1400 1400
  sleep 0.2; capture_end b
  local pieces; pieces=$(tshark -r b.pcap -Y "ip.src == $(outer a) && (ip.flags.mf == 1 || ip.frag_offset > 0)" 2>/dev/null | wc -l)
  [ "$pieces" = 0 ] || fail "$pieces fragments on the wire: a packet was fragmented after encryption"
  note "largest inner packet $max"
}
wide() { # an ordinary link, and no smaller device in front of it
  pair both; settings TUNMTU=1500; topology direct
  start b; start a; initiate a; both_up
  answered a 1438; told a 1439 1438; fragments_first a 1500; path_mtu a 1500 1500
}
if [ "${INTEROP_OURS:-gateway}" = gateway ]; then
  # GV6: (1400 − 20 − 8 − 8 − 12) / 8 · 8 − 2 = 1350 and (1500 − 20 − 8 − 16 − 12) / 16 · 16 − 2 = 1438.
  both pmtu-ours-ours 60 'a hop of 1400 octets, raw ESP 3DES/SHA1: DF packets are told 1350, files cross' narrow both 1350 ENC=3des ESPENC=3des ESPAUTH=sha1
  both pmtu-init 60 'a hop of 1400 octets, ESP in UDP towards strongSwan: DF packets are told 1326' narrow a 1326 ESPAUTH=sha1
  scenario v1-pmtu-wide 60 'an Ethernet link, AES/SHA1: 1438 octets fit, 1439 do not' wide
fi
