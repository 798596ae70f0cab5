# Topologies out of network namespaces: a and b are the two gateways, r is what lies between.
#
#   direct   a 192.0.2.1 ──────────────── b 192.0.2.2
#   nat      a 192.168.77.2 ── r (masquerade, 192.0.2.254) ── b 192.0.2.2
#   wire     a 192.0.2.1 ── r (wire.py: a bad cable) ── b 192.0.2.2
#   routed   a 192.0.2.1 ── r (a router; mtu=N: narrow towards b) ── b 198.51.100.2
#
# Protected networks 10.10.1.0/24 (host .1, on a's lo) and 10.10.2.0/24 (on b's lo); a has 10.10.3.0/24 as well.
INNER2_a=10.10.3.1; NET2_a=10.10.3.0/24
INNER_a=10.10.1.1; INNER_b=10.10.2.1; NET_a=10.10.1.0/24; NET_b=10.10.2.0/24
OUTER_a=192.0.2.1; OUTER_b=192.0.2.2

# The run's id keeps parallel runs apart, the scenario's checksum keeps parallel scenarios apart.
nsname() { printf '%s-%s-%s-%s' "${INTEROP_PREFIX:-ipsec-io}" "${INTEROP_RUN:-0}" "$(cksum <<<"$SCENARIO" | cut -d' ' -f1)" "$1"; }
ns() { local where=$1; shift; ip netns exec "$(nsname "$where")" "$@"; }
other() { [ "$1" = a ] && echo b || echo a; }
outer() { local v=OUTER_$1; echo "${!v}"; }
inner() { local v=INNER_$1; echo "${!v}"; }
network() { local v=NET_$1; echo "${!v}"; }
in_own_ns() { local n; n=$(ip netns identify "$1" 2>/dev/null); [[ -n $n && $n == "$(nsname '')"* ]]; }

# topology direct|nat|wire|routed [v6] [wire.py options, ports=LOW-HIGH for nat, mtu=N for routed]
topology() {
  TOPOLOGY=$1; shift
  local s kv ports= mtu= len=24; local -a options=()
  for kv in "$@"; do case $kv in
    ports=*) ports=${kv#*=};; mtu=*) mtu=${kv#*=};; v6) len=64; OUTER_a=2001:db8::1; OUTER_b=2001:db8::2;;
    *) options+=("$kv");; esac; done
  [ "$TOPOLOGY" != routed ] || OUTER_b=198.51.100.2
  for s in a b r; do ip netns add "$(nsname $s)"; ip -n "$(nsname $s)" link set lo up; done
  if [ "$TOPOLOGY" = direct ]; then
    ip link add outer netns "$(nsname a)" type veth peer name outer netns "$(nsname b)"
  else
    ip link add outer netns "$(nsname a)" type veth peer name ra netns "$(nsname r)"
    ip link add outer netns "$(nsname b)" type veth peer name rb netns "$(nsname r)"
    ip -n "$(nsname r)" link set ra up; ip -n "$(nsname r)" link set rb up
  fi
  [ "$TOPOLOGY" != nat ] || OUTER_a=192.168.77.2
  for s in a b; do
    ip -n "$(nsname $s)" addr add "$(outer $s)/$len" dev outer $([ $len = 24 ] || echo nodad)
    ip -n "$(nsname $s)" addr add "$(inner $s)/32" dev lo
    [ $s = b ] || ip -n "$(nsname $s)" addr add "$INNER2_a/32" dev lo
    ip -n "$(nsname $s)" link set outer up
    ns $s sysctl -qw net.ipv4.ip_forward=1
    # Checksums must be real where packets are read from the wire.
    ns $s ethtool -K outer tx off gso off tso off gro off >/dev/null
  done
  case $TOPOLOGY in
    nat)
      ip -n "$(nsname r)" addr add 192.168.77.1/24 dev ra; ip -n "$(nsname r)" addr add 192.0.2.254/24 dev rb
      ns r sysctl -qw net.ipv4.ip_forward=1
      ip -n "$(nsname a)" route add default via 192.168.77.1
      ns r iptables -t nat -A POSTROUTING -o rb -p udp -j MASQUERADE ${ports:+--to-ports "$ports"}
      ns r iptables -t nat -A POSTROUTING -o rb -j MASQUERADE;;
    routed)
      ip -n "$(nsname r)" addr add 192.0.2.254/24 dev ra; ip -n "$(nsname r)" addr add 198.51.100.254/24 dev rb
      ns r sysctl -qw net.ipv4.ip_forward=1
      [ -z "$mtu" ] || { ip -n "$(nsname r)" link set rb mtu "$mtu"; ip -n "$(nsname b)" link set outer mtu "$mtu"; }
      ip -n "$(nsname a)" route add default via 192.0.2.254; ip -n "$(nsname b)" route add default via 198.51.100.254;;
    wire)
      spawn wire r python3 -u "$HERE/lib/wire.py" ra rb "${options[@]}"
      expect 5 "wire.py did not start" grep -q 'wire up' "$DIR/wire.out";;
  esac
}
# What a's address looks like from b.
seen_from_b() { [ "$TOPOLOGY" = nat ] && echo 192.0.2.254 || outer a; }

net_down() {
  local s n p
  for s in a b r; do
    n=$(nsname $s); ip netns list | sees -E "^$n( |$)" || continue
    for p in $(ip netns pids "$n"); do kill -KILL "$p" 2>/dev/null; done
    ip netns del "$n"
  done
}

capture() { # SIDE: tcpdump on its outer interface into $DIR/SIDE.pcap
  spawn "tcpdump-$1" "$1" tcpdump --immediate-mode -U -n -Z root -i outer -w "$DIR/$1.pcap" "${@:2}"
  expect 5 "tcpdump did not start" grep -q listening "$DIR/tcpdump-$1.out"
}
capture_end() { end "tcpdump-$1" INT 5 || fail "tcpdump did not stop"; }

# cut / mend SIDE: silence its outer link
cut_link() { ip -n "$(nsname "$1")" link set outer down; }
